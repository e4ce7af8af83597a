"""The satellite product GHAP, one day of its monthly archives -> tenths of ug m-3 on the fine grid.

Expected: ``GHAP_PM2.5_D1K_YYYYMMDD_V1.nc`` inside a monthly zip or unpacked; ``PM2.5`` (lat, lon) uint16, 0.1 ug m-3,
65535 where missing, on 0.01-degree cells of the globe or a block of them. None of these facts has been seen on a real
file by whoever wrote this, so each one is checked here and refused with its name where it does not hold.
"""

from __future__ import annotations

import logging
import re
import tempfile
import zipfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import xarray as xr

from cranpm.data.errors import (
    DataFileError,
    NotThisProductError,
    OutsideDomainError,
    TimeAxisError,
    UnitsError,
    WrongGridError,
)
from cranpm.data.files.archives import extract_member, open_archive, refuse_without_room
from cranpm.data.files.netcdf import open_netcdf
from cranpm.data.files.openers import sniff
from cranpm.data.readers.identity import identify, identify_from
from cranpm.data.readers.products import GHAP
from cranpm.data.readers.statements import of_name
from cranpm.data.store.encoding import PM2P5_FILL, PM2P5_SCALE
from cranpm.data.units import MASS_CONCENTRATION
from cranpm.domain import Grid

log = logging.getLogger(__name__)

_DAY = re.compile(r"GHAP_PM2\.5_D1K_(\d{8})_")
_TOLERANCE = 0.3
"""Largest distance of a pixel centre from the project's cell centre [cells]: float32 coordinates, not another grid."""

_HIGHEST_MEDIAN = 200.0
"""No day's median over a continent is higher [ug m-3]; an undecoded file's is ten times the true one."""


def read_ghap_day(path: str | Path, day: np.datetime64, grid: Grid) -> np.ndarray:
    """PM2.5 of one day as stored, uint16 (rows, cols): tenths of ug m-3, 65535 where missing.

    Parameters
    ----------
    path : path
        A monthly archive, or one day's file.

    Raises
    ------
    DataFileError
        Or one of its kinds: the day is not there, another variable, grid, scale or unit, values that cannot be.
    """
    path = Path(path)
    if sniff(path) != "zip":
        return _read(path, day, grid, path.name)
    month = {"day": (str(day)[:7], str(day)[:4], str(day))}
    identify_from(of_name(path.name), [GHAP], name=path.name, asked=month)
    with open_archive(path) as archive, tempfile.TemporaryDirectory(prefix="cranpm-") as folder:
        info = _member_of(archive, day, path.name)
        refuse_without_room(info.file_size, path.name)
        member = Path(folder) / "day.nc"
        extract_member(archive, info, member)
        return _read(member, day, grid, info.filename.rsplit("/", 1)[-1])


def describe_ghap(path: str | Path, days: Iterable[np.datetime64]) -> dict[str, str]:
    """What a monthly archive is by its names, and that it holds some days; no map is read.

    Raises
    ------
    DataFileError
        Or one of its kinds, if it is something else or a day is not in it.
    """
    path, left = Path(path), ""
    for day in days:
        month = {"day": (str(day)[:7], str(day)[:4], str(day))}
        left = identify_from(of_name(path.name), [GHAP], name=path.name, asked=month).attrs["not_stated"]
        if sniff(path) == "zip":
            with open_archive(path) as archive:
                info = _member_of(archive, day, path.name)
            left = identify_from(of_name(info.filename), [GHAP], name=path.name, asked={}).attrs["not_stated"]
    return {"product": GHAP.title, "not_stated": left}


def _member_of(archive: zipfile.ZipFile, day: np.datetime64, name: str) -> zipfile.ZipInfo:
    """The archive's member of a day; what the others are is told where there is none."""
    members = [info for info in archive.infolist() if not info.is_dir()]
    held = {found[1]: info for info in members if (found := _DAY.search(info.filename))}
    wanted = str(day).replace("-", "")
    if wanted in held:
        return held[wanted]
    if held:
        raise TimeAxisError(f"{name}: expected a member for {day}, it has {min(held)} to {max(held)}.")
    for info in members:  # monthly means, another pollutant: their names say so
        identify_from(of_name(info.filename), [GHAP], name=f"{name}/{info.filename}", asked={})
    raise NotThisProductError(f"{name}: expected days of GHAP, got {len(members)} files of other names.")


def _read(path: Path, day: np.datetime64, grid: Grid, name: str) -> np.ndarray:
    if sniff(path) not in ("hdf5", "netcdf3"):
        raise NotThisProductError(f"{name}: expected NetCDF, got {sniff(path)}.")
    # raw values: decoding 650 million cells to use a few would cost minutes
    dataset = _with_time(open_netcdf(path, name=name, mask_and_scale=False, decode_times=False), name)
    known = {"PM2.5": "pm2p5"} if "PM2.5" in dataset else {}
    identify(dataset, GHAP, name=name, variables=known, asked={"day": (str(day),)})
    if not known:
        found = ", ".join(map(str, dataset.data_vars)) or "none"
        raise NotThisProductError(f"{name}: expected a variable PM2.5, got {found}.")
    field = dataset["PM2.5"].squeeze()
    rows, cols, flip = _window(dataset, field, grid, name)
    raw = field[rows, cols].values
    if flip:
        log.info("%s: rows run south to north; they are turned.", name)
    return _checked(raw[::-1] if flip else raw, field.attrs, name)


