"""The cameras as the console lists them: what a person may see of the inventory, and how each stream does."""
