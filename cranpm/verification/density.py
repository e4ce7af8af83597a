"""How often each pair of a forecast and a reference occurs: what a scatter of millions of cells is drawn from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from cranpm.verification.metrics import matched
from cranpm.verification.sums import PairSums

_BLOCK = 2**21
"""Pairs that are put into bins at a time."""


@dataclass(frozen=True, kw_only=True)
class PairDensity:
    """Counts of pairs in bins of equal width from 0 to a top, and the sums of all pairs; addable over days.

    Parameters
    ----------
    counts : ndarray of int, shape (bins, bins)
        Entry (i, j): reference in bin i, forecast in bin j.
    top : float
        Upper edge of the last bin [ug m-3].
    sums : PairSums
        Of all pairs, those beyond the bins included.
    """

    counts: np.ndarray
    top: float
    sums: PairSums

    @classmethod
    def of(cls, forecast: ArrayLike, reference: ArrayLike, *, top: float, bins: int = 200) -> PairDensity:
        """Count the pairs of two fields; those in which either value is missing are left out.

        Parameters
        ----------
        forecast, reference : array_like or DataArray
            Same shape; labelled arrays must have the same coordinates.
        top : float
            Upper edge of the last bin [ug m-3]; more than 0.
        bins : int
            Of each axis.

        Returns
        -------
        PairDensity
            Values below 0 and above ``top`` are in no bin, but in the sums.

        Raises
        ------
        ValueError
            If shapes or coordinates differ, or ``top`` or ``bins`` is not positive.

        Examples
        --------
        >>> density = PairDensity.of([1.0, 3.0, np.nan, 99.0], [1.0, 1.0, 2.0, 3.0], top=4.0, bins=2)
        >>> density.counts.tolist(), int(density.sums.count), density.beyond
        ([[1, 1], [0, 0]], 3, 1)
        """
        if not top > 0 or bins < 1:
            raise ValueError(f"top must be more than 0 and bins at least 1; got {top!r} and {bins!r}.")
        forecast, reference = matched(forecast, reference)
        f, r = np.asarray(forecast), np.asarray(reference)
        sums = PairSums.of(f, r)
        f, r = f.ravel(), r.ravel()
        counts = np.zeros(bins * bins, np.int64)
        for start in range(0, f.size, _BLOCK):
            column, row = (part[start : start + _BLOCK] * (bins / top) for part in (f, r))
            within = (column >= 0) & (column < bins) & (row >= 0) & (row < bins)  # false for NaN
            index = row[within].astype(np.int64) * bins + column[within].astype(np.int64)
            counts += np.bincount(index, minlength=bins * bins)
        return cls(counts=counts.reshape(bins, bins), top=float(top), sums=sums)

    def __add__(self, other: PairDensity) -> PairDensity:
        if (self.top, self.counts.shape) != (other.top, other.counts.shape):
            raise ValueError(
                f"Counts in {len(self.counts)} bins up to {self.top:g} and in {len(other.counts)} up to {other.top:g} "
                "cannot be added; count both in the same bins."
            )
        return PairDensity(counts=self.counts + other.counts, top=self.top, sums=self.sums + other.sums)

    @property
    def beyond(self) -> int:
        """Pairs that are in no bin."""
        return int(self.sums.count) - int(self.counts.sum())

    @property
    def r_squared(self) -> float:
        """Share of the forecasts' variance that the least-squares line explains: the square of Pearson's r."""
        return float(self.sums.correlation) ** 2
