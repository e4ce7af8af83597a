"""Terrain from whatever was fetched -> the static fields of a dataset.

Expected: a NetCDF with one two-dimensional variable in metres (ETOPO 2022, GMTED2010), or tiles (GLO-90 as GeoTIFF,
SRTM as GeoTIFF or ``.hgt``, also zipped), above a geoid; what they leave void is a gap. GLO-90's pixels are centred on
whole nodes, so a tile begins half a pixel north and west of its degree.
Land comes from a mask of its own: elevation knows neither polders nor the Caspian shore.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from scipy import ndimage

from cranpm import extras
from cranpm._installed import read_npz_rows
from cranpm.data.errors import DataFileError, NotThisProductError, OutsideDomainError
from cranpm.data.files.archives import unpack
from cranpm.data.files.guard import guarded, reading
from cranpm.data.files.openers import open_lazily, sniff
from cranpm.data.manifest import load_manifest, package_files
from cranpm.data.readers.identity import identify
from cranpm.data.readers.products import ELEVATION
from cranpm.data.regrid.averaging import cell_means, cell_sums, touched
from cranpm.domain import Domain, Grid
from cranpm.domain.grid import KM_PER_DEGREE

log = logging.getLogger(__name__)

COMPLEXITY_RADIUS = 25.0
"""Radius over which the standard deviation of elevation is taken [km]; the paper's sigma_z."""

_LEAST_SHARE = 0.01
"""Share of a cell that must have values."""

_LAND_WITHOUT = 0.02
"""Share of land cells that may be without elevation: GMTED2010 has no Greenland at this detail, tiles no islets."""

_VOID_REACH = 10
"""Cells over which a gap takes its neighbour's elevation; beyond lies an islet without a tile."""

_ROWS_AT_ONCE = 1200
_NAMES = ("z", "elevation", "surface_altitude", "Elevation", "elev", "band_1", "Band1", "topo", "dem")
_LOW, _HIGH = -12_000.0, 9_000.0
_GEOGRAPHIC = (4326, 9518, 9707)
"""WGS 84; with heights above the geoid EGM2008; with heights above EGM96."""

_ABOVE_THE_ELLIPSOID = 4979
_RASTER = re.compile(r"\.(hgt|tiff?)$", re.IGNORECASE)
_HGT = re.compile(r"[NS][0-8]\d(E(0\d|1[0-7])\d|W(0\d\d|1[0-7]\d|180))\b", re.IGNORECASE)
_HGT_SIZES = tuple(2 * rows * cols for rows, cols in ((1201, 1201), (3601, 3601), (3601, 1801)))
"""Bytes of SRTM's tiles: 3 and 1 arc seconds, and 1 by 2 north of 50 degrees."""

_MARGIN = 0.5
"""Degrees read around the domain: cells of the coarse nodes reach beyond the fine grid."""


def read_elevation(paths: Sequence[Path], grid: Grid) -> np.ndarray:
    """Mean elevation of each cell, sea and depressions below sea level 0, float32 (rows, cols) [m].

    Parameters
    ----------
    paths : sequence of Path
        One NetCDF, or GeoTIFF tiles; where no tile lies is sea, as the tiled products have it.

    Raises
    ------
    DataFileError
        Or one of its kinds: no elevation in it, impossible values, does not cover the grid.
    """
    return np.nan_to_num(_known_elevation(paths, grid))


def _known_elevation(paths: Sequence[Path], grid: Grid) -> np.ndarray:
    """As `read_elevation`, NaN where no file has a value."""
    if not paths:
        raise DataFileError("No elevation file. Fetch one: cranpm data fetch elevation-etopo-2022 ...")
    total, share, found = np.zeros(grid.shape), np.zeros(grid.shape), 0
    for path in paths:
        for values, lat, lon in _blocks(Path(path), grid):
            found += 1
            _refuse_impossible(values, Path(path).name)
            rows, cols = touched(grid, lat, lon)
            if rows.stop > rows.start and cols.stop > cols.start:
                part = cell_sums(
                    np.maximum(values, 0), lat, lon, grid.window(rows, cols), name=Path(path).name
                )
                # a cell on the seam of two tiles takes of each what lies in it
                total[rows, cols] += part[0]
                share[rows, cols] += part[1]
    if not found:
        raise OutsideDomainError(f"No elevation file touches {grid.name!r}; fetch the one for this region.")
    known = share >= _LEAST_SHARE
    is_tiled = any(_is_raster(path) or _is_zipped_raster(path) for path in map(Path, paths))
    if not is_tiled and (~known).mean() > 0.02:
        msg = f"The elevation covers {known.mean():.0%} of {grid.name!r}; fetch the one for this region."
        raise OutsideDomainError(msg)
    return np.where(known, total / np.where(known, share, 1), np.nan).astype(np.float32)


