"""One worker process for each connection: what a hostile stream or picture can do ends with it."""
