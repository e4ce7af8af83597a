"""Areas of the map: the box drawn on it, its statistics, scores and series."""
