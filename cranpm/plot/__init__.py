"""Pictures: labelled array in, HoloViews element out; nothing is read but outlines. Imported when first used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cranpm import extras
from cranpm._lazy import lazy_names

extras.require("dashboard", "Drawing with cranpm.plot")

__all__ = [
    "COLOUR_BAR",
    "comparison_figure",
    "density_figure",
    "europe_figure",
    "field_map",
    "field_maps",
    "forecast_figure",
    "intervals",
    "learning_curve",
    "paired_curves",
    "plot_footprint",
    "plot_map",
    "plot_scores",
    "plot_series",
    "plot_what_if",
    "reading_orders",
    "region_map",
    "regions_figure",
    "scatter_figure",
    "sector_arrows",
    "transfer_figure",
]

if TYPE_CHECKING:
    from cranpm.plot.curves import intervals, learning_curve, paired_curves
    from cranpm.plot.frames import COLOUR_BAR
    from cranpm.plot.overlays.footprint import plot_footprint
    from cranpm.plot.paper.comparison import comparison_figure
    from cranpm.plot.paper.europe import europe_figure
    from cranpm.plot.paper.forecast import forecast_figure
    from cranpm.plot.paper.scatter import density_figure, scatter_figure
    from cranpm.plot.paper.transfer import transfer_figure
    from cranpm.plot.paper.year import regions_figure
    from cranpm.plot.region import region_map
    from cranpm.plot.scores import plot_scores
    from cranpm.plot.series import plot_series
    from cranpm.plot.steps import field_map, field_maps, reading_orders, sector_arrows
    from cranpm.plot.what_if import plot_what_if
    from cranpm.plot.whole import plot_map
else:
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "COLOUR_BAR": "cranpm.plot.frames",
            "comparison_figure": "cranpm.plot.paper.comparison",
            "density_figure": "cranpm.plot.paper.scatter",
            "europe_figure": "cranpm.plot.paper.europe",
            "field_map": "cranpm.plot.steps",
            "field_maps": "cranpm.plot.steps",
            "forecast_figure": "cranpm.plot.paper.forecast",
            "intervals": "cranpm.plot.curves",
            "learning_curve": "cranpm.plot.curves",
            "paired_curves": "cranpm.plot.curves",
            "plot_footprint": "cranpm.plot.overlays.footprint",
            "plot_map": "cranpm.plot.whole",
            "plot_scores": "cranpm.plot.scores",
            "plot_series": "cranpm.plot.series",
            "plot_what_if": "cranpm.plot.what_if",
            "reading_orders": "cranpm.plot.steps",
            "region_map": "cranpm.plot.region",
            "regions_figure": "cranpm.plot.paper.year",
            "scatter_figure": "cranpm.plot.paper.scatter",
            "sector_arrows": "cranpm.plot.steps",
            "transfer_figure": "cranpm.plot.paper.transfer",
        },
    )
