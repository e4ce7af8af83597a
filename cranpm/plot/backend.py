"""The plotting backend, loaded once."""

from __future__ import annotations

from functools import lru_cache

import holoviews as hv


@lru_cache(maxsize=1)
def load_bokeh() -> None:
    """Load HoloViews' Bokeh backend; a notebook gets its scripts inline, so that pictures need no network."""
    hv.extension("bokeh", logo=False, inline=True)
