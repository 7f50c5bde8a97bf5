"""The processes of one machine, each built out of its packages."""
