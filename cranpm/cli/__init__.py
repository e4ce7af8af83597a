"""The command ``cranpm``: each command parses, calls and prints; the work is done in the other rooms."""
