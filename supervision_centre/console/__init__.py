"""The web console: static ES modules."""
