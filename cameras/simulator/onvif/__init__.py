"""The ONVIF side of a simulated camera: one module per service, all of them tables of operations."""
