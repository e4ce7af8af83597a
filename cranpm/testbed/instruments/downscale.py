"""From the 0.1-degree tracer to 0.01 degrees: sources, valleys and plumes stretched by the wind.

Three fields on a 0.05-degree lattice are made once a day and interpolated to any window of the fine grid; two fixed
textures (where sources are, where valleys are) give the detail. Every fine value depends only on its own row and
column, so windows agree with each other. Shapes: (U, W) 0.05-degree lattice, (h, w) a fine window.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

from cranpm.testbed.geography.geography import Geography
from cranpm.testbed.simulation.constants import DownscalingConfig, WorldConstants
from cranpm.testbed.simulation.surface import CELLS_PER_LATTICE, block_sum
from cranpm.testbed.simulation.world import DayState

CELLS_PER_PLUME = 5
_SECTORS = 8


class Downscaler:
    """Fixed textures of a geography and the arithmetic that makes fine maps.

    Parameters
    ----------
    geography : Geography
    device : str or torch.device
    config : DownscalingConfig, optional
        World 1's by default.
    """

    def __init__(
        self,
        geography: Geography,
        device: str | torch.device = "cpu",
        config: DownscalingConfig | None = None,
    ) -> None:
        self.geography, self.device = geography, torch.device(device)
        self.config = config = config or DownscalingConfig()
        box = geography.domain.coarse_box
        self.shape = ((box.rows - 1) * 5 + 1, (box.cols - 1) * 5 + 1)
        self.fine_shape = geography.domain.fine.shape
        self.lat = box.north - np.arange(self.shape[0]) / 20
        lattice = ((self.shape[0] - 1) // 2 + 1, (self.shape[1] - 1) // 2 + 1)
        sources = 400.0 * np.tanh(np.asarray(geography.population, np.float32) ** 0.72 / 400.0)
        near = _box_mean(sources, 1)
        near -= _up(block_sum(sources, lattice, "constant") / CELLS_PER_LATTICE**2, self.fine_shape)
        self.sources = torch.from_numpy(near * np.float32(1 / 100.0)).to(self.device)
        elevation = np.asarray(geography.elevation, np.float32)
        mean = _up(block_sum(elevation, lattice, "edge") / CELLS_PER_LATTICE**2, self.fine_shape)
        self.valleys = torch.from_numpy(
            np.clip((mean - elevation) / config.valley_height, -config.valley_limit, config.valley_limit)
        ).to(self.device)
        plume_sources = block_sum_5(sources, self.shape) / CELLS_PER_PLUME**2 / 100.0
        self.plumes = torch.from_numpy(_plumes(plume_sources, self.lat)).to(self.device)

    def fields(self, state: DayState) -> torch.Tensor:
        """Base, source strength and valley strength of a day on the 0.05-degree lattice, shape (3, U, W)."""
        lattice = torch.from_numpy(state.pm)[None, None].to(self.device)
        coarse = torch.from_numpy(np.stack([state.source, state.pooling, state.era5[0], state.era5[1]]))
        base = F.interpolate(lattice, size=self.shape, mode="bilinear", align_corners=True)[0, 0]
        coarse = F.interpolate(
            coarse[None].to(self.device), size=self.shape, mode="bilinear", align_corners=True
        )[0]
        source, pooling, u, v = coarse
        turn = torch.remainder(torch.atan2(v, u) / (2 * torch.pi) * _SECTORS, _SECTORS)
        lower = turn.floor()
        share, lower = turn - lower, lower.long() % _SECTORS
        first = torch.gather(self.plumes, 0, lower[None])[0]
        second = torch.gather(self.plumes, 0, (lower[None] + 1) % _SECTORS)[0]
        plume = torch.lerp(first, second, share)
        valley = self.config.valley_contrast + self.config.valley_pooling * pooling
        return torch.stack([base + 1.6 * source * plume, 0.8 * source, base * valley])

    def window(self, fields: torch.Tensor, rows: slice, cols: slice) -> torch.Tensor:
        """True PM2.5 on a window of the fine grid, shape (h, w) [ug m-3]."""
        top, bottom, _ = rows.indices(self.fine_shape[0])
        left, right, _ = cols.indices(self.fine_shape[1])
        base, source, valley = _interpolate(
            fields,
            torch.arange(top, bottom, device=self.device),
            torch.arange(left, right, device=self.device),
        )
        return _compose(
            base, source, valley, self.sources[top:bottom, left:right], self.valleys[top:bottom, left:right]
        )

    def points(self, fields: torch.Tensor, rows: torch.Tensor, cols: torch.Tensor) -> torch.Tensor:
        """True PM2.5 in single cells; rows and columns may be of any shapes that broadcast."""
        r0, fr = _position(rows)
        c0, fc = _position(cols)
        west = torch.lerp(fields[:, r0, c0], fields[:, r0 + 1, c0], fr)
        east = torch.lerp(fields[:, r0, c0 + 1], fields[:, r0 + 1, c0 + 1], fr)
        base, source, valley = torch.lerp(west, east, fc)
        return _compose(base, source, valley, self.sources[rows, cols], self.valleys[rows, cols])

    def windows(
        self, fields: torch.Tensor, rows: torch.Tensor, cols: torch.Tensor, size: int
    ) -> torch.Tensor:
        """Many windows of one day in one go, for training on a device.

        Parameters
        ----------
        fields : Tensor, shape (3, U, W)
            From `fields`.
        rows, cols : Tensor, shape (B,), int
            First row and column of each window.
        size : int
            Rows and columns of a window.

        Returns
        -------
        Tensor, shape (B, size, size)
            The very values of `window`.
        """
        row, col = _block(rows, cols, size)
        return self.points(fields, row, col)


def downscaler(
    geography: Geography, device: str | torch.device = "cpu", *, constants: WorldConstants | None = None
) -> Downscaler:
    """The downscaler of a geography and a world (world 1 by default), kept as long as the geography is."""
    config = (constants or WorldConstants()).downscaling
    cache = geography.__dict__.setdefault("_downscalers", {}) if hasattr(geography, "__dict__") else {}
    key = str(device), config
    if key not in cache:
        cache[key] = Downscaler(geography, device, config)
    return cache[key]


def day_fields(scaler: Downscaler, state: DayState) -> torch.Tensor:
    """`Downscaler.fields`, kept for the last day asked: many windows of one day share them."""
    kept = scaler.__dict__.get("_kept")
    if kept is None or kept[0] is not state:
        scaler.__dict__["_kept"] = kept = (state, scaler.fields(state))
    return kept[1]


def _compose(
    base: torch.Tensor,
    source: torch.Tensor,
    valley: torch.Tensor,
    sources: torch.Tensor,
    valleys: torch.Tensor,
) -> torch.Tensor:
    truth = torch.addcmul(torch.addcmul(base, source, sources), valley, valleys)
    # detail never digs below a third of the surroundings
    return torch.maximum(truth, base * 0.35).clamp_min_(0.3)


def _block(rows: torch.Tensor, cols: torch.Tensor, size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Cell indices of windows, (B, size, 1) and (B, 1, size)."""
    step = torch.arange(size, device=rows.device)
    return rows[:, None, None] + step[:, None], cols[:, None, None] + step


