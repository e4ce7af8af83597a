"""Sums over forecast-reference pairs: everything that a score needs, small, and addable.

A year of 29-Mpixel maps is scored one day at a time; days, regions or processes are merged by ``+``. Pairs in which
either value is missing are left out and counted.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import ArrayLike

from cranpm._json import JsonObject

_BLOCK = 2**21
"""Pairs turned to double precision at a time."""


@dataclass(frozen=True, kw_only=True)
class PairSums:
    """Weighted sums over pairs, each an array of one shape (0-d when everything is pooled).

    ``count`` and ``missing`` count pairs, ``weight`` adds their weights; f is the forecast, r the reference [ug m-3].
    """

    count: np.ndarray
    missing: np.ndarray
    weight: np.ndarray
    f: np.ndarray
    r: np.ndarray
    ff: np.ndarray
    rr: np.ndarray
    fr: np.ndarray
    absolute: np.ndarray
    squared: np.ndarray
    within_factor_2: np.ndarray

    @classmethod
    def of(
        cls,
        forecast: ArrayLike,
        reference: ArrayLike,
        *,
        weights: ArrayLike | None = None,
        axis: int | tuple[int, ...] | None = None,
    ) -> PairSums:
        """Sums over the given axes of two arrays of one shape (all axes by default).

        Parameters
        ----------
        forecast, reference : array_like
            Same shape; NaN is missing.
        weights : array_like, optional
            Broadcast to that shape, such as areas of shape (rows, 1).

        Raises
        ------
        ValueError
            If shapes differ, or weights are negative or missing.
        """
        forecast, reference = np.asarray(forecast), np.asarray(reference)
        if forecast.shape != reference.shape:
            raise ValueError(
                f"Forecast and reference must have one shape, got {forecast.shape} and {reference.shape}."
            )
        if weights is not None:
            weights = np.asarray(weights, dtype=float)
            if np.isnan(weights).any() or (weights < 0).any():
                raise ValueError("Weights must be zero or more and never missing.")
            weights = np.broadcast_to(weights, forecast.shape)
        if axis is None and forecast.ndim > 0 and forecast.size > _BLOCK:
            return cls._in_blocks(forecast, reference, weights)
        return cls._sum(forecast, reference, weights, axis)

    @classmethod
    def _in_blocks(cls, forecast: np.ndarray, reference: np.ndarray, weights: np.ndarray | None) -> PairSums:
        rows = max(1, _BLOCK * forecast.shape[0] // forecast.size)
        starts = range(0, forecast.shape[0], rows)
        parts = [
            cls._sum(
                forecast[i : i + rows],
                reference[i : i + rows],
                None if weights is None else weights[i : i + rows],
                None,
            )
            for i in starts
        ]
        return sum(parts[1:], start=parts[0])

    @classmethod
    def _sum(
        cls,
        forecast: np.ndarray,
        reference: np.ndarray,
        weights: np.ndarray | None,
        axis: int | tuple[int, ...] | None,
    ) -> PairSums:
        if axis is None:
            return cls._of_all(forecast, reference, weights)
        f, r = forecast.astype(float), reference.astype(float)
        valid = np.isfinite(f) & np.isfinite(r)
        f, r = np.where(valid, f, 0.0), np.where(valid, r, 0.0)
        w = valid.astype(float) if weights is None else np.where(valid, weights, 0.0)
        within = valid & (f >= 0.5 * r) & (f <= 2 * r)

        def total(values: np.ndarray) -> np.ndarray:
            return np.asarray((w * values).sum(axis=axis))

        return cls(
            count=np.asarray(valid.sum(axis=axis)),
            missing=np.asarray((~valid).sum(axis=axis)),
            weight=np.asarray(w.sum(axis=axis)),
            f=total(f),
            r=total(r),
            ff=total(f * f),
            rr=total(r * r),
            fr=total(f * r),
            absolute=total(np.abs(f - r)),
            squared=total((f - r) ** 2),
            within_factor_2=total(within.astype(float)),
        )

    @classmethod
    def _of_all(cls, forecast: np.ndarray, reference: np.ndarray, weights: np.ndarray | None) -> PairSums:
        """The plain case, by dot products: maps are scored by it."""
        valid = np.isfinite(forecast) & np.isfinite(reference)
        f, r = forecast[valid].astype(float), reference[valid].astype(float)
        error = f - r
        within = (f >= 0.5 * r) & (f <= 2 * r)
        count = {"count": len(f), "missing": valid.size - len(f)}
        if weights is None:
            values = {
                **count,
                "weight": float(len(f)),
                "f": f.sum(),
                "r": r.sum(),
                "ff": f @ f,
                "rr": r @ r,
                "fr": f @ r,
                "absolute": np.abs(error).sum(),
                "squared": error @ error,
                "within_factor_2": float(np.count_nonzero(within)),
            }
        else:
            w = weights[valid].astype(float)
            values = {
                **count,
                "weight": w.sum(),
                "f": w @ f,
                "r": w @ r,
                "ff": w @ (f * f),
                "rr": w @ (r * r),
                "fr": w @ (f * r),
                "absolute": w @ np.abs(error),
                "squared": w @ (error * error),
                "within_factor_2": w[within].sum(),
            }
        return cls(**{name: np.asarray(value) for name, value in values.items()})

    def to_dict(self) -> JsonObject:
        """Plain values, for JSON; `from_dict` is the inverse, to the last bit."""
        return {x.name: getattr(self, x.name).tolist() for x in fields(self)}

    @classmethod
    def from_dict(cls, values: JsonObject) -> PairSums:
        """Inverse of `to_dict`."""
        return cls(**{x.name: np.asarray(values[x.name]) for x in fields(cls)})

    def __add__(self, other: PairSums) -> PairSums:
        return PairSums(**{x.name: getattr(self, x.name) + getattr(other, x.name) for x in fields(self)})

    @classmethod
    def stack(cls, parts: list[PairSums]) -> PairSums:
        """Several sums along a new first axis, such as one per day."""
        return cls(**{x.name: np.stack([getattr(part, x.name) for part in parts]) for x in fields(cls)})

    def take(self, index: np.ndarray) -> PairSums:
        """Entries along the first axis, repeated or left out as a bootstrap draws them."""
        return PairSums(**{x.name: getattr(self, x.name)[index] for x in fields(self)})

    def pooled(self, axis: int | tuple[int, ...] | None = 0) -> PairSums:
        """Sums over an axis, the first by default."""
        return PairSums(**{x.name: np.asarray(getattr(self, x.name).sum(axis=axis)) for x in fields(self)})

    def _mean(self, total: np.ndarray) -> np.ndarray:
        return np.divide(total, self.weight, out=np.full(np.shape(total), np.nan), where=self.weight > 0)

    @property
    def forecast_mean(self) -> np.ndarray:
        """Mean of the forecasts."""
        return self._mean(self.f)

    @property
    def reference_mean(self) -> np.ndarray:
        """Mean of the references."""
        return self._mean(self.r)

    @property
    def bias(self) -> np.ndarray:
        """Mean of forecast minus reference; NaN without pairs."""
        return self._mean(self.f - self.r)

    @property
    def normalised_mean_bias(self) -> np.ndarray:
        """Sum of errors over sum of references."""
        return np.divide(self.f - self.r, self.r, out=np.full(np.shape(self.r), np.nan), where=self.r != 0)

    @property
    def mse(self) -> np.ndarray:
        """Mean squared error."""
        return self._mean(self.squared)

    @property
    def rmse(self) -> np.ndarray:
        """Root mean squared error."""
        return np.sqrt(self.mse)

    @property
    def mae(self) -> np.ndarray:
        """Mean absolute error."""
        return self._mean(self.absolute)

    @property
    def _moments(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Covariance, variance of the forecasts and of the references, and what is rounding error of these."""
        cov = self._mean(self.fr) - self.forecast_mean * self.reference_mean
        var_f = self._mean(self.ff) - self.forecast_mean**2
        var_r = self._mean(self.rr) - self.reference_mean**2
        return cov, var_f, var_r, 1e-12 * np.maximum(self._mean(self.ff), self._mean(self.rr))

    @property
    def slope(self) -> np.ndarray:
        """Of the least-squares line of forecast on reference; NaN with fewer than two pairs or equal references."""
        cov, _, var_r, floor = self._moments
        usable = (self.count > 1) & (var_r > floor)
        return np.where(usable, cov / np.where(usable, var_r, 1.0), np.nan)

    @property
    def intercept(self) -> np.ndarray:
        """Where that line is at a reference of 0, in the units of the data."""
        return np.asarray(self.forecast_mean - self.slope * self.reference_mean)

    @property
    def correlation(self) -> np.ndarray:
        """Pearson's r; NaN with fewer than two pairs or without spread."""
        cov, var_f, var_r, floor = self._moments
        usable = (self.count > 1) & (var_f > floor) & (var_r > floor)
        spread = np.sqrt(np.where(usable, var_f * var_r, 1.0))
        return np.where(usable, np.clip(cov / spread, -1, 1), np.nan)

    @property
    def fac2(self) -> np.ndarray:
        """Share of forecasts between half and twice the reference (0 against 0 counts)."""
        return self._mean(self.within_factor_2)
