"""Forecasts in another process, watched and cancelled through a folder."""
