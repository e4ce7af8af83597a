"""A second map beside the one that is shown."""
