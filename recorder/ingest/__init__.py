"""From a camera's socket to dated access units."""
