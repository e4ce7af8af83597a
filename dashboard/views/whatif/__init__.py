"""Asking "what if": the panel of switches and sliders."""
