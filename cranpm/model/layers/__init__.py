"""The network's parts: attention, biases, wind scan, bridge, decoder."""
