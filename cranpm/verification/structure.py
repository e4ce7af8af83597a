"""Structural similarity of two maps with gaps."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.ndimage import gaussian_filter

SIGMA = 1.5
RADIUS = 5
"""Gaussian window of 11 x 11 cells (Wang et al. 2004)."""

DATA_RANGE = 100.0
"""Fixed range of PM2.5 [ug m-3]; report 20 beside it. A range taken from the data would differ from day to day."""


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
