"""What is drawn over the map for the picked place: its footprint, the wind, the air's path, the scan."""
