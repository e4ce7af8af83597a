"""What the simulated world is like, and what can be predicted in it."""
