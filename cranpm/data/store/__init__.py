"""Datasets on disk: layout, reading, writing."""
