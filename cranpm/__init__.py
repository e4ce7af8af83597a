"""CRAN-PM Explorer: tomorrow's PM2.5 over Europe at 1 km, and why.

::

    import cranpm

    data = cranpm.open_dataset()
    maps = cranpm.forecast("2022-01-10", leads=[1, 2, 3], checkpoint="demo", data=data)
    cranpm.plot_map(maps.pm2p5.sel(lead=1))

Everything is imported when it is first used: ``import cranpm`` loads neither torch nor a plotting library.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cranpm._lazy import lazy_names

__version__ = "0.1.0"

__all__ = [
    "__version__",
    "data_dir",
    "footprint_at",
    "forecast",
    "list_checkpoints",
    "list_datasets",
    "list_domains",
    "list_regions",
    "load_checkpoint",
    "open_dataset",
    "open_forecast",
    "plot_footprint",
    "plot_map",
    "plot_scores",
    "plot_series",
    "plot_what_if",
    "score",
    "series_at",
    "write_forecast",
]

if TYPE_CHECKING:
    from cranpm.data.datasets import open_dataset
    from cranpm.data.domains import list_domains
    from cranpm.domain.regions import list_regions
    from cranpm.evaluation.scoring import score
    from cranpm.forecasting.api import forecast
    from cranpm.forecasting.footprint import footprint_at
    from cranpm.forecasting.output import open_forecast, write_forecast
    from cranpm.forecasting.place_series import series_at
    from cranpm.model.checkpoint import load_checkpoint
    from cranpm.paths import data_dir
    from cranpm.plot.overlays.footprint import plot_footprint
    from cranpm.plot.scores import plot_scores
    from cranpm.plot.series import plot_series
    from cranpm.plot.what_if import plot_what_if
    from cranpm.plot.whole import plot_map
    from cranpm.registry import list_checkpoints, list_datasets
else:
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "data_dir": "cranpm.paths",
            "footprint_at": "cranpm.forecasting.footprint",
            "forecast": "cranpm.forecasting.api",
            "list_checkpoints": "cranpm.registry",
            "list_datasets": "cranpm.registry",
            "list_domains": "cranpm.data.domains",
            "list_regions": "cranpm.domain.regions",
            "load_checkpoint": "cranpm.model.checkpoint",
            "open_dataset": "cranpm.data.datasets",
            "open_forecast": "cranpm.forecasting.output",
            "plot_footprint": "cranpm.plot.overlays.footprint",
            "plot_map": "cranpm.plot.whole",
            "plot_scores": "cranpm.plot.scores",
            "plot_series": "cranpm.plot.series",
            "plot_what_if": "cranpm.plot.what_if",
            "score": "cranpm.evaluation.scoring",
            "series_at": "cranpm.forecasting.place_series",
            "write_forecast": "cranpm.forecasting.output",
        },
    )
