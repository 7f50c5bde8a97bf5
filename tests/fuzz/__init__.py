"""Hostile bytes for everything that reads what a camera wrote."""
