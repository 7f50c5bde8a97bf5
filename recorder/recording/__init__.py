"""From access units to closed segments."""
