"""One hub per stream: the same object to every reader, each with its own bounded queue."""
