"""CAMS-Europe as a rehearsal needs it: analyses and forecasts of the ensemble in their own layout, invented values.

The real product always covers all of Europe; here it ends a degree beyond the domain.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from cranpm.data.rehearsal_files import plane, zipped
from cranpm.domain import Grid

LEVEL = 15.0
"""Typical PM2.5 [ug m-3]; a day's values are this times `plane` of that day."""

MARGIN = 1.0
_FILL = np.float32(-999.0)


def cams_europe_file(request: dict[str, Any], box: Grid) -> bytes:
    """What the Atmosphere Data Store sends: 0.1-degree cells, longitudes 0..360, times without a calendar.

    The first row is missing, as the product's rim may be.
    """
    first, last = (np.datetime64(day, "D") for day in request["date"][0].split("/"))
    kind = str(request["type"][0]).upper()
    days = np.arange(first, last + 1)
    starts = [int((day - first).astype(int)) * 24 + int(text[:2]) for day in days for text in request["time"]]
    hours = np.array([s + int(step) for s in starts for step in request["leadtime_hour"]])
    lat, lon = _centres(box.extent[3], box.extent[1]), _centres(box.extent[2], box.extent[0])[::-1]
    day = (first + (hours // 24).astype("timedelta64[D]")).astype(int)
    field = (LEVEL * plane(lat, lon, day[:, None, None])).astype(np.float32)
    field[:, 0] = _FILL
    time = ("time", hours.astype(np.float32), _said(kind, first))
    coords = {"time": time, "level": np.zeros(1, np.float32), "latitude": lat, "longitude": lon % 360}
    dims = ("time", "level", "latitude", "longitude")
    attrs = {"units": "µg/m3", "species": "PM2.5 Aerosol", "value": "hourly values"}
    dataset = xr.Dataset(
        {"pm2p5_conc": (dims, field[:, None], attrs)},
        coords,
        {"title": f"PM25 Air Pollutant {kind} at the Surface", "source": "Data from ENSEMBLE model"},
    )
    encoding = {"pm2p5_conc": {"_FillValue": _FILL, "zlib": True, "complevel": 1}}
    return zipped({f"ENS_{kind}.nc": bytes(dataset.to_netcdf(engine="h5netcdf", encoding=encoding))})


def _said(kind: str, first: np.datetime64) -> dict[str, str]:
    return {"long_name": f"{kind} time from {str(first).replace('-', '')}", "units": "hours"}


def _centres(high: float, low: float) -> np.ndarray:
    """Centres on x.x5, from high to low, a margin beyond both."""
    top = np.round(high + MARGIN, 1) - 0.05
    return np.round(top - 0.1 * np.arange(round((high - low + 2 * MARGIN) / 0.1)), 2)
