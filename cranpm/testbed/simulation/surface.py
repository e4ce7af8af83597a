"""Geography as the simulation needs it: on the coarse nodes and on the 0.1-degree lattice of the tracer.

Lattice node (i, j) lies at (north - 0.1 i, west + 0.1 j) and stands for the 10 x 10 fine cells around it, so fine row
r sits at lattice row (r + 0.5) / 10. Shapes: R rows and C columns of the coarse box, P and Q of the lattice.
"""

from __future__ import annotations

import numpy as np
import torch

from cranpm.testbed.geography.geography import Geography
from cranpm.testbed.simulation.flow import EARTH_RADIUS

CELLS_PER_LATTICE = 10

_COUNTRY_FACTORS = {
    **dict.fromkeys(("PL", "RS", "BA", "MK", "XK"), 1.75),
    **dict.fromkeys(("SK", "HU", "RO", "HR", "SI", "AL", "ME"), 1.05),
    **dict.fromkeys(("TR", "EG", "TN"), 1.15),
    **dict.fromkeys(("IT", "UA", "MD", "GR", "BY"), 1.0),
    **dict.fromkeys(("LT", "LV", "RU", "AT", "BE", "BG", "CZ"), 0.9),
    **dict.fromkeys(("NL", "LU", "DZ", "LY", "MA", "SY", "IQ"), 0.8),
    **dict.fromkeys(("FR", "CH", "CY", "IL", "LB", "JO"), 0.95),
    **dict.fromkeys(("DE",), 0.74),
    **dict.fromkeys(("GB", "DK", "EE"), 0.65),
    **dict.fromkeys(("ES", "PT", "IE"), 0.55),
    **dict.fromkeys(("SE", "NO", "FI", "IS"), 0.38),
}
"""Particles per person relative to Europe's mean: coal and wood heating in the east, little in the north."""


def face_to_node(openness: torch.Tensor, dim: int) -> torch.Tensor:
    """How open a node is along one direction: its more closed face decides. Faces lie between neighbours."""
    first, last = openness.narrow(dim, 0, 1), openness.narrow(dim, -1, 1)
    return torch.minimum(torch.cat([first, openness], dim), torch.cat([openness, last], dim))


def smooth(field: np.ndarray, rows: float, cols: float) -> np.ndarray:
    """Gaussian mean with standard deviations in grid steps; weights are renormalised at the edges."""

    def weights(size: int, width: float) -> np.ndarray:
        if width <= 0:
            return np.eye(size)
        index = np.arange(size)
        matrix = np.exp(-0.5 * ((index[:, None] - index[None, :]) / width) ** 2)
        return matrix / matrix.sum(1, keepdims=True)

    return weights(field.shape[0], rows) @ field @ weights(field.shape[1], cols).T


def block_sum(field: np.ndarray, shape: tuple[int, int], mode: str) -> np.ndarray:
    """Sums of the fine cells around each lattice node; ``mode`` pads the rim ("edge" values or "constant" zeros)."""
    half = CELLS_PER_LATTICE // 2
    pads = [
        (half, max(0, n * CELLS_PER_LATTICE - half - size))
        for n, size in zip(shape, field.shape, strict=True)
    ]
    padded = np.pad(field, pads, mode=mode)[: shape[0] * CELLS_PER_LATTICE, : shape[1] * CELLS_PER_LATTICE]  # type: ignore[call-overload]
    return padded.reshape(shape[0], CELLS_PER_LATTICE, shape[1], CELLS_PER_LATTICE).sum(
        (1, 3), dtype=np.float64
    )


class Surface:
    """Coarse and lattice fields derived once from a geography.

    Parameters
    ----------
    geography : Geography
        Land, terrain, population and towns.
    device : str or torch.device
        Where tensors live.
    """

    def __init__(
        self, geography: Geography, device: str | torch.device = "cpu", *, barrier_factor: float = 1.0
    ) -> None:
        self.device = device = torch.device(device)
        self.coarse = coarse = geography.domain.coarse_box
        self.shape = (round((coarse.rows - 1) * 2.5) + 1, round((coarse.cols - 1) * 2.5) + 1)
        self.lat = coarse.north - np.arange(self.shape[0]) / 10
        self.lon = coarse.west + np.arange(self.shape[1]) / 10

        def tensor(values: np.ndarray) -> torch.Tensor:
            return torch.from_numpy(np.ascontiguousarray(values)).float().to(device)

        land, elevation = (np.asarray(f, float) for f in (geography.coarse_land, geography.coarse_elevation))
        self.land, self.elevation = tensor(land), tensor(elevation)
        self.barrier_east = tensor(geography.coarse_barrier_east[:, :-1] * barrier_factor)
        self.barrier_north = tensor(geography.coarse_barrier_north[1:, :] * barrier_factor)
        self.continentality = tensor(np.clip(smooth(land, 10, 14) * 1.15 - 0.1, 0, 1) * land)
        hills = smooth(elevation, 1.2, 1.8)
        step = np.deg2rad(coarse.step) * EARTH_RADIUS
        south, east = np.gradient(hills)
        self.slope_east = tensor(east / (step * np.cos(np.deg2rad(coarse.lat))[:, None]))
        self.slope_north = tensor(-south / step)

        cells = CELLS_PER_LATTICE**2
        valley = block_sum(geography.valley_depth, self.shape, "edge") / cells
        self.basin_lattice = tensor(np.clip(valley / 450.0, 0, 1) * (barrier_factor > 0))
        self.basin = self.to_coarse(self.basin_lattice)
        self.land_lattice = tensor(block_sum(geography.land, self.shape, "edge") / cells)
        self.population = block_sum(geography.population, self.shape, "constant")
        self.country_factor = self._country_factor(geography)

    def to_coarse(self, field: torch.Tensor) -> torch.Tensor:
        """Area means over the 0.25-degree cell of each coarse node, (..., P, Q) -> (..., R, C)."""
        if not hasattr(self, "_means"):
            self._means = [
                torch.from_numpy(_overlap(n, m)).float().to(self.device)
                for n, m in zip(self.coarse.shape, self.shape, strict=True)
            ]
        rows, cols = self._means
        return rows @ field @ cols.T

    def to_lattice(self, field: torch.Tensor) -> torch.Tensor:
        """Bilinear interpolation (..., R, C) -> (..., P, Q)."""
        flat = field.reshape(1, -1, *field.shape[-2:])
        fine = torch.nn.functional.interpolate(flat, size=self.shape, mode="bilinear", align_corners=True)
        return fine.reshape(*field.shape[:-2], *self.shape)

    def _country_factor(self, geography: Geography) -> np.ndarray:
        """Emission factor of the country of the nearest town, blended across borders over some 30 km, (P, Q)."""
        factors = np.array([_COUNTRY_FACTORS.get(str(code), 1.0) for code in geography.countries])
        blended = smooth(factors[np.asarray(geography.coarse_country)], 1.0, 1.4)
        return self.to_lattice(torch.from_numpy(blended).float().to(self.device)).cpu().numpy().astype(float)


def _overlap(nodes: int, points: int) -> np.ndarray:
    """Share of each lattice point in the mean over each coarse node's cell, shape (nodes, points)."""
    centre, index = np.arange(nodes)[:, None] * 2.5, np.arange(points)[None, :]
    low, high = np.maximum(centre - 1.25, index - 0.5), np.minimum(centre + 1.25, index + 0.5)
    weights = np.clip(high - low, 0, None)
    return weights / weights.sum(1, keepdims=True)
