"""The only place where things are built and wired together."""
