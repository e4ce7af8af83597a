"""Numbers of an area of the map: what its cells hold, how forecasts score there, its daily means."""
