"""Open files of ERA5, CAMS, GHAP and terrain by content, or refuse them by name."""
