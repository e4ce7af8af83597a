"""Between the fine map and the 25-km nodes that coarse methods work on, and back, with gaps that stay gaps."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy import sparse
from scipy.ndimage import distance_transform_edt

from cranpm.data.regrid.gridding import place
from cranpm.data.store.source import DaySource
from cranpm.domain import Domain, Grid
from cranpm.domain.grid import CELLS_PER_NODE

LEAST_SHARE = 0.04
"""Share of a node's 25 x 25 cells that must have values for its mean to count: 25 cells, a coast with some land."""


def node_means(field: np.ndarray, domain: Domain) -> tuple[np.ndarray, np.ndarray]:
    """Means of the fine map round each node of the coarse box.

    Parameters
    ----------
    field : ndarray, shape (H, W)
        Values at the fine cells; NaN is missing and counts in no mean.
    domain : Domain
        Its fine grid and its box of nodes.

    Returns
    -------
    mean, share : ndarray, shape (Hc + 1, Wc + 1), float32
        Mean over the cells within half a node's step, NaN where less than `LEAST_SHARE` of them has values; and that
        share, 0..1, which is at most a half at the outer nodes, round which there are no more cells.

    Examples
    --------
    >>> from cranpm.domain import get_domain
    >>> alps = get_domain("alps")
    >>> mean, share = node_means(np.full(alps.fine.shape, 7.0, np.float32), alps)
    >>> [round(float(value), 3) for value in (mean[20, 20], share[20, 20], share[0, 20], share[0, 0])]
    [7.0, 1.0, 0.5, 0.25]
    """
    if field.shape != domain.fine.shape:
        raise ValueError(f"Expected a fine map with shape {domain.fine.shape}, got {field.shape}.")
    rows, cols = (_weights(n, m) for n, m in zip(domain.fine.shape, domain.coarse_box.shape, strict=True))
    known = ~np.isnan(field)  # an infinite value is no gap, and shows in its mean
    total = _apply(rows, np.where(known, field, np.float32(0)), cols)
    share = _apply(rows, known.astype(np.float32), cols)
    enough = share >= LEAST_SHARE - 1e-6
    return np.where(enough, total / np.where(enough, share, 1), np.nan).astype(np.float32), share


@lru_cache(maxsize=8)
def _weights(cells: int, nodes: int) -> sparse.csr_array:
    """Share of each node's span in each cell, (nodes, cells); a cell half-way between two nodes is halved."""
    centre = (np.arange(cells) + 0.5) / CELLS_PER_NODE  # in steps between nodes
    nearest = np.floor(centre + 0.5).astype(int)
    half_way = np.isclose(centre - np.floor(centre), 0.5)
    entries = [
        (nearest[~half_way], np.flatnonzero(~half_way), 1.0),
        (nearest[half_way], np.flatnonzero(half_way), 0.5),
        (nearest[half_way] - 1, np.flatnonzero(half_way), 0.5),
    ]
    matrix = sparse.lil_array((nodes, cells), dtype=np.float32)
    for node, cell, weight in entries:
        inside = (node >= 0) & (node < nodes)
        matrix[node[inside], cell[inside]] = weight / CELLS_PER_NODE
    return matrix.tocsr()


def _apply(rows: sparse.csr_array, values: np.ndarray, cols: sparse.csr_array) -> np.ndarray:
    return np.ascontiguousarray((cols @ (rows @ values).T).T)


def hold_outwards(nodes: np.ndarray) -> np.ndarray:
    """Nodes without a value take that of the nearest node that has one, so that interpolation reaches every coast.

    The cells round such a node have no support themselves, so what it holds only ever acts as a neighbour's slope.

    Raises
    ------
    ValueError
        If no node has a value.
    """
    missing = ~np.isfinite(nodes)
    if missing.all():
        raise ValueError("No node has a value: the field is missing everywhere.")
    if not missing.any():
        return nodes
    index = distance_transform_edt(missing, return_distances=False, return_indices=True)
    return nodes[tuple(index)]


def to_cells(nodes: np.ndarray, domain: Domain) -> np.ndarray:
    """A field at the nodes of the coarse box, interpolated bilinearly to the fine cells, float32 (H, W).

    A cell beside a node without a value has none either: see `hold_outwards`.
    """
    box: Grid = domain.coarse_box
    if nodes.shape != box.shape:
        raise ValueError(f"Expected a field on the nodes with shape {box.shape}, got {nodes.shape}.")
    return place(domain.fine, nodes.astype(np.float32), box.lat, box.lon, interpolate=True, name="nodes")


class DayMaps:
    """Whole maps of a source and their means at the nodes; the last few are kept, since all methods share them.

    Parameters
    ----------
    source : DaySource
    kept : int
        Days that are kept; a map of Europe takes 117 MB.
    """

    def __init__(self, source: DaySource, kept: int = 2) -> None:
        self.source = source
        self._read = lru_cache(maxsize=kept)(self._read_map)
        self._nodes = lru_cache(maxsize=kept)(self._read_nodes)

    def pm2p5(self, day: np.datetime64) -> np.ndarray:
        """Fine map of a day, (H, W), NaN where missing [ug m-3]."""
        return self._read(day)

    def nodes(self, day: np.datetime64) -> tuple[np.ndarray, np.ndarray]:
        """Its means and their support (see `node_means`)."""
        return self._nodes(day)

    def _read_map(self, day: np.datetime64) -> np.ndarray:
        return self.source.pm2p5(day, slice(None), slice(None))

    def _read_nodes(self, day: np.datetime64) -> tuple[np.ndarray, np.ndarray]:
        return node_means(self._read(day), self.source.domain)
