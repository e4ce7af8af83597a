"""What is drawn over a map for one place: shapes for the page's figure, and `plot_footprint` for notebooks."""
