"""The product: its base, its media formats, and the command that wires everything together."""
