"""The products that are read here, by what their files state about themselves.

Taken from ECMWF's, Copernicus' and the authors' documentation and from real files (docs/data.md says which were seen).
"""

from __future__ import annotations

import numpy as np

from cranpm.data.readers.identity import Product

_SINGLE = {"member": ("0",), "members": ("0", "1")}
"""One field a time, no ensemble."""

_HOURLY = {"period": ("hourly",), "statistic": ("point", "instant")}

ERA5 = Product(
    title="the hourly reanalysis ERA5",
    remedy="Request product_type reanalysis of reanalysis-era5-single-levels or -pressure-levels.",
    allowed={
        "class": ("ea",),
        "stream": ("oper",),
        "type": ("an",),
        "type of tp": ("fc",),
        **_SINGLE,
        **_HOURLY,
        "statistic of tp": ("sum", "point"),
        "step type": ("instant",),
        "step type of tp": ("accum",),
        "accumulation of tp": ("1",),
        "level type": ("surface", "heightAboveGround"),
        "height of t2m": ("2",),
        "height of u10": ("10",),
        "height of v10": ("10",),
        **{f"level type of {name}": ("isobaricInhPa", "isobaricInPa") for name in ("t", "u", "v", "q", "z")},
        "version": ("1", "5"),
    },
    # the reanalysis itself has 0.25, ERA5-Land 0.1
    refused={"spacing": ("0.1",), "archive": ("reanalysis-era5-land",)},
    known_by=("stream", "type", "step type", "level type", "version"),
)

_CAMS_GLOBAL = {
    "class": ("mc",),
    "stream": ("oper",),
    **_SINGLE,
    **_HOURLY,
    "step type": ("instant",),
    "level type": ("surface", "hybrid"),
}
_GLOBAL_KNOWN_BY = ("stream", "type", "step type", "spacing")

GLOBAL_FORECASTS = Product(
    title="the CAMS global forecasts at the surface",
    remedy="Request cams-global-atmospheric-composition-forecasts, gases at the lowest model level.",
    allowed={"type": ("fc", "an"), **_CAMS_GLOBAL, "spacing": ("0.4",)},
    refused={"version": ("eac4", "egg4")},
    known_by=_GLOBAL_KNOWN_BY,
)

EAC4 = Product(
    title="the CAMS reanalysis EAC4 at the surface",
    remedy="Request cams-global-reanalysis-eac4, gases at model level 60.",
    allowed={"type": ("an",), **_CAMS_GLOBAL, "spacing": ("0.75",)},
    refused={"version": ("egg4",)},
    known_by=_GLOBAL_KNOWN_BY,
)

_EUROPE = {
    "model": ("ENSEMBLE",),
    **_SINGLE,
    **_HOURLY,
    "level type": ("height", "surface"),
    "level": ("0 m",),
    "spacing": ("0.1",),
}
_EUROPE_KNOWN_BY = ("type", "model", "spacing")

EUROPE_ANALYSIS = Product(
    title="the hourly analysis of the CAMS European ensemble at the surface",
    remedy="Request cams-europe-air-quality-forecasts with type analysis, model ensemble, level 0.",
    allowed={"type": ("analysis",), **_EUROPE},
    known_by=_EUROPE_KNOWN_BY,
)

EUROPE_FORECAST = Product(
    title="a forecast of the CAMS European ensemble at the surface",
    remedy=(
        "Request cams-europe-air-quality-forecasts with type forecast, model ensemble, level 0, one run a file; an "
        "analysis has seen the days that a forecast has to foretell."
    ),
    allowed={"type": ("forecast",), **_EUROPE},
    known_by=_EUROPE_KNOWN_BY,
)

EUROPE_REANALYSIS = Product(
    title="the reanalysis of the CAMS European ensemble at the surface",
    remedy="Request cams-europe-air-quality-reanalyses with model ensemble, level 0.",
    allowed={"type": ("reanalysis", "validated reanalysis", "interim reanalysis"), **_EUROPE},
    known_by=_EUROPE_KNOWN_BY,
)

EUROPE = (EUROPE_ANALYSIS, EUROPE_FORECAST, EUROPE_REANALYSIS)

CAMS_REGRIDDED = Product(
    title="CAMS at the surface, on another grid than its own",
    remedy="Request a CAMS product at the surface, on its own grid if you can.",
    allowed={"type": ("fc", "an"), **_CAMS_GLOBAL},
    refused={"spacing": ("0.1", "0.4", "0.75")},
    known_by=_GLOBAL_KNOWN_BY,
)
"""What somebody interpolated; the products' own grids are told apart above."""

LEVELS_CHANGE = np.datetime64("2019-07-09")
"""From this day the global CAMS forecasts have 137 levels, 60 before; the lowest one is the surface."""


def lowest_model_level(day: np.datetime64) -> int:
    """Number of the model level of the global forecasts that is the surface.

    Examples
    --------
    >>> lowest_model_level(np.datetime64("2019-07-08")), lowest_model_level(np.datetime64("2019-07-09"))
    (60, 137)
    """
    return 137 if day >= LEVELS_CHANGE else 60


BY_SOURCE = {"cams-global-forecasts": GLOBAL_FORECASTS, "cams-eac4": EAC4}
"""Sources of the manifest that a day's composition is made of."""

GHAP = Product(
    title="daily GHAP PM2.5 at 1 km",
    remedy="Fetch ghap-pm25-d1k, whose files are called GHAP_PM2.5_D1K_YYYYMMDD_V1.nc.",
    allowed={
        "archive": ("GHAP",),
        "quantity": ("pm2p5",),
        "period": ("daily",),
        "spacing": ("1K", "0.01"),
        "statistic": ("mean",),
    },
    known_by=("archive", "quantity", "period", "day"),
)

ELEVATION = Product(
    title="the mean height of the ground above the sea",
    remedy="Fetch elevation-etopo-2022, or give GMTED2010's mean or tiles of GLO-90 or SRTM.",
    allowed={
        "surface": ("surface", "DEM", "dem", "hgt"),
        "statistic": ("mean",),
        "statistic of an area": ("mean", "point"),
        "quantity": ("elevation",),
    },
    refused={"positive": ("down",)},
    known_by=("quantity", "surface"),
)
