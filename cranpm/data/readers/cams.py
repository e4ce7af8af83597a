"""CAMS files as people have them on disk -> the 5 daily coarse channels.

Expected: surface concentrations of the global forecasts, of EAC4, or of the European ensemble. Total columns are
another quantity and are refused; mixing ratios need the density of air, which the file does not hold.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import xarray as xr

from cranpm.data.errors import NotThisProductError, TimeAxisError, UnitsError
from cranpm.data.files.openers import open_lazily
from cranpm.data.readers.identity import Allowed, Product, identify
from cranpm.data.readers.layout import of_variables, standardise
from cranpm.data.readers.members import merge_members
from cranpm.data.readers.periods import refuse_months
from cranpm.data.readers.products import (
    CAMS_REGRIDDED,
    EAC4,
    EUROPE_ANALYSIS,
    EUROPE_FORECAST,
    EUROPE_REANALYSIS,
    GLOBAL_FORECASTS,
)
from cranpm.data.readers.surface import at_surface, refuse_long_leads
from cranpm.data.regrid.coarse import PlausibleValues, choose, daily_channels
from cranpm.data.regrid.daily import join_times
from cranpm.data.regrid.density import to_concentration
from cranpm.data.units import MASS_CONCENTRATION
from cranpm.domain.channels import CAMS_CHANNELS
from cranpm.domain.grid import COARSE_BOX, Grid

log = logging.getLogger(__name__)

_NAMES = {"go3": "o3", **{f"{channel.name}_conc": channel.name for channel in CAMS_CHANNELS}}
_PRODUCTS = (GLOBAL_FORECASTS, EAC4, EUROPE_ANALYSIS, EUROPE_FORECAST, EUROPE_REANALYSIS, CAMS_REGRIDDED)
_SPECIES = tuple(channel.name for channel in CAMS_CHANNELS)
_COLUMNS = re.compile(r"^(tc|gtc)")
_FILL = -900.0
"""The European products fill with -999; no concentration lies below this."""

_RANGES = {"pm2p5": (0, 5e3), "pm10": (0, 2e4), "no2": (0, 1e3), "o3": (0, 1e3), "co": (0, 5e4)}
"""Daily values that can be true [ug m-3]; desert dust makes thousands of PM10."""

_STEP_RANGES = {name: (-1.0, 10 * high) for name, (_, high) in _RANGES.items()}
"""Values of single hours: a fire's plume for an hour, and what interpolation leaves below zero."""

_FLOORS = {"pm2p5": 0.01, "pm10": 0.01, "no2": 1e-4, "o3": 0.1, "co": 1.0}
"""What a day's median exceeds everywhere on Earth [ug m-3]; kg m-3 taken for ug m-3 lie a billion times lower."""


def open_cams(
    path: str | Path,
    *,
    weather: xr.Dataset | None = None,
    day: np.datetime64 | None = None,
    product: Product | None = None,
    asked: Allowed | None = None,
    species: str | None = None,
    longest_lead: int | None = None,
) -> xr.Dataset:
    """Surface concentrations of one file or archive in ug m-3; fill values become missing, which reads the values.

    Parameters
    ----------
    weather : Dataset, optional
        ``sp`` [Pa] and ``t2m`` [K] of the same days (from :func:`cranpm.data.readers.era5.open_era5`), for the density
        of air that mixing ratios need; without it they are refused.
    day : datetime64, optional
        Read the times of this UTC day only; a month's file is long.
    product : Product, optional
        The one of :mod:`cranpm.data.readers.products` that it has to be; by default any that CAMS has of the surface,
        and ``attrs["product"]`` tells which it is.
    asked : mapping, optional
        What else it has to state, see :func:`cranpm.data.readers.identity.identify`.
    species : str, optional
        The one channel that is wanted, which has to be there; by default all that are.
    longest_lead : int, optional
        Hours after its run's start that a step may lie; later ones are another day's forecast.

    Returns
    -------
    Dataset
        Those of pm2p5, pm10, no2, o3, co that are there, dims (time, latitude, longitude).

    Raises
    ------
    DataFileError
        Or one of its kinds, saying what was expected, what was found and what to do.
    """
    wanted = _Wanted(
        products=(product,) if product else _PRODUCTS,
        species=(species,) if species else _SPECIES,
        asked=asked or {},
        longest_lead=longest_lead,
        day=day,
    )
    return _merged(open_lazily(path), Path(path).name, weather, wanted)


