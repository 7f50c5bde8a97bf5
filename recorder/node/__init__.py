"""The processes of a node and the door to them."""
