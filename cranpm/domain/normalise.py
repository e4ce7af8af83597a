"""From physical units to network units and back; each pair of inverses side by side."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from cranpm.domain.channels import DAY_CHANNELS

if TYPE_CHECKING:
    import torch

    from cranpm._json import JsonObject

_Values = TypeVar("_Values", float, np.ndarray, "torch.Tensor")

PM_OFFSET = 15.0
"""Subtracted from PM2.5 before scaling [ug m-3] (Table S4); the mean of nothing."""

PM_SCALE = 20.0
"""One network unit of PM2.5 or of its residual [ug m-3] (Table S4)."""

LOG_CHANNELS = frozenset({"tp"})
"""Channels that pass through log1p before the z-score."""


class MissingStatisticsError(KeyError):
    """A channel without mean and standard deviation; there is no default that would be right."""

    def __str__(self) -> str:
        return str(self.args[0])


@dataclass(frozen=True, kw_only=True)
class Statistics:
    """Mean and standard deviation of each day channel over the training period.

    Parameters
    ----------
    mean, std : dict of str to float
        By channel name, in store units (tp: of log1p of the daily sum in mm).
    period : str
        The days they were computed from, such as ``"2017-01-01..2020-12-31"``.
    source : str
        The dataset they were computed from.
    pm2p5_mean : float, optional
        Mean of the fine PM2.5 product over land [ug m-3]. The channel ``pm2p5`` above is the coarse analysis.
    """

    mean: dict[str, float]
    std: dict[str, float]
    period: str
    source: str
    pm2p5_mean: float | None = None

    @property
    def pm2p5_fill(self) -> float:
        """What gaps of the fine product are filled with [ug m-3].

        Its mean; `PM_OFFSET` where statistics do not know it, as those of version 0.1, whose networks were trained so.
        """
        return PM_OFFSET if self.pm2p5_mean is None else self.pm2p5_mean

    def vectors(self) -> tuple[np.ndarray, np.ndarray]:
        """Means and standard deviations in channel order, shape (35,) each.

        Raises
        ------
        MissingStatisticsError
            If a channel lacks a statistic or its spread is not positive.
        """
        missing = [c.name for c in DAY_CHANNELS if c.name not in self.mean or c.name not in self.std]
        if missing:
            msg = (
                f"No statistics for channel(s) {', '.join(missing)}; expected all 35. "
                "Compute them from the training days with 'cranpm testbed statistics' or Dataset.write_statistics."
            )
            raise MissingStatisticsError(msg)
        mean = np.array([self.mean[c.name] for c in DAY_CHANNELS], dtype=np.float32)
        std = np.array([self.std[c.name] for c in DAY_CHANNELS], dtype=np.float32)
        if not (np.isfinite(mean).all() and np.isfinite(std).all() and (std > 0).all()):
            bad = [
                c.name
                for c, m, s in zip(DAY_CHANNELS, mean, std, strict=True)
                if not (np.isfinite(m) and s > 0)
            ]
            raise MissingStatisticsError(f"Statistics of {', '.join(bad)} are not finite or have no spread.")
        return mean, std

    def to_dict(self) -> JsonObject:
        """Plain values, for JSON."""
        values = {
            "mean": dict(self.mean),
            "std": dict(self.std),
            "period": self.period,
            "source": self.source,
        }
        return values if self.pm2p5_mean is None else {**values, "pm2p5_mean": self.pm2p5_mean}

    @classmethod
    def from_dict(cls, values: JsonObject) -> Statistics:
        """Inverse of `to_dict`."""
        names = ("mean", "std", "period", "source")
        return cls(**{name: values[name] for name in names}, pm2p5_mean=values.get("pm2p5_mean"))


def _vectors_for(fields: np.ndarray, statistics: Statistics) -> tuple[np.ndarray, np.ndarray]:
    mean, std = statistics.vectors()
    channels = fields.shape[-3]
    if channels not in (35, 70):
        raise ValueError(f"Coarse fields need 35 (one day) or 70 (two days) channels, got {channels}.")
    repeat = channels // 35
    return np.tile(mean, repeat)[:, None, None], np.tile(std, repeat)[:, None, None]


_LOG_INDICES = [i for i, c in enumerate(DAY_CHANNELS) if c.name in LOG_CHANNELS]


def normalise_coarse(fields: np.ndarray, statistics: Statistics) -> np.ndarray:
    """z-scores of coarse fields, shape (..., 35 or 70, rows, cols); NaN stays NaN."""
    mean, std = _vectors_for(fields, statistics)
    result = np.array(fields, dtype=np.float32)
    for start in range(0, result.shape[-3], 35):
        for index in _LOG_INDICES:
            result[..., start + index, :, :] = np.log1p(result[..., start + index, :, :])
    return (result - mean) / std


def denormalise_coarse(fields: np.ndarray, statistics: Statistics) -> np.ndarray:
    """Inverse of `normalise_coarse`."""
    mean, std = _vectors_for(fields, statistics)
    result = np.asarray(fields, dtype=np.float32) * std + mean
    for start in range(0, result.shape[-3], 35):
        for index in _LOG_INDICES:
            result[..., start + index, :, :] = np.expm1(result[..., start + index, :, :])
    return result


def normalise_pm2p5(pm2p5: _Values) -> _Values:
    """PM2.5 [ug m-3] to network units (arrays or tensors)."""
    return (pm2p5 - PM_OFFSET) / PM_SCALE


def denormalise_pm2p5(values: _Values) -> _Values:
    """Inverse of `normalise_pm2p5` [ug m-3]."""
    return values * PM_SCALE + PM_OFFSET


def normalise_elevation(elevation: _Values) -> _Values:
    """Elevation [m] as an input channel; the biases use metres."""
    return elevation / 1000.0


def denormalise_elevation(values: _Values) -> _Values:
    """Inverse of `normalise_elevation` [m]."""
    return values * 1000.0


def normalise_latitude(latitude: _Values) -> _Values:
    """Latitude [degrees north] as an input channel, about -1..1 over Europe."""
    return (latitude - 51.0) / 20.0


def denormalise_latitude(values: _Values) -> _Values:
    """Inverse of `normalise_latitude` [degrees]."""
    return values * 20.0 + 51.0


def normalise_longitude(longitude: _Values) -> _Values:
    """Longitude [degrees east] as an input channel, about -1..1 over Europe."""
    return (longitude - 10.0) / 35.0


def denormalise_longitude(values: _Values) -> _Values:
    """Inverse of `normalise_longitude` [degrees]."""
    return values * 35.0 + 10.0


def compute_statistics(days: Iterable[np.ndarray], *, period: str, source: str) -> Statistics:
    """Statistics from coarse days, each of shape (35, rows, cols), gaps (NaN) left out.

    Every channel must have at least one finite value, else `Statistics.vectors` refuses the result.
    """
    count = np.zeros(35)
    total = np.zeros(35)
    squares = np.zeros(35)
    for day in days:
        fields = np.array(day, dtype=np.float64)
        for index in _LOG_INDICES:
            fields[index] = np.log1p(fields[index])
        finite = np.isfinite(fields)
        fields = np.where(finite, fields, 0.0)
        count += finite.sum(axis=(1, 2))
        total += fields.sum(axis=(1, 2))
        squares += (fields**2).sum(axis=(1, 2))
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = total / count
        std = np.sqrt(np.maximum(squares / count - mean**2, 0))
    names = [c.name for c in DAY_CHANNELS]
    return Statistics(
        mean=dict(zip(names, mean.tolist(), strict=True)),
        std=dict(zip(names, std.tolist(), strict=True)),
        period=period,
        source=source,
    )


__all__ = [
    "LOG_CHANNELS",
    "PM_OFFSET",
    "PM_SCALE",
    "MissingStatisticsError",
    "Statistics",
    "compute_statistics",
    "denormalise_coarse",
    "denormalise_elevation",
    "denormalise_latitude",
    "denormalise_longitude",
    "denormalise_pm2p5",
    "normalise_coarse",
    "normalise_elevation",
    "normalise_latitude",
    "normalise_longitude",
    "normalise_pm2p5",
]
