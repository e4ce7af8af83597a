"""ERA5 files as people have them on disk -> the 30 daily coarse channels.

Expected: hourly or 6-hourly fields of ``reanalysis-era5-single-levels`` or ``-pressure-levels``, in the old layout of
the Climate Data Store (packed int16), the new one (float32, one file or a zip of an instant/accum pair), or GRIB.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import xarray as xr

from cranpm.data.errors import DataFileError, NotThisProductError, TimeAxisError
from cranpm.data.files.openers import open_lazily
from cranpm.data.readers.identity import Identity, identify
from cranpm.data.readers.layout import of_variables, standardise
from cranpm.data.readers.members import merge_members
from cranpm.data.readers.periods import refuse_months, refuse_other_bounds, refuse_sums_since_midnight
from cranpm.data.readers.preliminary import joint_attrs
from cranpm.data.readers.products import ERA5
from cranpm.data.readers.surface import hours_ahead
from cranpm.data.regrid.coarse import AMOUNTS, PlausibleValues, choose, daily_channels
from cranpm.data.regrid.daily import join_times
from cranpm.domain.channels import ERA5_CHANNELS, Channel
from cranpm.domain.grid import COARSE_BOX, Grid

_LONG_NAMES = {
    "10m_u_component_of_wind": "u10",
    "10m_v_component_of_wind": "v10",
    "2m_temperature": "t2m",
    "surface_pressure": "sp",
    "total_precipitation": "tp",
    "temperature": "t",
    "u_component_of_wind": "u",
    "v_component_of_wind": "v",
    "specific_humidity": "q",
    "geopotential": "z",
}
_VARIABLES = tuple(dict.fromkeys(channel.variable for channel in ERA5_CHANNELS))
_ON_LEVELS = {channel.variable for channel in ERA5_CHANNELS if channel.level is not None}
_RANGES = {
    "u10": (-60, 60),
    "v10": (-60, 60),
    "t2m": (200, 330),
    "sp": (45_000, 110_000),
    "tp": (0, 1000),
    "t": (180, 330),
    "u": (-150, 150),
    "v": (-150, 150),
    "q": (-1e-3, 0.05),
    "z": (-8_000, 75_000),
    # by level, or a height in metres would pass for a geopotential
    "z_1000": (-8_000, 10_000),
    "z_925": (0, 17_000),
    "z_850": (6_000, 22_000),
    "z_700": (20_000, 38_000),
    "z_500": (42_000, 65_000),
}
"""Values that Europe and its surroundings can have, hours and days alike, in house units."""

_LONGEST_AMOUNT = 18
"""Hours that ERA5's own short forecasts, which amounts come from, run ahead at most."""


def open_era5(path: str | Path) -> xr.Dataset:
    """The channels' variables of one file or archive, under house names, values still on disk.

    Returns
    -------
    Dataset
        Those of u10, v10, t2m, sp, tp (time, latitude, longitude) and t, u, v, q, z (time, level, latitude,
        longitude) that are there, in the file's units.

    Raises
    ------
    DataFileError
        Or one of its kinds, saying what was expected, what was found and what to do.
    """
    name, members = Path(path).name, open_era5_members(path)
    first = members[0]
    if any(not np.array_equal(first["time"].values, other["time"].values) for other in members[1:]):
        msg = (
            f"{name}: its members hold different times. Open them with open_era5_members and hand the "
            "list to daily_coarse."
        )
        raise TimeAxisError(msg)
    return merge_members(members, name=name)


def open_era5_members(path: str | Path) -> list[xr.Dataset]:
    """As :func:`open_era5`, one dataset per member of an archive that holds any of the variables."""
    name = Path(path).name
    opened = open_lazily(path)
    members = [member for dataset in opened if (member := _open_member(dataset, name)) is not None]
    if not members:
        found = sorted({_described(dataset, str(v)) for dataset in opened for v in dataset.data_vars})
        raise NotThisProductError(
            f"{name}: expected some of {', '.join(_VARIABLES)}, got {', '.join(found) or 'none'}."
        )
    return members


def _open_member(dataset: xr.Dataset, name: str) -> xr.Dataset | None:
    """The member's variables in order, None if it holds none; refused if it is no hourly reanalysis."""
    source = str(dataset.encoding.get("source", name))
    variables = {v: house for v in map(str, dataset.data_vars) if (house := _house_name(dataset, v))}
    if not variables:
        return None
    identity = identify(dataset, ERA5, name=source, variables=variables)
    for held, house in variables.items():
        refuse_other_bounds(dataset, held, is_amount=house in AMOUNTS, name=source)
    _refuse_forecasts(dataset, set(variables.values()), name=source)
    member = standardise(_with_version(of_variables(dataset, variables), identity), name=source)
    keep = [v for v in _VARIABLES if v in member]
    member = member[keep].assign_attrs(identity.attrs)
    member.encoding["source"] = source
    refuse_months(member["time"].values, identity, name=source)
    for amount in set(AMOUNTS) & set(keep):
        refuse_sums_since_midnight(member[amount], name=f"{source} {amount}")
    return member


