"""The simulated truth as satellites, models and stations would report it."""