def describe_cams(
    path: str | Path, *, product: Product, species: str | None = None, longest_lead: int | None = None
) -> dict[str, str]:
    """What a file is, see :func:`open_cams`, without reading a value: its product, and what it does not state.

    Raises
    ------
    DataFileError
        Or one of its kinds, if it is something else.
    """
    wanted = _Wanted(
        products=(product,),
        species=(species,) if species else _SPECIES,
        longest_lead=longest_lead,
        only_described=True,
    )
    name = Path(path).name
    return _of_members([m.attrs for m in _members(open_lazily(path), name, None, wanted)])


def _of_members(attrs: Sequence[dict[str, str]]) -> dict[str, str]:
    left = dict.fromkeys(part for a in attrs for part in a["not_stated"].split(", ") if part)
    return {**attrs[0], "not_stated": ", ".join(left)}


def open_cams_run(path: str | Path, start: np.datetime64) -> xr.Dataset:
    """As :func:`open_cams`, the steps of one run of the global forecasts only: runs of successive days overlap in time.

    Raises
    ------
    TimeAxisError
        If the file holds no run that started at ``start``.
    """
    name, chosen = Path(path).name, []
    for dataset in open_lazily(path):
        source = dataset.encoding.get("source")
        # GRIB calls the start of a run "time"
        run = "time" if "step" in dataset.coords and "time" in dataset.coords else "forecast_reference_time"
        if run in dataset.coords and dataset[run].ndim == 0:
            dataset = dataset.expand_dims(run)
        if run not in dataset.dims or ("valid_time" not in dataset.variables):
            got = tuple(map(str, dataset.sizes))
            raise TimeAxisError(f"{name}: expected runs (forecast_reference_time), got dimensions {got}.")
        (found,) = np.nonzero(dataset[run].values == start.astype("datetime64[ns]"))
        if not found.size:
            runs = dataset[run].values.astype("datetime64[h]")
            raise TimeAxisError(f"{name}: expected a run of {start}, it has {runs.min()} to {runs.max()}.")
        chosen.append(dataset.isel({run: found[:1]}))
        chosen[-1].encoding["source"] = source
    return _merged(chosen, name, None, _Wanted(products=(GLOBAL_FORECASTS,)))


@dataclass(frozen=True, kw_only=True)
class _Wanted:
    """What a file has to be."""

    products: Sequence[Product]
    species: Sequence[str] = _SPECIES
    asked: Allowed = field(default_factory=dict)
    longest_lead: int | None = None
    day: np.datetime64 | None = None
    only_described: bool = False


def _merged(
    opened: Sequence[xr.Dataset], name: str, weather: xr.Dataset | None, wanted: _Wanted
) -> xr.Dataset:
    return merge_members(_members(opened, name, weather, wanted), name=name)


def _members(
    opened: Sequence[xr.Dataset], name: str, weather: xr.Dataset | None, wanted: _Wanted
) -> list[xr.Dataset]:
    members = [member for d in opened if (member := _open_member(d, name, weather, wanted)) is not None]
    if not members:
        held = [str(v) for dataset in opened for v in dataset.data_vars]
        found = ", ".join(dict.fromkeys(_NAMES.get(v, v) for v in held)) or "nothing"
        msg = f"{name} holds no surface concentration of {' or '.join(wanted.species)}, but {found}."
        raise NotThisProductError(f"{msg} {wanted.products[0].remedy}")
    return members


def _open_member(
    dataset: xr.Dataset, name: str, weather: xr.Dataset | None, wanted: _Wanted
) -> xr.Dataset | None:
    name = str(dataset.encoding.get("source", name))
    variables = {v: h for v in map(str, dataset.data_vars) if (h := _NAMES.get(v, v)) in wanted.species}
    columns = [str(v) for v in dataset.data_vars if _COLUMNS.match(str(v))]
    if columns and not variables:
        msg = (
            f"{name} holds total columns ({', '.join(columns)}), not surface concentrations. Request "
            "particulate_matter_2.5um and _10um, and the gases at the lowest model level."
        )
        raise NotThisProductError(msg)
    if not variables:
        return None
    identity = identify(dataset, wanted.products, name=name, variables=variables, asked=wanted.asked)
    dataset = at_surface(of_variables(dataset, variables), identity, name=name)
    lead = refuse_long_leads(dataset, wanted.longest_lead, name=name)
    told = identity.attrs | ({"lead": lead} if lead else {})
    if wanted.only_described:
        return xr.Dataset(dict.fromkeys(dataset.data_vars, ((), 0)), attrs=told)
    dataset = standardise(_dated(dataset, name), name=name)
    refuse_months(dataset["time"].values, identity, name=name)
    if wanted.day is not None:
        dataset = dataset.isel(
            time=np.flatnonzero(dataset["time"].values.astype("datetime64[D]") == wanted.day)
        )
        if not dataset.sizes["time"]:
            raise TimeAxisError(f"{name}: expected times of {wanted.day}, it has none.")
    member = xr.Dataset(
        {v: _concentration(dataset[v], name, weather) for v in wanted.species if v in dataset}
    )
    member = member.assign_attrs(told)
    member.encoding["source"] = name
    return member


