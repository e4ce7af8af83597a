"""From the grids and hours of the sources to days on ours."""
