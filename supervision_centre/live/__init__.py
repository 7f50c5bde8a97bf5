"""Live viewing sessions."""
