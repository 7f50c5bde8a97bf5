"""Segments on disk, their index, and the procedures that keep both consistent."""
