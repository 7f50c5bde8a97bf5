"""The node: shard processes, their socket, and the client that the rest of the machine speaks to them with."""
