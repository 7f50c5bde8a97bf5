"""The certificate of destruction: what was recorded of a camera on a day, and what became of it (LAW-09)."""
