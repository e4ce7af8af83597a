"""Regular latitude-longitude grids, each written down once.

A coordinate is always ``origin + index * step``: a floating-point ``arange`` at 0.01 degrees miscounts.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from cranpm._json import JsonObject

KM_PER_DEGREE = 111.2
"""Length of a degree of latitude [km]."""

CELLS_PER_NODE = 25
"""Fine cells along one step of the coarse grid (0.25 / 0.01)."""

PATCH_FINE = 16
"""Fine grids are cut to multiples of the local patch size."""


class OutsideGridError(ValueError):
    """A place that the grid does not cover."""


@dataclass(frozen=True, kw_only=True)
class Grid:
    """A regular grid, rows north to south, columns west to east.

    Parameters
    ----------
    name : str
        Name shown in messages.
    rows, cols : int
        Number of points along latitude and longitude.
    step : float
        Spacing [degrees].
    north, west : float
        Outer edges for ``registration="cell"``; the first node for ``"node"`` [degrees].
    registration : {"cell", "node"}
        Whether values belong to cells (coordinates are centres) or to nodes.

    Examples
    --------
    >>> FINE.shape, float(FINE.lat[0]), float(FINE.lon[0])
    ((4192, 6992), 71.995, -24.995)
    >>> float(COARSE.lat[-1]), float(COARSE.lon[-1])
    (30.25, 44.75)
    >>> FINE.index_of(45.4642, 9.19)
    (2653, 3419)
    """

    name: str
    rows: int
    cols: int
    step: float
    north: float
    west: float
    registration: Literal["cell", "node"]

    def __post_init__(self) -> None:
        if self.registration not in ("cell", "node"):
            raise ValueError(f"Grid registration must be 'cell' or 'node', got {self.registration!r}.")
        if self.rows < 1 or self.cols < 1 or self.step <= 0:
            raise ValueError(
                f"Grid {self.name!r} needs positive rows, cols and step, got {self.shape}, {self.step}."
            )

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.rows, self.cols

    @property
    def _steps_per_degree(self) -> float:
        # dividing by 100 rounds once per coordinate; multiplying by 0.01 would add the error of 0.01 itself
        return round(1 / self.step) if abs(round(1 / self.step) * self.step - 1) < 1e-9 else 1 / self.step

    @property
    def _offset(self) -> float:
        return 0.5 if self.registration == "cell" else 0.0

    @property
    def lat(self) -> np.ndarray:
        """Latitudes of centres or nodes, north to south [degrees north], shape (rows,)."""
        return np.round(self.north - (np.arange(self.rows) + self._offset) / self._steps_per_degree, 9)

    @property
    def lon(self) -> np.ndarray:
        """Longitudes of centres or nodes, west to east [degrees east], shape (cols,)."""
        return np.round(self.west + (np.arange(self.cols) + self._offset) / self._steps_per_degree, 9)

    @property
    def lat_edges(self) -> np.ndarray:
        """Cell edges, north to south, shape (rows + 1,)."""
        shift = self._offset - 0.5
        return np.round(self.north - (np.arange(self.rows + 1) + shift) / self._steps_per_degree, 9)

    @property
    def lon_edges(self) -> np.ndarray:
        """Cell edges, west to east, shape (cols + 1,)."""
        shift = self._offset - 0.5
        return np.round(self.west + (np.arange(self.cols + 1) + shift) / self._steps_per_degree, 9)

    @property
    def extent(self) -> tuple[float, float, float, float]:
        """Outer edges (west, south, east, north) [degrees]."""
        return (
            float(self.lon_edges[0]),
            float(self.lat_edges[-1]),
            float(self.lon_edges[-1]),
            float(self.lat_edges[0]),
        )

    def row_of(self, lat: npt.ArrayLike) -> np.ndarray:
        """Fractional row of a latitude; integers are centres (cell) or nodes (node)."""
        return (self.north - np.asarray(lat, dtype=float)) * self._steps_per_degree - self._offset

    def col_of(self, lon: npt.ArrayLike) -> np.ndarray:
        """Fractional column of a longitude; integers are centres (cell) or nodes (node)."""
        return (np.asarray(lon, dtype=float) - self.west) * self._steps_per_degree - self._offset

    def contains(self, lat: npt.ArrayLike, lon: npt.ArrayLike) -> np.ndarray:
        """Whether places lie inside the outer edges; a place on the south or east edge belongs to the neighbour."""
        row, col = np.round(self.row_of(lat) + 0.5, 9), np.round(self.col_of(lon) + 0.5, 9)
        return (row >= 0) & (row < self.rows) & (col >= 0) & (col < self.cols)

    def index_of(self, lat: float, lon: float) -> tuple[int, int]:
        """Row and column of the cell or nearest node that holds a place.

        Raises
        ------
        OutsideGridError
            If the place lies outside the grid's outer edges.
        """
        if not bool(self.contains(lat, lon)):
            west, south, east, north = self.extent
            msg = (
                f"Place ({lat:.3f} N, {lon:.3f} E) is outside grid {self.name!r}, "
                f"which covers {south:g}..{north:g} N, {west:g}..{east:g} E."
            )
            raise OutsideGridError(msg)
        row, col = self.cells_of(lat, lon)
        return int(row), int(col)

    def cells_of(self, lat: npt.ArrayLike, lon: npt.ArrayLike) -> tuple[np.ndarray, np.ndarray]:
        """Rows and columns of the cells or nearest nodes that hold places inside (see `contains`)."""
        row, col = (np.floor(np.round(place + 0.5, 9)) for place in (self.row_of(lat), self.col_of(lon)))
        return row.astype(int), col.astype(int)

    def window(self, rows: slice, cols: slice, name: str | None = None) -> Grid:
        """The sub-grid of a block of rows and columns (step 1)."""
        row_start, row_stop, row_step = rows.indices(self.rows)
        col_start, col_stop, col_step = cols.indices(self.cols)
        if row_step != 1 or col_step != 1:
            raise ValueError("A grid window needs slices with step 1.")
        return replace(
            self,
            name=name or f"{self.name}[{row_start}:{row_stop},{col_start}:{col_stop}]",
            rows=row_stop - row_start,
            cols=col_stop - col_start,
            north=round(self.north - row_start / self._steps_per_degree, 9),
            west=round(self.west + col_start / self._steps_per_degree, 9),
        )

    def to_dict(self) -> JsonObject:
        """Plain values, for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: JsonObject) -> Grid:
        """Inverse of `to_dict`."""
        return cls(**values)


