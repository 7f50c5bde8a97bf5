"""Reading the access log."""
