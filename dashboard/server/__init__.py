"""Beside the pages: addresses of tiles and values, headers of every answer, what is warmed up at the start."""
