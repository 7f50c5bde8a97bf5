"""The capacity of the disks, as those who must act on it read it (LAW-08)."""