def _refuse_impossible(values: np.ndarray, name: str) -> None:
    finite = values[~np.isnan(values)]  # an infinity is no gap
    if finite.size and (finite.min() < _LOW or finite.max() > _HIGH):
        msg = (
            f"{name}: elevation reaches {finite.min():g} to {finite.max():g}; expected metres, "
            f"{_LOW:g} to {_HIGH:g}."
        )
        raise DataFileError(msg)


def _blocks(path: Path, grid: Grid) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """(values, latitudes, longitudes) of the part of a file that the grid touches, some rows at a time."""
    if _is_zipped_raster(path):
        for member in unpack(path).members:
            if _RASTER.search(member.path.name):
                yield from _blocks(member.path, grid)
        return
    field = _raster(path) if _is_raster(path) else _netcdf(path)
    west, south, east, north = grid.extent
    lat, lon = field["latitude"].values, field["longitude"].values
    rows = np.flatnonzero((lat > south - _MARGIN) & (lat < north + _MARGIN))
    cols = np.flatnonzero((lon > west - _MARGIN) & (lon < east + _MARGIN))
    if rows.size < 2 or cols.size < 2:
        return
    across = slice(cols[0], cols[-1] + 1)
    # GMTED2010 has 700 million pixels in Europe: 5 GB at once
    for part in np.array_split(rows, max(-(-rows.size // _ROWS_AT_ONCE), 1)):
        block = field[part[0] : part[-1] + 1, across]
        yield block.values.astype(np.float64), lat[part], lon[across]


def _is_zipped_raster(path: Path) -> bool:
    if path.suffix.lower() == ".hgt" or sniff(path) != "zip":
        return False
    return any(_RASTER.search(member.path.name) for member in unpack(path).members)


def _is_raster(path: Path) -> bool:
    """GeoTIFF, or a tile of SRTM, which is bare numbers: its place stands in its name, its detail is its length."""
    if path.suffix.lower() != ".hgt":
        return sniff(path) == "tiff"
    if not path.is_file():
        raise DataFileError(f"Expected a tile of SRTM at {path}, found nothing.")
    if _HGT.match(path.name) and path.stat().st_size in _HGT_SIZES:
        return True
    sizes = ", ".join(map(str, _HGT_SIZES))
    msg = (
        f"{path.name} ({path.stat().st_size} bytes): expected a tile of SRTM, named after its south-west corner such "
        f"as N46E009.hgt, {sizes} bytes long. Download it again, or use GeoTIFF."
    )
    raise DataFileError(msg)


def _raster(path: Path) -> xr.DataArray:
    rioxarray = extras.load("rioxarray", f"Reading {path.name}", instead="use ETOPO's NetCDF")
    with reading(path.name):
        raster: Any = rioxarray.open_rasterio(path, mask_and_scale=True)
    if raster.sizes.get("band", 1) != 1:
        raise NotThisProductError(f"{path.name}: expected one band, got {raster.sizes['band']}.")
    code = None if raster.rio.crs is None else raster.rio.crs.to_epsg()
    if code == _ABOVE_THE_ELLIPSOID:
        msg = (
            f"{path.name}: its heights are above the ellipsoid (EPSG:{code}), tens of metres from those "
            "above the sea. Expected heights above the geoid, as GLO-90, GMTED2010 and ETOPO have them."
        )
        raise NotThisProductError(msg)
    if code not in _GEOGRAPHIC:
        msg = f"{path.name}: expected latitudes and longitudes (EPSG:4326), got {raster.rio.crs}. Reproject it first."
        raise NotThisProductError(msg)
    field = raster.squeeze("band", drop=True).rename(y="latitude", x="longitude")
    return _checked(guarded(field.to_dataset(name="z"), name=path.name), "z", path.name)


def _netcdf(path: Path) -> xr.DataArray:
    opened = open_lazily(path)
    if len(opened) != 1:
        raise NotThisProductError(f"{path.name}: expected one file of elevation, got {len(opened)}.")
    (dataset,) = opened
    dataset = dataset.rename(
        {old: new for old, new in (("lat", "latitude"), ("lon", "longitude")) if old in dataset.variables}
    )
    name = next((n for n in _NAMES if n in dataset.data_vars), None)
    fields = [str(v) for v, a in dataset.data_vars.items() if set(a.dims) == {"latitude", "longitude"}]
    if name is None and len(fields) == 1:
        name = fields[0]
    if name is None or name not in fields:
        found = ", ".join(map(str, dataset.data_vars)) or "none"
        raise NotThisProductError(f"{path.name}: expected one elevation (latitude, longitude), got {found}.")
    dataset.encoding["source"] = opened[0].encoding.get("source", path.name)
    return _checked(dataset, name, path.name)


def _checked(dataset: xr.Dataset, variable: str, name: str) -> xr.DataArray:
    """The elevation of a file that says nothing else of itself, in metres."""
    identify(dataset, ELEVATION, name=name, variables={variable: "elevation"})
    units = str(dataset[variable].attrs.get("units") or "m").lower()
    if units not in ("m", "meters", "metres", "meter", "metre"):
        raise DataFileError(f"{name}: expected elevation in metres, got {units!r}.")
    return dataset[variable].transpose("latitude", "longitude")


def land_share(grid: Grid) -> np.ndarray:
    """Share of each cell that is land, lakes included, from the installed 30-second mask, float32 (rows, cols)."""
    source = load_manifest().source("geography-land-mask")
    ((_, path),) = package_files(source).items()
    per_degree = 120
    west, south, east, north = grid.extent
    first_row = max(int((90 - north) * per_degree) - 1, 0)
    last_row = min(int(np.ceil((90 - south) * per_degree)) + 1, 180 * per_degree)
    first_col = max(int((west + 180) * per_degree) - 1, 0)
    last_col = min(int(np.ceil((east + 180) * per_degree)) + 1, 360 * per_degree)
    is_ocean = read_npz_rows(path, "mask", slice(first_row, last_row), slice(first_col, last_col))
    is_land = 1.0 - is_ocean
    lat = 90 - (np.arange(first_row, last_row) + 0.5) / per_degree
    lon = -180 + (np.arange(first_col, last_col) + 0.5) / per_degree
    return np.nan_to_num(cell_means(is_land, lat, lon, grid, name="land", least_share=0.01))


def terrain_complexity(elevation: np.ndarray, grid: Grid) -> np.ndarray:
    """Standard deviation of elevation within 25 km, float32 (rows, cols) [m].

    The disc is stretched along longitude as the meridians converge; at the rim of the grid it is what lies inside.
    """
    out = np.empty(grid.shape, dtype=np.float32)
    radius = COMPLEXITY_RADIUS / (KM_PER_DEGREE * grid.step)  # in rows
    band = max(int(radius), 1) * 4
    reach = int(np.ceil(radius))
    shifted = elevation.astype(np.float64) - 500.0  # keeps squares small
    for start in range(0, grid.rows, band):
        stop = min(start + band, grid.rows)
        low, high = max(start - reach, 0), min(stop + reach, grid.rows)
        stretch = 1 / np.cos(np.radians(grid.lat[(start + stop) // 2 if stop < grid.rows else stop - 1]))
        part = shifted[low:high]
        count, mean, square = (
            _disc_mean(f, radius, radius * stretch) for f in (np.ones_like(part), part, part**2)
        )
        variance = square / count - (mean / count) ** 2
        out[start:stop] = np.sqrt(np.maximum(variance, 0))[start - low : stop - low]
    return out


def _disc_mean(field: np.ndarray, rows: float, cols: float) -> np.ndarray:
    """Sum over an ellipse, as box sums of its rows: each row of the ellipse is one running mean."""
    total = np.zeros_like(field)
    padded = np.pad(field, ((int(rows), int(rows)), (0, 0)))
    for offset in range(-int(rows), int(rows) + 1):
        half = int(cols * np.sqrt(max(1 - (offset / rows) ** 2, 0)))
        other = padded[int(rows) + offset : int(rows) + offset + len(field)]
        size = 2 * half + 1
        total += ndimage.uniform_filter1d(other, size, axis=1, mode="constant") * size
    return total


def _without_voids(known: np.ndarray) -> np.ndarray:
    """Gaps take the value of the nearest cell that has one, if it is near: a void of the radar is no sea."""
    distance, (rows, cols) = ndimage.distance_transform_edt(np.isnan(known), return_indices=True)
    return np.where(distance <= _VOID_REACH, known[rows, cols], np.nan).astype(np.float32)


def static_fields(domain: Domain, paths: Sequence[Path]) -> dict[str, np.ndarray]:
    """What `DatasetWriter.write_static` takes."""
    fine, box = domain.fine, domain.coarse_box
    is_land = land_share(fine) >= 0.5
    known = _known_elevation(paths, fine)
    without = int((np.isnan(known) & is_land).sum())
    if without > _LAND_WITHOUT * is_land.sum():
        msg = f"{without / is_land.sum():.1%} of the land has no elevation in {len(paths)} files; fetch the others."
        raise OutsideDomainError(msg)
    if without:
        known = _without_voids(known)
        far = int((np.isnan(known) & is_land).sum())
        log.warning(
            "%d land cells have no elevation in the files: %d take that of the nearest cell, %d lie further than %d "
            "cells from any and are taken as 0 m.", without, without - far, far, _VOID_REACH,
        )  # fmt: skip
    elevation = np.where(is_land, np.nan_to_num(known), 0).astype(np.float32)
    return {
        "elevation": elevation,
        "land": is_land.astype(np.uint8),
        "terrain_complexity": terrain_complexity(elevation, fine),
        "coarse_elevation": read_elevation(paths, box),
        "coarse_land": land_share(box),
    }
