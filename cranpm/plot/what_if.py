"""What a what-if changes: `cranpm.plot_what_if`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import holoviews as hv
import numpy as np
import xarray as xr

from cranpm.domain.regions import REGIONS, Region

from .style import SCALES, ColourScale, round_up
from .whole import plot_map

ALIKE = {
    "forecast_reference_time": "init day",
    "source": "source of data",
    "checkpoint_sha256": "checkpoint",
    "precision": "precision",
}
"""What a what-if shares with its forecast, or the difference would show more than the change; with words for it."""

PERCENTILE = 99.8
"""Of the absolute change; the scale ends there, so that a few cells do not pale all others."""


def plot_what_if(
    changed: xr.Dataset,
    forecast: xr.Dataset,
    *,
    lead: int | None = None,
    region: str | Region | None = None,
    limit: float | None = None,
    width: int = 600,
    title: str | None = None,
) -> hv.Element:
    """Draw a what-if minus its forecast: red where the change raises PM2.5.

    Parameters
    ----------
    changed : Dataset
        From ``cranpm.forecast(..., interventions=...)``; of all cells or of a region.
    forecast : Dataset
        From `cranpm.forecast` of the same day with the same data and checkpoint, on at least the same cells.
    lead : int, optional
        Lead time [days]; by default the shortest of the what-if.
    region : str or Region, optional
        A box to draw, with coast and borders; by default the region that was forecast, or all of the map.
    limit : float, optional
        End of the scale on both sides [ug m-3]; by default what all but a few cells stay within.
    width : int
        Of the map inside its frame [pixels].
    title : str, optional
        By default what was changed, and when.

    Returns
    -------
    hv.Image, or hv.Overlay for a region
        The difference [ug m-3]; NaN, and empty, where either has no value.

    Raises
    ------
    TypeError
        For something that is no forecast.
    ValueError
        If nothing was changed, or the two are of another day, checkpoint or source, or of other cells.

    Examples
    --------
    >>> import cranpm
    >>> base = cranpm.forecast("2022-01-11", leads=1, region="po_valley")
    >>> calm = cranpm.forecast("2022-01-11", leads=1, region="po_valley", interventions={"wind_scale": 0})
    >>> len(cranpm.plot_what_if(calm, base))  # the map, coasts and borders
    3
    """
    lead = _check(changed, forecast, lead)
    one, other = (maps["pm2p5"].sel(lead=lead) for maps in (changed, forecast))
    try:
        other = other.sel(latitude=one["latitude"], longitude=one["longitude"])
    except KeyError:
        raise ValueError(
            f"The forecast does not hold all cells of the what-if ({_box(one)}; forecast: {_box(other)}). "
            "Forecast the same region, or the whole map."
        ) from None
    difference = (one - other).assign_attrs(units="ug m-3")
    if title is None:
        day = np.datetime_as_string(one["time"].values, "D")
        what = f"What if: {changed.attrs['interventions']}"
        title = f"{what}\n{day}, T+{lead}, {changed.attrs.get('source', '')}".rstrip(", ")
    if region is None and changed.attrs.get("region"):
        region = REGIONS.get(changed.attrs["region"]) or _region(one)
    scale = _scale(difference.to_numpy(), limit)
    return plot_map(difference, region=region, scale=scale, width=width, title=title)


def _check(changed: Any, forecast: Any, lead: int | None) -> int:
    """The lead time to draw; refuses what cannot be compared."""
    for name, maps in (("what-if", changed), ("forecast", forecast)):
        if not isinstance(maps, xr.Dataset) or "pm2p5" not in maps:
            raise TypeError(
                f"plot_what_if takes two datasets that cranpm.forecast returns; the {name} is a "
                f"{type(maps).__name__}."
            )
    if not changed.attrs.get("interventions"):
        raise ValueError(
            "In the what-if nothing was changed: make it with cranpm.forecast(..., interventions={...})."
        )
    if forecast.attrs.get("interventions"):
        raise ValueError(
            f"The second is a what-if too ({forecast.attrs['interventions']}); give the plain forecast."
        )
    for name, words in ALIKE.items():
        values = [
            str(maps.coords[name].values if name in maps.coords else maps.attrs.get(name))
            for maps in (changed, forecast)
        ]
        if values[0] != values[1]:
            raise ValueError(f"The what-if has another {words} than the forecast: {values[0]}, {values[1]}.")
    held = [int(each) for each in changed["lead"].values if each in forecast["lead"].values]
    if not held:
        raise ValueError(
            f"The what-if has the leads {changed['lead'].values.tolist()}, the forecast "
            f"{forecast['lead'].values.tolist()}: none in common."
        )
    if lead is not None and lead not in held:
        raise ValueError(f"Both hold the leads {held}, got {lead!r}.")
    return held[0] if lead is None else lead


def _scale(difference: np.ndarray, limit: float | None) -> ColourScale:
    if limit is not None and not (np.isfinite(limit) and limit > 0):
        raise ValueError(f"limit must be a number above 0 [ug m-3], got {limit!r}.")
    known = np.abs(difference[np.isfinite(difference)])
    top = limit or round_up(max(float(np.percentile(known, PERCENTILE)) if known.size else 0.0, 0.01))
    return replace(SCALES["whatif"], low=-top, high=top, ticks=(-top, -top / 2, 0.0, top / 2, top))


def _region(field: xr.DataArray) -> Region:
    """The box of a map's own cells."""
    latitude, longitude = field["latitude"].to_numpy(), field["longitude"].to_numpy()
    return Region(
        name="map",
        title="Map",
        south=float(latitude.min()),
        north=float(latitude.max()),
        west=float(longitude.min()),
        east=float(longitude.max()),
    )


def _box(field: xr.DataArray) -> str:
    box = _region(field)
    return f"{box.south:.2f} to {box.north:.2f} N, {box.west:.2f} to {box.east:.2f} E"
