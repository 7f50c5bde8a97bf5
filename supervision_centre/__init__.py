"""The supervision centre: people, rights, live, playback, journal, console."""
