"""Erasing what may no longer be kept, by the node alone."""
