"""What the rest of the product may know of a recorder node: values and one protocol, no machinery."""
