"""Days and tiles in the order in which they are learned from, and those that a network is validated on."""
