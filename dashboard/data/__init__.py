"""What pages show, without a widget: opened datasets, fields in memory, forecasts, outlines, places."""
