"""The testbed's station network: sites drawn from towns by population, as dense as the real one."""

from __future__ import annotations

import numpy as np
import pandas as pd

from cranpm.data.store.tables import STATION_COLUMNS
from cranpm.domain import Grid
from cranpm.testbed.geography.blocks import KM_PER_DEGREE
from cranpm.testbed.geography.geography import Geography
from cranpm.testbed.geography.towns import Towns, town_radius
from cranpm.testbed.simulation.place import EUROPE_PLACE, place_of

NETWORK_COUNTRIES = frozenset(
    "AD AL AT BA BE BG CH CY CZ DE DK EE ES FI FR GB GR HR HU IE IS IT LT LU LV MC ME MK MT NL NO PL PT RO RS SE SI "
    "SK TR UA XK".split()
)
"""Countries that report to the European network; elsewhere every country has one."""

SITES_AT_50_000 = 0.285
"""Expected sites in a town of 50,000."""

SITES_EXPONENT = 0.55
MOST_SITES = 12
_COLUMNS = list(STATION_COLUMNS[1:])
_TRAFFIC, _INDUSTRIAL, _RURAL = 0.26, 0.08, 0.13
_URBAN_DENSITY, _SUBURBAN_DENSITY = 1500.0, 300.0
"""People per square kilometre from which a site counts as urban and as suburban."""


def draw_stations(geography: Geography, seed: int) -> pd.DataFrame:
    """About 3,000 sites over Europe, in the columns of ``tables.STATION_COLUMNS``.

    A town's sites depend on the seed and the town alone, not on the domain.
    """
    grid: Grid = geography.domain.fine
    towns: Towns = geography.towns.inside(grid)
    towns = towns.select(~towns.is_district)
    if place_of(geography.domain.coarse_box) is EUROPE_PLACE:
        towns = towns.select(np.isin(towns.country, sorted(NETWORK_COUNTRIES)))
    sites = []
    for k in range(len(towns)):
        draw = _generator(seed, float(towns.lat[k]), float(towns.lon[k]))
        expected = SITES_AT_50_000 * (float(towns.population[k]) / 50_000) ** SITES_EXPONENT
        number = min(int(expected + draw.random()), MOST_SITES)
        for index in range(number):
            site = _site(geography, grid, towns, k, index, draw)
            if site is not None:
                sites.append(site)
    frame = pd.DataFrame(sites, columns=_COLUMNS)
    frame.insert(0, "station_id", [f"TB-{number + 1:04d}" for number in range(len(frame))])
    return frame


def _site(
    geography: Geography, grid: Grid, towns: Towns, k: int, index: int, draw: np.random.Generator
) -> dict[str, str | float] | None:
    """One site in or around town ``k``; None if no land is found for it."""
    is_rural = draw.random() < _RURAL
    kind_draw = draw.random()
    for _ in range(12):
        if is_rural:
            distance, direction = draw.uniform(8, 25), draw.uniform(0, 2 * np.pi)
            north, east = distance * np.cos(direction), distance * np.sin(direction)
        else:
            north, east = 0.8 * town_radius(towns.population[k]) * draw.standard_normal(2)
        lat = float(towns.lat[k] + north / KM_PER_DEGREE)
        lon = float(towns.lon[k] + east / (KM_PER_DEGREE * np.cos(np.radians(towns.lat[k]))))
        if grid.contains(lat, lon) and geography.land[grid.index_of(lat, lon)]:
            break
    else:
        return None
    row, col = grid.index_of(lat, lon)
    cell_area = (grid.step * KM_PER_DEGREE) ** 2 * np.cos(np.radians(lat))
    density = float(geography.population[row, col]) / cell_area
    area = "urban" if density > _URBAN_DENSITY else "suburban" if density > _SUBURBAN_DENSITY else "rural"
    kind = "background"
    if area != "rural":
        kind = (
            "traffic"
            if kind_draw < _TRAFFIC
            else "industrial"
            if kind_draw < _TRAFFIC + _INDUSTRIAL
            else kind
        )
    name = str(towns.name[k])
    if is_rural:
        name = f"near {name}"
    return {
        "name": name if index == 0 else f"{name} {index + 1}",
        "country": str(towns.country[k]),
        "latitude": round(lat, 5),
        "longitude": round(lon, 5),
        "altitude": float(geography.elevation[row, col]),
        "station_type": kind,
        "area": area,
        "terrain_complexity": float(geography.terrain_complexity[row, col]),
    }


def _generator(seed: int, lat: float, lon: float) -> np.random.Generator:
    return np.random.default_rng([seed, round((lat + 90) * 1e4), round((lon + 180) * 1e4)])
