"""Simulated cameras: real on the wire, used by the demonstration, by training and by the tests."""
