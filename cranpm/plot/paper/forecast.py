"""Figure 1: a forecast of a day, whole, and regions of it closer with what stations measured."""

from __future__ import annotations

from collections.abc import Sequence

import cartopy.crs as ccrs
import geoviews as gv
import holoviews as hv
import numpy as np
import pandas as pd
import xarray as xr

from cranpm.domain.regions import Region
from cranpm.verification.metrics import bias, rmse

from ..backend import load_bokeh
from ..frames import as_map, colour_options, values_at
from ..region import projection_of, region_map
from ..style import INK, ColourScale, scale_for
from .panels import arranged, boxes_in, extent_of, known_points, outlines

load_bokeh()

FOUR = ("po_valley", "paris", "malmo", "silesia")
"""The regions of the paper's figure."""

COLUMNS = ("latitude", "longitude", "pm2p5")
"""Of a table of what was measured on one day."""


def forecast_figure(
    forecast: xr.DataArray,
    observations: pd.DataFrame,
    *,
    regions: Sequence[str | Region] = FOUR,
    title: str = "forecast",
    data: str = "",
    width: int = 520,
) -> hv.Layout:
    """A map of a day with boxes, and each box closer, with stations in the same colours (Fig. 1 of the paper).

    Parameters
    ----------
    forecast : DataArray, dims (latitude, longitude)
        PM2.5 of one valid day [ug m-3], NaN where there is no value.
    observations : DataFrame
        ``latitude``, ``longitude`` [degrees] and ``pm2p5`` [ug m-3], one row a station, of that day; rows without a
        value are not drawn. Such as ``data.stations().merge(data.observations(day), on="station_id")``.
    regions : sequence of str or Region
        Boxes, by name (`cranpm.list_regions`) or your own.
    title : str
        Of the whole map, such as "CRAN-PM demo, T+1".
    data : str
        What the data are called, for the title; say there that they are simulated.
    width : int
        Of the whole map inside its frame [pixels].

    Returns
    -------
    hv.Layout
        The whole map on the left, two regions a row beside it. Titles tell RMSE and bias (forecast minus station) over
        the stations in the box whose cell has a forecast, and how many there are. The one colour bar is the whole
        map's.

    Raises
    ------
    ValueError
        If no station in the regions has a value, a column is missing, the observations are of another day, or a region
        lies outside the map.
    """
    field = as_map(forecast, "forecast_figure")
    boxes = boxes_in(field, regions)
    known = _known(observations, field)
    inside = [
        known[box.contains(known["latitude"].to_numpy(), known["longitude"].to_numpy())] for box in boxes
    ]
    if not any(map(len, inside)):
        raise ValueError(
            f"No station has a value in {', '.join(box.title for box in boxes)}: the table holds {len(observations)} "
            f"rows, {len(known)} with a value. Give the observations of the forecast's valid day."
        )
    scale = scale_for("forecast", "continuous")
    whole = extent_of(field)
    projection = projection_of(whole)
    day = str(np.datetime_as_string(field["time"].values, "D")) if "time" in field.coords else ""
    letters = [chr(ord("b") + number) for number in range(len(boxes))]
    picture = region_map(
        field,
        whole,
        scale=scale,
        width=width,
        title="(a) " + ", ".join(part for part in (title, day, data) if part),
        marks=outlines(boxes, letters, projection),
    )
    rows = -(-len(boxes) // 2)
    pictures: list[hv.Element] = [picture.opts(hv.opts.Overlay(fontsize={"title": 10}))]
    close = [
        _close(field, box, stations, scale, f"({letter}) {box.title}", width // 2)
        for box, stations, letter in zip(boxes, inside, letters, strict=True)
    ]
    for number in range(rows):
        if number:
            pictures.append(hv.Empty())  # under the whole map
        row = close[2 * number : 2 * number + 2]
        pictures += row + [hv.Empty()] * (2 - len(row))
    return arranged(pictures, 3, {0: (rows, 1)})


def _known(observations: pd.DataFrame, field: xr.DataArray) -> pd.DataFrame:
    """Stations with a value, and the forecast's value in the cell that each lies in as ``forecast``."""
    missing = [name for name in COLUMNS if name not in observations]
    if missing:
        raise ValueError(
            f"Observations need the columns {', '.join(COLUMNS)}; {missing[0]!r} is not among "
            f"{', '.join(map(str, observations.columns))}."
        )
    if "time" in observations and "time" in field.coords:
        day = field["time"].values.astype("datetime64[D]")
        other = observations["time"].to_numpy().astype("datetime64[D]")
        if (other != day).any():
            raise ValueError(
                f"The forecast is valid on {day}, the table holds observations of {other[other != day][0]}; "
                f"select one day, such as data.observations('{day}')."
            )
    known = observations[np.isfinite(observations["pm2p5"].to_numpy(np.float64))]
    places = (known[name].to_numpy(np.float64) for name in ("latitude", "longitude"))
    return known.assign(forecast=values_at(field, *places))


def _close(
    field: xr.DataArray, box: Region, stations: pd.DataFrame, scale: ColourScale, name: str, width: int
) -> hv.Overlay:
    projection = projection_of(box)
    return region_map(
        field,
        box,
        scale=scale,
        width=width,
        title=f"{name}\n{_scores(stations)}",
        marks=[_circles(stations, scale, projection)],
        colour_bar=False,
    ).opts(hv.opts.Overlay(fontsize={"title": 8}))


def _scores(stations: pd.DataFrame) -> str:
    pairs = stations.dropna(subset=["forecast"])
    if pairs.empty:
        return "no station with a value"
    values = pairs["forecast"].to_numpy(), pairs["pm2p5"].to_numpy()
    return f"RMSE {rmse(*values):.2f}, bias {bias(*values):+.2f} µg/m³, n = {len(pairs)}"


def _circles(stations: pd.DataFrame, scale: ColourScale, projection: ccrs.Projection) -> hv.Element:
    there = known_points(stations, projection)[["x", "y", "pm2p5", "forecast"]]
    value = hv.Dimension("pm2p5", label="Station", unit=scale.units)
    ours = hv.Dimension("forecast", label="Forecast", unit=scale.units)
    return gv.Points(there, ["x", "y"], [value, ours], crs=projection).opts(
        projection=projection,
        color="pm2p5",
        size=7,
        line_color=INK,
        line_width=0.8,
        tools=["hover"],
        **colour_options(scale) | {"colorbar": False},
    )
