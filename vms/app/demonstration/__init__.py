"""The demonstration: a simulated department, its people and its authorisations, all through the product's own doors."""
