"""Sub-daily fields of any product -> daily channels on the coarse grid."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Literal

import numpy as np
import xarray as xr

from cranpm.data.errors import DataFileError, NotThisProductError, TimeAxisError, UnitsError
from cranpm.data.regrid.daily import daily_values, whole_days
from cranpm.data.regrid.gridding import overlap, place
from cranpm.data.units import check_range, conversion
from cranpm.domain.channels import Channel
from cranpm.domain.grid import Grid

log = logging.getLogger(__name__)

AMOUNTS = ("tp",)
"""Variables that are summed over the day; all others are averaged."""

_CONTINENT = 20_000
"""Nodes of a region so large (5 million km2 at 0.25 degrees) that it rains somewhere every day."""

_LEAST_RAIN, _MOST_RAIN = 0.5, 400.0
"""What the wettest node of a continent exceeds on any day, and what no region's median does [mm]."""

_DRY = -0.1
"""Packing noise below zero that still means dry [mm a day]."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class PlausibleValues:
    """What values can be true, in house units; a channel's name counts before its variable's."""

    daily: Mapping[str, tuple[float, float]]
    """Lowest and highest of daily values."""
    steps: Mapping[str, tuple[float, float]] = dataclasses.field(default_factory=dict)
    """The same for single steps: one hour of 0 K hides in the mean of 24."""
    medians_above: Mapping[str, float] = dataclasses.field(default_factory=dict)
    """What a day's median must exceed: a concentration of 1e-8 is in range, but only in other units."""


def choose(found: list[Channel], names: Iterable[str] | None, *, source: str) -> list[Channel]:
    """Channels that are wanted and there, in the project's order.

    Raises
    ------
    NotThisProductError
        If a wanted channel is not there, or none is.
    """
    have = ", ".join(channel.name for channel in found) or "none of the project's channels"
    wanted = {channel.name for channel in found} if names is None else set(names)
    missing = sorted(wanted - {channel.name for channel in found})
    if missing or not found:
        msg = f"{source}: expected {', '.join(missing) or 'at least one channel'}; got {have}. Download those too."
        raise NotThisProductError(msg)
    return [channel for channel in found if channel.name in wanted]


def daily_channels(
    fields: Mapping[Channel, xr.DataArray],
    grid: Grid,
    *,
    plausible: PlausibleValues,
    days: np.ndarray | None,
    min_share: float = 0.9,
    incomplete: Literal["raise", "nan"] = "raise",
    interpolate: bool,
    source: str,
) -> xr.DataArray:
    """Daily means and sums, converted, checked and placed on the grid; NaN where the fields do not reach.

    Parameters
    ----------
    fields : mapping of Channel to DataArray
        Steps of each channel, dims (time, latitude, longitude), with their units as an attribute.
    plausible : PlausibleValues
        Others are refused.
    days, min_share, incomplete, interpolate : optional
        As :func:`cranpm.data.readers.era5.daily_coarse` describes them.

    Returns
    -------
    DataArray, dims (time, channel, latitude, longitude), float32
    """
    for channel, field in fields.items():
        overlap(grid, field["latitude"].values, field["longitude"].values, name=f"{source} {channel.name}")
    days = _all_days(fields) if days is None else np.asarray(days, dtype="datetime64[D]")
    data = np.full((days.size, len(fields), *grid.shape), np.nan, dtype=np.float32)
    for position, (channel, field) in enumerate(fields.items()):
        factor, offset = conversion(field.attrs.get("units"), channel.units, name=channel.name)
        if (factor, offset) != (1.0, 0.0):
            log.info("%s: converted from %s to %s.", channel.name, field.attrs.get("units"), channel.units)
        accumulated = channel.variable in AMOUNTS
        values = daily_values(
            field,
            days,
            accumulated=accumulated,
            min_share=min_share,
            incomplete=incomplete,
            name=channel.name,
            check=partial(
                _check_steps, factor=factor, offset=offset, channel=channel, ranges=plausible.steps
            ),
        )
        values = _checked(values * factor + offset, channel, plausible)
        places = field["latitude"].values, field["longitude"].values
        data[:, position] = place(grid, values, *places, interpolate=interpolate, name=channel.name)
    coords = {
        "time": days.astype("datetime64[ns]"),
        "channel": [channel.name for channel in fields],
        "units": ("channel", [channel.units for channel in fields]),
        "latitude": grid.lat,
        "longitude": grid.lon,
    }
    dims = ("time", "channel", "latitude", "longitude")
    return xr.DataArray(data, dims=dims, coords=coords, attrs={"source": source, "interpolated": interpolate})


def _range_of(channel: Channel, ranges: Mapping[str, tuple[float, float]]) -> tuple[float, float]:
    return ranges.get(channel.name, ranges.get(channel.variable, (-np.inf, np.inf)))


def _check_steps(
    steps: np.ndarray,
    *,
    factor: float,
    offset: float,
    channel: Channel,
    ranges: Mapping[str, tuple[float, float]],
) -> None:
    """Refuse a day of which a single step holds what cannot be."""
    low, high = _range_of(channel, ranges)
    low = min(low, _DRY) if channel.variable in AMOUNTS else low
    check_range(steps * factor + offset, low, high, channel.units, name=channel.name)


def _all_days(fields: Mapping[Channel, xr.DataArray]) -> np.ndarray:
    found = [
        whole_days(field["time"].values, accumulated=channel.variable in AMOUNTS)
        for channel, field in fields.items()
    ]
    days = np.unique(np.concatenate(found))
    if not days.size:
        msg = (
            "No day has more than one time, so no daily value can be made. Request hourly data, all 24 hours."
        )
        raise TimeAxisError(msg)
    return days


def _checked(values: np.ndarray, channel: Channel, plausible: PlausibleValues) -> np.ndarray:
    """Values that can be true; the packing noise of a dry day (-1e-16 mm) becomes dry, a gap stays a gap."""
    if channel.variable in AMOUNTS:
        values = np.where((values < 0) & (values > _DRY), 0.0, values)
    check_range(values, *_range_of(channel, plausible.daily), channel.units, name=channel.name)
    if channel.variable in AMOUNTS:
        _refuse_other_depths(values, channel)
    for field in values if channel.variable not in AMOUNTS else ():
        finite = field[~np.isnan(field)]
        if finite.size > 8 and finite.min() == finite.max():
            raise DataFileError(
                f"{channel.name}: a whole day has the one value {finite[0]:g}; the file is damaged."
            )
        floor = plausible.medians_above.get(channel.variable, -np.inf)
        if finite.size and np.median(finite) < floor:
            msg = (
                f"{channel.name}: expected a day's median above {floor:g} {channel.units}, got {np.median(finite):g}. "
                "The values are in other units than the file states; nothing was converted."
            )
            raise UnitsError(msg)
    return values


def _refuse_other_depths(values: np.ndarray, channel: Channel) -> None:
    """Metres that say millimetres make a continent dry, millimetres that say metres drown it; both are in range."""
    for field in values:
        finite = field[~np.isnan(field)]
        if finite.size > _CONTINENT and finite.max() < _LEAST_RAIN:
            said = f"somewhere above {_LEAST_RAIN:g} {channel.units}, got {finite.max():.3g}"
        elif finite.size > 8 and np.median(finite) > _MOST_RAIN:
            said = f"a median below {_MOST_RAIN:g} {channel.units}, got {np.median(finite):.3g}"
        else:
            continue
        msg = f"{channel.name}: expected a day's amount {said}. The values are in other units than the file states."
        raise UnitsError(f"{msg} Nothing was converted.")
