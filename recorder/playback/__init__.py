"""Reading what is kept."""
