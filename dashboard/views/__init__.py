"""The parts of the page, one file each; every one is built from the state and shown by `__panel__` or `.root`."""
