"""Measurements of the product on the machine at hand, as JSON: each returns a dictionary and prints nothing."""
