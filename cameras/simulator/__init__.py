"""A simulated camera that speaks the real protocols, for the demonstration, training and tests."""