def _dated(dataset: xr.Dataset, name: str) -> xr.Dataset:
    """Times of the European products: hours since the date in ``long_name`` ("FORECAST time from 20231001")."""
    if "time" not in dataset.coords or np.issubdtype(dataset["time"].dtype, np.datetime64):
        return dataset
    start = re.search(r"time from (\d{4})(\d{2})(\d{2})", str(dataset["time"].attrs.get("long_name", "")))
    if start is None or dataset["time"].attrs.get("units") != "hours":
        raise TimeAxisError(f"{name}: its times are numbers without a date ({dataset['time'].attrs}).")
    log.info("%s: times are counted from %s, as their long name says.", name, "-".join(start.groups()))
    hours = np.rint(dataset["time"].values.astype(float)).astype("timedelta64[h]")
    return dataset.assign_coords(
        time=(np.datetime64("-".join(start.groups())) + hours).astype("datetime64[ns]")
    )


def _concentration(field: xr.DataArray, name: str, weather: xr.Dataset | None) -> xr.DataArray:
    units = str(field.attrs.get("units", ""))
    if units in ("kg kg**-1", "kg kg-1") and weather is not None:
        return to_concentration(field, weather["sp"], weather["t2m"])
    if units in ("kg kg**-1", "kg kg-1"):
        msg = (
            f"{name}: {field.name} is a mixing ratio ({units}). Multiply by the density of air, sp / (287.05 t2m "
            "(1 + 0.608 q)) of the same hours, and state units 'kg m-3'."
        )
        raise UnitsError(msg)
    if units not in MASS_CONCENTRATION:
        msg = (
            f"{name}: {field.name} expected one of the units {', '.join(MASS_CONCENTRATION)}; got {units!r}."
        )
        raise UnitsError(msg)
    factor, _ = MASS_CONCENTRATION[units]
    filled = int((field <= _FILL).sum())
    if filled:
        log.info("%s: %d fill values of %s are missing.", name, filled, field.name)
    if factor != 1:
        log.info("%s: %s converted from %s to ug m-3.", name, field.name, units)
    return (field.where(field > _FILL) * factor).assign_attrs(units="ug m-3")


def daily_coarse(
    datasets: xr.Dataset | Sequence[xr.Dataset],
    grid: Grid = COARSE_BOX,
    *,
    channels: Iterable[str] | None = None,
    days: np.ndarray | None = None,
) -> xr.DataArray:
    """Daily CAMS channels on the coarse grid, interpolated bilinearly from the product's own grid.

    A day that lacks steps is refused.

    Parameters
    ----------
    datasets : Dataset or sequence of Dataset
        From :func:`open_cams`.
    grid, channels, days : optional
        As for :func:`cranpm.data.readers.era5.daily_coarse`.

    Returns
    -------
    DataArray, dims (time, channel, latitude, longitude), float32 [ug m-3]

    Raises
    ------
    DataFileError
        Or one of its kinds. A product finer than the grid is refused: it needs means, not interpolation.
    """
    datasets = [datasets] if isinstance(datasets, xr.Dataset) else list(datasets)
    for dataset in datasets:
        step = np.abs(np.diff(dataset["latitude"].values)).max(
            initial=np.inf if dataset.sizes["latitude"] < 2 else 0
        )
        if step < 0.9 * grid.step:
            msg = (
                f"CAMS data with a step of {step:g} degrees are finer than {grid.name!r}; average them first."
            )
            raise NotThisProductError(msg)
    found = [channel for channel in CAMS_CHANNELS if any(channel.name in dataset for dataset in datasets)]
    fields = {
        channel: join_times([d[channel.name] for d in datasets if channel.name in d], name=channel.name)
        for channel in choose(found, channels, source="CAMS")
    }
    return daily_channels(
        fields,
        grid,
        plausible=PlausibleValues(daily=_RANGES, steps=_STEP_RANGES, medians_above=_FLOORS),
        days=days,
        interpolate=True,
        source="CAMS",
    ).rename("cams")
