"""Land, terrain and towns from installed data packages."""
