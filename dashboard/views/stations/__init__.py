"""Stations on the page: filters, the card of one, the table of all."""
