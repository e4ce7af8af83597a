"""Files of providers opened by content, under one lock, with failures that name the file."""
