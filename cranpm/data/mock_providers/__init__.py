"""A server that speaks the providers' interfaces on this machine, with invented values in their layouts."""
