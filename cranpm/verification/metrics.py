"""Scores of a forecast against a reference, on arrays of any shape.

Labelled arrays are matched by their coordinates and must agree. Pairs in which either value is missing are skipped;
:func:`count_pairs` says how many. Always name the reference (GHAP-like target or station), the grid, the pooling and
the lead beside a number. Streaming twins are in :mod:`cranpm.verification.sums`.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from cranpm.domain.grid import Grid
from cranpm.verification.structure import ssim
from cranpm.verification.sums import PairSums

__all__ = [
    "Contingency",
    "area_weights",
    "bias",
    "contingency",
    "correlation",
    "count_pairs",
    "fac2",
    "mae",
    "normalised_mean_bias",
    "rmse",
    "skill",
    "ssim",
]

Dim = Hashable | Sequence[Hashable] | None


def matched(forecast: ArrayLike, reference: ArrayLike) -> tuple[ArrayLike, ArrayLike]:
    """Both as they are, or refused: labelled arrays must have the very same coordinates."""
    if isinstance(forecast, xr.DataArray) and isinstance(reference, xr.DataArray):
        if set(forecast.dims) != set(reference.dims):
            msg = f"Forecast has dimensions {forecast.dims}, reference {reference.dims}; select or average them first."
            raise ValueError(msg)
        try:
            forecast, reference = xr.align(forecast, reference, join="exact")
        except ValueError as error:
            msg = f"Forecast and reference lie on different coordinates ({error}). Bring both to one grid."
            raise ValueError(msg) from error
        reference = reference.transpose(*forecast.dims)
    return forecast, reference


def _score(
    name: str, forecast: ArrayLike, reference: ArrayLike, dim: Dim, weights: ArrayLike | None
) -> float | xr.DataArray:
    forecast, reference = matched(forecast, reference)
    if dim is None:
        return float(getattr(PairSums.of(forecast, reference, weights=weights), name))
    labelled = next((a for a in (forecast, reference) if isinstance(a, xr.DataArray)), None)
    if labelled is None:
        raise ValueError(f"Dimension {dim!r} needs labelled arrays (xarray.DataArray).")
    dims = (dim,) if isinstance(dim, str) or not isinstance(dim, Sequence) else tuple(dim)
    axes = tuple(labelled.get_axis_num(d) for d in dims)
    if isinstance(weights, xr.DataArray):
        weights = weights.broadcast_like(labelled).transpose(*labelled.dims).values
    values = getattr(PairSums.of(forecast, reference, weights=weights, axis=axes), name)
    return labelled.isel(dict.fromkeys(dims, 0), drop=True).copy(data=values).rename(name).drop_attrs()


def count_pairs(forecast: ArrayLike, reference: ArrayLike) -> tuple[int, int]:
    """Pairs that scores use, and pairs that they skip because a value is missing."""
    forecast, reference = matched(forecast, reference)
    sums = PairSums.of(forecast, reference)
    return int(sums.count), int(sums.missing)


def rmse(
    forecast: ArrayLike, reference: ArrayLike, dim: Dim = None, *, weights: ArrayLike | None = None
) -> Any:
    """Root mean square error, in the units of the data.

    Parameters
    ----------
    forecast, reference : array_like or DataArray
        Same shape; NaN is missing.
    dim : str or sequence of str, optional
        Dimensions to score over; the others stay. Default: all, pooled.
    weights : array_like, optional
        Such as :func:`area_weights`.

    Returns
    -------
    float or DataArray
        NaN where no pair is left.

    Examples
    --------
    >>> round(rmse([1.0, 2.0, np.nan], [1.0, 4.0, 0.0]), 4)
    1.4142
    """
    return _score("rmse", forecast, reference, dim, weights)


def mae(
    forecast: ArrayLike, reference: ArrayLike, dim: Dim = None, *, weights: ArrayLike | None = None
) -> Any:
    """Mean absolute error; parameters as for :func:`rmse`."""
    return _score("mae", forecast, reference, dim, weights)


def bias(
    forecast: ArrayLike, reference: ArrayLike, dim: Dim = None, *, weights: ArrayLike | None = None
) -> Any:
    """Mean of forecast minus reference: positive when the forecast is too high. Parameters as for :func:`rmse`."""
    return _score("bias", forecast, reference, dim, weights)


def normalised_mean_bias(
    forecast: ArrayLike, reference: ArrayLike, dim: Dim = None, *, weights: ArrayLike | None = None
) -> Any:
    """Sum of errors over sum of references; parameters as for :func:`rmse`."""
    return _score("normalised_mean_bias", forecast, reference, dim, weights)


def correlation(
    forecast: ArrayLike, reference: ArrayLike, dim: Dim = None, *, weights: ArrayLike | None = None
) -> Any:
    """Pearson's r; NaN with fewer than two pairs or without spread. Parameters as for :func:`rmse`."""
    return _score("correlation", forecast, reference, dim, weights)


