"""Media formats as pure functions: bytes in, bytes out, no I/O."""