def _refuse_forecasts(dataset: xr.Dataset, variables: set[str], *, name: str) -> None:
    """Steps ahead of a run: amounts are made by short forecasts, everything else of the reanalysis has none."""
    hours = hours_ahead(dataset)
    longest = _LONGEST_AMOUNT if variables <= set(AMOUNTS) else 0
    if hours is not None and hours.max() > longest:
        msg = (
            f"{name} holds steps {hours.min():g} to {hours.max():g} h ahead of their runs, a forecast; expected "
            f"{ERA5.title}. {ERA5.remedy}"
        )
        raise NotThisProductError(msg)


def _with_version(dataset: xr.Dataset, identity: Identity) -> xr.Dataset:
    """The version as a coordinate, which says more, or else what the file says of all its hours."""
    stated = identity.values("version")
    if "expver" in dataset.variables or "expver" in dataset.dims or len(stated) != 1:
        return dataset
    return dataset.assign_coords(expver=stated[0])


def _house_name(dataset: xr.Dataset, variable: str) -> str | None:
    """What a variable is called here, None if it is not used: a z without levels is the surface's, another thing."""
    house = _LONG_NAMES.get(variable, variable)
    levels = {"level", "pressure_level", "isobaricInhPa", "plev"}
    on_levels = bool(levels & {*dataset[variable].dims, *dataset[variable].coords})
    return house if house in _VARIABLES and (house in _ON_LEVELS) == on_levels else None


def _described(dataset: xr.Dataset, variable: str) -> str:
    kinds = [k for k in ("hybrid", "model_level", "theta") if k in (*dataset[variable].dims, *dataset.coords)]
    return f"{variable} on {kinds[0]} levels" if kinds else variable


def daily_coarse(
    datasets: xr.Dataset | Sequence[xr.Dataset],
    grid: Grid = COARSE_BOX,
    *,
    channels: Iterable[str] | None = None,
    days: np.ndarray | None = None,
    min_share: float = 0.9,
    incomplete: Literal["raise", "nan"] = "raise",
    interpolate: bool = False,
) -> xr.DataArray:
    """Daily ERA5 channels on the coarse grid: means of UTC days, precipitation as the day's sum.

    Parameters
    ----------
    datasets : Dataset or sequence of Dataset
        From :func:`open_era5`: surface, levels and precipitation may lie in different files, successive months too.
    grid : Grid
        Nodes wanted; those that the data do not cover are NaN.
    channels : iterable of str, optional
        Names wanted, such as ``("u10", "t_850")``; a wanted channel that is not there is an error. Default: all that
        the data hold.
    days : array of datetime64[D], optional
        Default: every day with more than one step.
    min_share : float
        Share of a day's steps that a mean needs; a sum needs all 24.
    incomplete : {"raise", "nan"}
        What a day with fewer steps gives.
    interpolate : bool
        Whether data between the nodes may be interpolated bilinearly; otherwise they are refused.

    Returns
    -------
    DataArray, dims (time, channel, latitude, longitude), float32
        In house units (m s-1, K, Pa, mm, kg kg-1, m2 s-2), channels in the project's order.

    Raises
    ------
    DataFileError
        Or one of its kinds: outside the domain, off its nodes, missing hours, unknown units, impossible values.
    """
    datasets = [datasets] if isinstance(datasets, xr.Dataset) else list(datasets)
    found = [channel for channel in ERA5_CHANNELS if any(_holds(dataset, channel) for dataset in datasets)]
    daily = daily_channels(
        {channel: _field(channel, datasets) for channel in choose(found, channels, source="ERA5")},
        grid,
        plausible=PlausibleValues(daily=_RANGES, steps=_RANGES),
        days=days,
        min_share=min_share,
        incomplete=incomplete,
        interpolate=interpolate,
        source="ERA5",
    )
    known = joint_attrs([dataset.attrs for dataset in datasets])
    return daily.rename("era5").assign_attrs({k: v for k, v in known.items() if k.startswith("preliminary")})


def _holds(dataset: xr.Dataset, channel: Channel) -> bool:
    if channel.variable not in dataset.data_vars:
        return False
    return channel.level is None or bool((dataset["level"] == channel.level).any())


def _field(channel: Channel, datasets: list[xr.Dataset]) -> xr.DataArray:
    parts = [dataset[channel.variable] for dataset in datasets if _holds(dataset, channel)]
    if channel.level is not None:
        parts = [part.sel(level=channel.level, drop=True) for part in parts]
    units = {str(part.attrs.get("units")) for part in parts}
    if len(units) > 1:
        raise DataFileError(f"{channel.name}: files state different units ({', '.join(sorted(units))}).")
    return join_times(parts, name=channel.name)
