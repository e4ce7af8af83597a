"""What is wrong with a dataset: units, ranges, gaps, empty fields, checksums, stations."""
