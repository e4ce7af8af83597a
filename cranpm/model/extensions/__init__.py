"""What is not in the paper, in one place; all of it off in the preset ``paper``."""
