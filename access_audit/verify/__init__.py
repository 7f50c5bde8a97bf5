"""The stand-alone verifier: standard library and `cryptography` only."""
