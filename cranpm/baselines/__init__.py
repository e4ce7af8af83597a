"""Forecasts that a network has to beat: persistence, damped persistence, climatology, CAMS."""
