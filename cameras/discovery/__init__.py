"""Finding devices: WS-Discovery by multicast and by unicast probes."""
