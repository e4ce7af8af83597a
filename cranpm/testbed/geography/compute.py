"""A domain's packed geography, made from the data files of installed packages."""

from __future__ import annotations

from dataclasses import fields

import numpy as np

from cranpm.domain import Domain
from cranpm.domain.grid import CELLS_PER_NODE
from cranpm.testbed.geography import relief, terrain, towns
from cranpm.testbed.geography.blocks import BLOCK
from cranpm.testbed.geography.pack import Packed, unpack_fine


def compute(domain: Domain) -> Packed:
    """Make the packed geography from the packages' data files."""
    grid, box = domain.fine, domain.coarse_box
    if grid.rows % BLOCK or grid.cols % BLOCK:
        raise ValueError(
            f"A fine grid needs rows and columns that are multiples of {BLOCK}, got {grid.shape}."
        )
    is_land = terrain.land_fraction(grid) >= 0.5
    elevation = np.round(terrain.blended_elevation(grid, is_land)).astype(np.int16)
    metres = elevation.astype(np.float32)
    complexity = relief.terrain_complexity(metres, grid.lat, grid.step)
    ridges = relief.barrier_height(metres, grid.lat, grid.step)
    floor = relief.valley_floor(metres, *box.shape)
    east, north = relief.barriers(metres, floor)
    del metres
    places = towns.read_towns(grid)
    people = towns.town_population(grid, places, is_land)
    coarse_country, countries = towns.nearest_country(box, places)
    rural = towns.rural_population(grid, people, is_land)
    packed: Packed = {
        "land": np.packbits(is_land, axis=1),
        "elevation": elevation,
        "town_people": np.round(np.sqrt(people) * 64).astype(np.uint16),
        "barrier_blocks": relief.with_margin(np.round(ridges).astype(np.int16)),
        "complexity_blocks": relief.with_margin(np.round(complexity * 10).astype(np.uint16)),
        "rural_blocks": relief.with_margin(np.round(rural * 100).astype(np.uint16)),
        "coarse_floor": floor,
        "coarse_barrier_east": east,
        "coarse_barrier_north": north,
        "coarse_country": coarse_country,
        "countries": countries,
    }
    del people
    packed.update({f"town_{field.name}": getattr(places, field.name) for field in fields(places)})
    fine = unpack_fine(packed, grid)
    for name in ("elevation", "land", "valley_depth", "terrain_complexity"):
        packed[f"coarse_{name}"] = terrain.node_means(fine[name], grid, box)
    packed["coarse_population"] = terrain.node_means(fine["population"], grid, box) * np.float32(
        CELLS_PER_NODE**2
    )
    return packed