@dataclass(frozen=True, kw_only=True)
class Domain:
    """A fine grid, the coarse grid the network sees, and the node box that stores keep.

    The box has one more row and column than ``coarse``: the nodes that Copernicus returns and that bilinear
    interpolation to the last 17 fine rows and columns needs.
    """

    name: str
    title: str
    fine: Grid
    coarse: Grid
    coarse_box: Grid

    def to_dict(self) -> JsonObject:
        """Plain values, for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: JsonObject) -> Domain:
        """Inverse of `to_dict`."""
        grids = {key: Grid.from_dict(values[key]) for key in ("fine", "coarse", "coarse_box")}
        return cls(name=values["name"], title=values["title"], **grids)


def domain_from_corner(
    name: str, title: str, *, north: float, west: float, coarse_rows: int, coarse_cols: int
) -> Domain:
    """A domain from its north-west corner and its number of coarse nodes.

    Parameters
    ----------
    name, title : str
        For commands and files, and for people.
    north, west : float
        First coarse node, and outer edge of the first fine cell [degrees].
    coarse_rows, coarse_cols : int
        Nodes of the network's coarse grid; multiples of 56 need no padding (patch 8 x window 7).

    Returns
    -------
    Domain
        Fine cells cover whole patches of 16 only.
    """
    fine_rows, fine_cols = (n * CELLS_PER_NODE // PATCH_FINE * PATCH_FINE for n in (coarse_rows, coarse_cols))
    fine = Grid(
        name=f"{name}-fine",
        rows=fine_rows,
        cols=fine_cols,
        step=0.01,
        north=north,
        west=west,
        registration="cell",
    )
    coarse = Grid(
        name=f"{name}-coarse",
        rows=coarse_rows,
        cols=coarse_cols,
        step=0.25,
        north=north,
        west=west,
        registration="node",
    )
    box = replace(coarse, name=f"{name}-coarse-box", rows=coarse_rows + 1, cols=coarse_cols + 1)
    return Domain(name=name, title=title, fine=fine, coarse=coarse, coarse_box=box)


def fine_to_coarse(index: npt.ArrayLike) -> np.ndarray:
    """Fractional coarse index of a fine row or column: cell centres against nodes, (i + 0.5) / 25.

    Parameters
    ----------
    index : int or array of int
        Fine row or column.

    Returns
    -------
    float or ndarray, same shape
        Row or column among the coarse nodes.
    """
    return (np.asarray(index, dtype=float) + 0.5) / CELLS_PER_NODE


EUROPE = domain_from_corner("europe", "Europe", north=72.0, west=-25.0, coarse_rows=168, coarse_cols=280)
"""The domain of the paper: 30.08 to 72 N, 25 W to 44.92 E."""

FINE = EUROPE.fine
"""Its cells of 0.01 degrees, 4192 x 6992."""

COARSE = EUROPE.coarse
"""Its nodes of 0.25 degrees that the network reads, 168 x 280."""

COARSE_BOX = EUROPE.coarse_box
"""The nodes that stores keep: one row and one column more, 169 x 281."""

DOMAINS: dict[str, Domain] = {
    domain.name: domain
    for domain in (
        EUROPE,
        domain_from_corner(
            "alps", "Alps and Po Valley", north=51.0, west=4.0, coarse_rows=56, coarse_cols=56
        ),
        domain_from_corner(
            "central-europe", "Central Europe", north=56.0, west=12.0, coarse_rows=56, coarse_cols=56
        ),
    )
}
"""Named domains; a user's own come from files (`cranpm.data.domains`)."""


def get_domain(name: str) -> Domain:
    """A named domain.

    Parameters
    ----------
    name : str
        One of `DOMAINS`.

    Returns
    -------
    Domain
        Its grids.

    Raises
    ------
    ValueError
        If no domain has that name.
    """
    try:
        return DOMAINS[name]
    except KeyError:
        raise ValueError(f"Unknown domain {name!r}; known: {', '.join(DOMAINS)}.") from None
