"""What is taken away from a view as a file: NetCDF, GeoTIFF, PNG, CSV, a one-page report. A link's query names it."""
