"""The live gateway: tickets in, fragments out."""
