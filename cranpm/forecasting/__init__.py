"""From a day's inputs to maps: the engine, its output, what the bridge attended to. Imported when first used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cranpm._lazy import lazy_names

__all__ = [
    "AttentionRecorder",
    "RunObserver",
    "TileSelection",
    "footprint_at",
    "forecast",
    "load_day",
    "open_forecast",
    "read_attention",
    "run_forecast",
    "series_at",
    "write_forecast",
]

if TYPE_CHECKING:
    from cranpm.forecasting.api import forecast
    from cranpm.forecasting.attention import AttentionRecorder, read_attention
    from cranpm.forecasting.day import load_day
    from cranpm.forecasting.engine import RunObserver, TileSelection, run_forecast
    from cranpm.forecasting.footprint import footprint_at
    from cranpm.forecasting.output import open_forecast, write_forecast
    from cranpm.forecasting.place_series import series_at
else:
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "AttentionRecorder": "cranpm.forecasting.attention",
            "RunObserver": "cranpm.forecasting.engine",
            "TileSelection": "cranpm.forecasting.engine",
            "footprint_at": "cranpm.forecasting.footprint",
            "forecast": "cranpm.forecasting.api",
            "load_day": "cranpm.forecasting.day",
            "open_forecast": "cranpm.forecasting.output",
            "read_attention": "cranpm.forecasting.attention",
            "run_forecast": "cranpm.forecasting.engine",
            "series_at": "cranpm.forecasting.place_series",
            "write_forecast": "cranpm.forecasting.output",
        },
    )
