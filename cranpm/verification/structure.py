"""Structural similarity of two maps with gaps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike
from scipy.ndimage import gaussian_filter

SIGMA = 1.5
RADIUS = 5
"""Gaussian window of 11 x 11 cells (Wang et al. 2004)."""

DATA_RANGE = 100.0
"""Fixed range of PM2.5 [ug m-3]; report 20 beside it. A range taken from the data would differ from day to day."""

WINDOW = 64
"""Cells along one side of what is averaged around a station."""

DATA_RANGES = (DATA_RANGE, 20.0)
"""What is reported: at a range of 100 nearly everything is alike, at 20 maps of clean air are told apart, too."""


def ssim_map(forecast: ArrayLike, reference: ArrayLike, *, data_range: float = DATA_RANGE) -> np.ndarray:
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


def ssim(forecast: ArrayLike, reference: ArrayLike, *, data_range: float = DATA_RANGE) -> float:
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
    fields = ssim_fields(forecasts, reference, mask, data_ranges=data_ranges, every=every)
    return {name: known_means(field) for name, field in fields}


def known_means(field: np.ndarray) -> tuple[float, ...]:
    """Mean of a map of `ssim_fields` for each range; NaN where nothing is known."""
    known = np.isfinite(field)
    if not known.any():
        return (float("nan"),) * len(field)
    return tuple(float(of[there].mean(dtype=np.float64)) for of, there in zip(field, known, strict=True))


def ssim_fields(
    forecasts: Mapping[str, np.ndarray],
    reference: np.ndarray,
    mask: np.ndarray,
    *,
    data_ranges: Sequence[float] = DATA_RANGES,
    every: int = 1,
) -> Iterator[tuple[str, np.ndarray]]:
    """The maps that `mean_ssim` averages, one forecast after the other, so that one is held at a time.

    Parameters
    ----------
    forecasts : mapping of str to ndarray, shape (rows, cols)
    reference : ndarray, shape (rows, cols)
    mask : ndarray of bool, shape (rows, cols)
    data_ranges : sequence of float
    every : int
        All as `mean_ssim` takes them.

    Yields
    ------
    name : str
        Of the forecast.
    field : ndarray, shape (ranges, rows / every, cols / every), rounded up
        `ssim_map` of every so-many-th cell for each range; NaN outside the mask.
    """
    seen = mask[::every, ::every]
    if not seen.any():
        for name in forecasts:
            yield name, np.full((len(data_ranges), *seen.shape), np.nan, np.float32)
        return
    shift = np.float32(reference[mask].mean(dtype=np.float64))
    weight = _blur_every(mask.astype(np.float32), every)[seen]

    def means(field: np.ndarray) -> np.ndarray:
        return _blur_every(field, every)[seen] / weight

    y = np.where(mask, reference - shift, np.float32(0)).astype(np.float32)
    mean_y, square_y = means(y), means(y * y)
    var_y = square_y - mean_y**2
    for name, forecast in forecasts.items():
        x = np.where(mask, forecast - shift, np.float32(0)).astype(np.float32)
        mean_x = means(x)
        var_x, covariance = means(x * x) - mean_x**2, means(x * y) - mean_x * mean_y
        level_x, level_y = mean_x + shift, mean_y + shift
        field = np.full((len(data_ranges), *seen.shape), np.nan, np.float32)
        for number, data_range in enumerate(data_ranges):
            c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
            luminance = (2 * level_x * level_y + c1) / (level_x**2 + level_y**2 + c1)
            field[number][seen] = luminance * (2 * covariance + c2) / (var_x + var_y + c2)
        yield name, field


def window_means(
    field: np.ndarray, rows: np.ndarray, cols: np.ndarray, *, every: int = 1, cells: int = WINDOW
) -> np.ndarray:
    """Means of a map around places, over what is known there.

    Parameters
    ----------
    field : ndarray, shape (ranges, rows / every, cols / every)
        From `ssim_fields`; NaN where nothing is known.
    rows, cols : ndarray of int, shape (N,)
        Cells of the whole map that the places lie in.
    every : int
        Cells of the whole map from one of ``field`` to the next.
    cells : int
        Side of the window [cells of the whole map]; at the edge of the map it is smaller.

    Returns
    -------
    ndarray, shape (N, ranges)
        NaN where the window holds no known cell.

    Examples
    --------
    >>> field = np.arange(16.0).reshape(1, 4, 4)
    >>> window_means(field, np.array([2, 0]), np.array([2, 0]), cells=2).ravel().tolist()
    [7.5, 0.0]
    """
    known = np.isfinite(field)
    ends = []
    for places, size in ((rows, field.shape[1]), (cols, field.shape[2])):
        first = -(
            -(np.asarray(places) - cells // 2) // every
        )  # the first cell of the field that lies in the window
        last = (np.asarray(places) + (cells - cells // 2) - 1) // every
        ends.append((np.clip(first, 0, size), np.clip(last + 1, 0, size)))
    (top, bottom), (left, right) = ends

    def sums(values: np.ndarray) -> np.ndarray:
        table = np.zeros((values.shape[0], values.shape[1] + 1, values.shape[2] + 1))
        table[:, 1:, 1:] = values.cumsum(1, dtype=np.float64).cumsum(2)
        return table[:, bottom, right] - table[:, top, right] - table[:, bottom, left] + table[:, top, left]

    count = sums(known)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(count > 0, sums(np.where(known, field, 0)) / count, np.nan).T)


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
