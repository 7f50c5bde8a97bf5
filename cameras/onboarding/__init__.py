"""From a discovered device to a recorded camera."""