def _position(index: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Lattice row below a fine row, and how far beyond it: (i + 0.5) / 5."""
    twice = 2 * index + 1
    return twice // 10, (twice % 10).float() / 10


def _interpolate(fields: torch.Tensor, rows: torch.Tensor, cols: torch.Tensor) -> torch.Tensor:
    """Bilinear values on a block of fine cells, (..., U, W) -> (..., h, w)."""
    r0, fr = _position(rows)
    c0, fc = _position(cols)
    top, bottom, first, last = int(r0[0]), int(r0[-1]) + 2, int(c0[0]), int(c0[-1]) + 2
    fields = fields[..., top:bottom, first:last].float()  # day files hold half precision
    r0, c0 = r0 - top, c0 - first
    strip = torch.lerp(fields.index_select(-2, r0), fields.index_select(-2, r0 + 1), fr[:, None])
    return torch.lerp(strip.index_select(-1, c0), strip.index_select(-1, c0 + 1), fc)


def _box_mean(field: np.ndarray, reach: int) -> np.ndarray:
    """Mean over (2 reach + 1)^2 cells, applied twice."""
    tensor = torch.from_numpy(field)[None, None]
    for _ in range(2):
        tensor = F.avg_pool2d(tensor, 2 * reach + 1, 1, reach, count_include_pad=False)
    return tensor[0, 0].numpy()


def _up(lattice: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """From 0.1-degree nodes to fine cells."""
    rows, cols = ((np.arange(n) + 0.5) / CELLS_PER_LATTICE for n in shape)
    r0, c0 = rows.astype(int), cols.astype(int)
    lattice = lattice.astype(np.float32)
    fr, fc = (rows - r0).astype(np.float32)[:, None], (cols - c0).astype(np.float32)
    strip = lattice[r0] * (1 - fr) + lattice[r0 + 1] * fr
    return strip[:, c0] * (1 - fc) + strip[:, c0 + 1] * fc


def block_sum_5(field: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Sums over the 5 x 5 fine cells around each 0.05-degree node (two south-east of the middle)."""
    n = CELLS_PER_PLUME
    pads = [(2, max(0, size * n - 2 - length)) for size, length in zip(shape, field.shape, strict=True)]
    padded = np.pad(field, pads)[: shape[0] * n, : shape[1] * n]
    return padded.reshape(shape[0], n, shape[1], n).sum((1, 3), dtype=np.float64)


def _plumes(sources: np.ndarray, lat: np.ndarray) -> np.ndarray:
    """Sources smeared downwind for winds towards E, NE, N, ... less their surroundings, shape (8, U, W)."""
    pad = 24
    padded = np.pad(sources, pad)
    transform = np.fft.rfft2(padded)
    y, x = (np.fft.fftfreq(n, 1 / n) for n in padded.shape)
    north, east = -y[:, None] * 5.55, x[None, :] * 5.55 * np.cos(np.deg2rad(lat.mean()))  # km
    wide = np.exp(-0.5 * (north**2 + east**2) / 20.0**2)
    wide /= wide.sum()
    result = []
    for sector in range(_SECTORS):
        angle = 2 * np.pi * sector / _SECTORS
        along = east * np.cos(angle) + north * np.sin(angle)
        across = -east * np.sin(angle) + north * np.cos(angle)
        width = 4.0 + 0.18 * np.clip(along, 0, None)
        kernel = np.where(
            along > -4, np.exp(-np.clip(along, 0, None) / 22.0 - 0.5 * (across / width) ** 2) / width, 0
        )
        kernel = kernel / kernel.sum() - wide
        smeared = np.fft.irfft2(transform * np.fft.rfft2(kernel), padded.shape)
        result.append(smeared[pad:-pad, pad:-pad])
    return np.stack(result).astype(np.float32)