def _with_time(dataset: xr.Dataset, name: str) -> xr.Dataset:
    """The product has no time axis; a file that has one states its day by it, and holds one only."""
    if "time" not in dataset.variables:
        return dataset
    if dataset["time"].size != 1:
        raise TimeAxisError(f"{name}: expected one day, it holds {dataset['time'].size} times.")
    try:
        return dataset.assign_coords(time=xr.decode_cf(dataset[["time"]])["time"])
    except (ValueError, TypeError, OverflowError):
        log.info("%s: its time cannot be read and says nothing.", name)
        return dataset


def _window(dataset: xr.Dataset, field: xr.DataArray, grid: Grid, name: str) -> tuple[slice, slice, bool]:
    """Rows and columns of the grid in the file, by index; True if the file runs from south to north."""
    names = [
        next((c for c in pair if c in dataset.variables), None)
        for pair in (("lat", "latitude"), ("lon", "longitude"))
    ]
    if None in names or field.dims != tuple(names):
        raise WrongGridError(f"{name}: expected PM2.5 (lat, lon) with coordinates, got {field.dims}.")
    lat, lon = (dataset[n].values.astype(float) for n in names)
    flip = lat[0] < lat[-1]
    row, col = np.abs(lat - grid.lat[-1 if flip else 0]).argmin(), np.abs(lon - grid.lon[0]).argmin()
    rows, cols = slice(row, row + grid.rows), slice(col, col + grid.cols)
    if rows.stop > lat.size or cols.stop > lon.size:
        raise OutsideDomainError(
            f"{name} does not cover {grid.name!r}; it holds {lat.size} x {lon.size} cells."
        )
    inside_lat = lat[rows][::-1] if flip else lat[rows]
    off = max(np.abs(inside_lat - grid.lat).max(), np.abs(lon[cols] - grid.lon).max()) / grid.step
    if off > _TOLERANCE:
        msg = (
            f"{name}: expected cell centres such as {grid.lat[0]:.3f} N, {grid.lon[0]:.3f} E, got "
            f"{inside_lat[0]:.4f} N, {lon[cols][0]:.4f} E, off by up to {off:.2f} cells. Its registration is another "
            "one than documented."
        )
        raise WrongGridError(msg)
    return rows, cols, bool(flip)


def _checked(raw: np.ndarray, attrs: dict, name: str) -> np.ndarray:
    units = attrs.get("units")
    if units is not None and str(units) not in MASS_CONCENTRATION:
        raise UnitsError(f"{name}: expected PM2.5 in ug m-3, got {units!r}.")
    factor = 1.0 if units is None else MASS_CONCENTRATION[str(units)][0]
    scale, offset = float(attrs.get("scale_factor", 1.0)), float(attrs.get("add_offset", 0.0))
    fill = attrs.get("_FillValue", attrs.get("missing_value"))
    if raw.dtype.kind in "ui" and "scale_factor" not in attrs:
        msg = f"{name}: whole numbers without a scale_factor; expected tenths (0.1). Nothing was guessed."
        raise UnitsError(msg)
    as_documented = raw.dtype == np.uint16 and np.isclose(scale * factor, PM2P5_SCALE) and offset == 0
    if as_documented and fill is not None and int(fill) == PM2P5_FILL:
        tenths = np.array(raw)
    else:
        log.info("%s: stored as %s x %g; converted to tenths of ug m-3.", name, raw.dtype, scale * factor)
        values = raw.astype(np.float64)
        missing = ~np.isfinite(values) if fill is None else (values == float(fill)) | ~np.isfinite(values)
        values = np.where(missing, np.nan, (values * scale + offset) * factor)
        if (values < 0).any() or (values >= PM2P5_FILL * PM2P5_SCALE).any():
            low, high = np.nanmin(values), np.nanmax(values)
            msg = (
                f"{name}: expected 0 to 6553 ug m-3, got {low:g} to {high:g}; a fill value was read as data."
            )
            raise UnitsError(msg)
        tenths = np.where(missing, PM2P5_FILL, np.rint(np.nan_to_num(values) / PM2P5_SCALE)).astype(np.uint16)
    known = tenths[tenths != PM2P5_FILL]
    if not known.size:
        raise DataFileError(f"{name}: no cell of the domain has a value. Leave the day out.")
    median = float(np.median(known)) * PM2P5_SCALE
    if not 0 < median < _HIGHEST_MEDIAN:
        msg = (
            f"{name}: a median of {median:g} ug m-3 cannot be; the file is scaled otherwise than documented."
        )
        raise UnitsError(msg)
    if known.min() == known.max():
        raise DataFileError(f"{name}: the whole day has the one value {median:g}; the file is damaged.")
    return tenths
