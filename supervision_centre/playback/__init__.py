"""Playback sessions and timelines."""