def fac2(
    forecast: ArrayLike, reference: ArrayLike, dim: Dim = None, *, weights: ArrayLike | None = None
) -> Any:
    """Share of forecasts between half and twice the reference; parameters as for :func:`rmse`."""
    return _score("fac2", forecast, reference, dim, weights)


def skill(
    forecast: ArrayLike, reference: ArrayLike, baseline: ArrayLike, *, weights: ArrayLike | None = None
) -> float:
    """1 - RMSE / RMSE of a baseline, on the pairs that all three have: 0.04 means 4 % less error, 0 no gain.

    Raises
    ------
    ValueError
        If the three do not match.
    """
    forecast, reference = matched(forecast, reference)
    baseline, _ = matched(baseline, reference)
    if isinstance(baseline, xr.DataArray) and isinstance(forecast, xr.DataArray):
        baseline = baseline.transpose(*forecast.dims)
    baseline, ours = np.asarray(baseline, dtype=float), np.asarray(forecast, dtype=float)
    if baseline.shape != ours.shape:
        raise ValueError(f"Baseline and forecast must have one shape, got {baseline.shape} and {ours.shape}.")
    ours, theirs = (
        np.where(np.isfinite(baseline), ours, np.nan),
        np.where(np.isfinite(ours), baseline, np.nan),
    )
    error = PairSums.of(theirs, reference, weights=weights).rmse
    return (
        float(1 - PairSums.of(ours, reference, weights=weights).rmse / error) if error > 0 else float("nan")
    )


@dataclass(frozen=True, kw_only=True)
class Contingency:
    """How often values above a threshold were forecast and seen; addable over days."""

    threshold: float
    hits: int
    misses: int
    false_alarms: int
    correct_negatives: int

    def __add__(self, other: Contingency) -> Contingency:
        if self.threshold != other.threshold:
            raise ValueError(f"Counts of thresholds {self.threshold} and {other.threshold} cannot be added.")
        names = ("hits", "misses", "false_alarms", "correct_negatives")
        return Contingency(
            threshold=self.threshold, **{n: getattr(self, n) + getattr(other, n) for n in names}
        )

    @property
    def pod(self) -> float:
        """Probability of detection: share of events that were forecast."""
        return _ratio(self.hits, self.hits + self.misses)

    @property
    def far(self) -> float:
        """False alarm ratio: share of forecast events that did not happen."""
        return _ratio(self.false_alarms, self.hits + self.false_alarms)

    @property
    def csi(self) -> float:
        """Critical success index: hits among all that was forecast or happened."""
        return _ratio(self.hits, self.hits + self.misses + self.false_alarms)


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")


def contingency(forecast: ArrayLike, reference: ArrayLike, threshold: float) -> Contingency:
    """Counts of values above a threshold (an event is strictly more than it, as limit values are meant)."""
    forecast, reference = (np.asarray(a, dtype=float) for a in matched(forecast, reference))
    if forecast.shape != reference.shape:
        raise ValueError(
            f"Forecast and reference must have one shape, got {forecast.shape} and {reference.shape}."
        )
    valid = np.isfinite(forecast) & np.isfinite(reference)
    warned, happened = forecast[valid] > threshold, reference[valid] > threshold
    return Contingency(
        threshold=threshold,
        hits=int((warned & happened).sum()),
        misses=int((~warned & happened).sum()),
        false_alarms=int((warned & ~happened).sum()),
        correct_negatives=int((~warned & ~happened).sum()),
    )


def area_weights(grid: Grid) -> np.ndarray:
    """Relative areas of a grid's cells from their edges, mean 1, shape (rows, 1).

    Weights of a whole sphere would be wrong here: a regional grid ends where it ends.
    """
    band = -np.diff(np.sin(np.deg2rad(grid.lat_edges)))
    return (band / band.mean())[:, None]
