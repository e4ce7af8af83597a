"""Structural similarity of two maps with gaps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.ndimage import gaussian_filter

SIGMA = 1.5
RADIUS = 5
"""Gaussian window of 11 x 11 cells (Wang et al. 2004)."""

DATA_RANGE = 100.0
"""Fixed range of PM2.5 [ug m-3]; report 20 beside it. A range taken from the data would differ from day to day."""

DATA_RANGES = (DATA_RANGE, 20.0)
"""What is reported: at a range of 100 nearly everything is alike, at 20 maps of clean air are told apart, too."""


def ssim_map(forecast: Any, reference: Any, *, data_range: float = DATA_RANGE) -> np.ndarray:
    """Structural similarity around each cell, 1 where both maps agree; NaN where either has no value.

    Gaussian means, variances and covariances are taken over the cells that both maps have (normalised convolution), so
    that a coast is no edge and nothing is filled.

    Parameters
    ----------
    forecast, reference : array_like, shape (rows, cols)
        Same grid; NaN is missing.
    data_range : float
        Range of the values that the two stabilising constants refer to [ug m-3].
    """
    x, y = np.asarray(forecast, dtype=float), np.asarray(reference, dtype=float)
    if x.shape != y.shape or x.ndim != 2:
        raise ValueError(f"SSIM needs two maps of one shape (rows, cols), got {x.shape} and {y.shape}.")
    valid = np.isfinite(x) & np.isfinite(y)
    if not valid.any():
        return np.full(x.shape, np.nan)
    shift = x[valid].mean()  # variances of large numbers lose digits
    x, y = (np.where(valid, field - shift, 0.0) for field in (x, y))
    weight = _blur(valid.astype(float))
    with np.errstate(invalid="ignore", divide="ignore"):
        mean_x, mean_y = _blur(x) / weight, _blur(y) / weight
        var_x, var_y = _blur(x * x) / weight - mean_x**2, _blur(y * y) / weight - mean_y**2
        covariance = _blur(x * y) / weight - mean_x * mean_y
    mean_x, mean_y = mean_x + shift, mean_y + shift
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    luminance = (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1)
    return np.where(valid, luminance * (2 * covariance + c2) / (var_x + var_y + c2), np.nan)


def ssim(forecast: Any, reference: Any, *, data_range: float = DATA_RANGE) -> float:
    """Mean of :func:`ssim_map` over the cells that both maps have; NaN without any."""
    values = ssim_map(forecast, reference, data_range=data_range)
    valid = np.isfinite(values)
    return float(values[valid].mean()) if valid.any() else float("nan")


def _blur(field: np.ndarray) -> np.ndarray:
    return gaussian_filter(field, SIGMA, radius=RADIUS, mode="constant", cval=0.0)


def mean_ssim(
    forecasts: Mapping[str, np.ndarray],
    reference: np.ndarray,
    mask: np.ndarray,
    *,
    data_ranges: Sequence[float] = DATA_RANGES,
    every: int = 1,
) -> dict[str, tuple[float, ...]]:
    """Mean of `ssim_map` of several forecasts, for several ranges at once.

    What depends on the reference alone is computed once, in single precision. Windows overlap by far: of a large map
    every fourth cell of every fourth row tells the mean as well as all, at a tenth of the time.

    Parameters
    ----------
    forecasts : mapping of str to ndarray, shape (rows, cols)
    reference : ndarray, shape (rows, cols)
        On the same grid.
    mask : ndarray of bool, shape (rows, cols)
        Cells that count; all fields have values there.
    data_ranges : sequence of float
        [ug m-3].
    every : int
        Rows and columns from one cell that is averaged to the next.

    Returns
    -------
    dict
        Of each forecast the mean for each range; NaN where the mask holds no such cell.
    """
    seen = mask[::every, ::every]
    if not seen.any():
        return {name: (float("nan"),) * len(data_ranges) for name in forecasts}
    shift = np.float32(reference[mask].mean(dtype=np.float64))
    weight = _blur_every(mask.astype(np.float32), every)[seen]

    def means(field: np.ndarray) -> np.ndarray:
        return _blur_every(field, every)[seen] / weight

    y = np.where(mask, reference - shift, np.float32(0)).astype(np.float32)
    mean_y, square_y = means(y), means(y * y)
    var_y = square_y - mean_y**2
    found = {}
    for name, forecast in forecasts.items():
        x = np.where(mask, forecast - shift, np.float32(0)).astype(np.float32)
        mean_x = means(x)
        var_x, covariance = means(x * x) - mean_x**2, means(x * y) - mean_x * mean_y
        level_x, level_y = mean_x + shift, mean_y + shift
        values = []
        for data_range in data_ranges:
            c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
            luminance = (2 * level_x * level_y + c1) / (level_x**2 + level_y**2 + c1)
            values.append(
                float((luminance * (2 * covariance + c2) / (var_x + var_y + c2)).mean(dtype=np.float64))
            )
        found[name] = tuple(values)
    return found


_TAPS = np.exp(-0.5 * (np.arange(-RADIUS, RADIUS + 1) / SIGMA) ** 2)
_TAPS = (_TAPS / _TAPS.sum()).astype(np.float32)


def _blur_every(field: np.ndarray, every: int) -> np.ndarray:
    """`_blur` at every so-many-th row and column, single precision."""
    for axis in (0, 1):
        size = field.shape[axis]
        pads = [(0, 0), (0, 0)]
        pads[axis] = (RADIUS, RADIUS)
        padded = np.moveaxis(np.pad(field, pads), axis, 0)
        stop = (size - 1) // every * every + 1
        blurred = _TAPS[0] * padded[:stop:every]
        for k, tap in enumerate(_TAPS[1:], start=1):
            blurred += tap * padded[k : k + stop : every]
        field = np.moveaxis(blurred, 0, axis)
    return field
