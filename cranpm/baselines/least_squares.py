"""Least squares on thirteen named predictors: what a table, a wind and an afternoon give. A network must beat it.

Everything but today's and yesterday's fine maps varies at 25 km, so those terms are summed at the nodes and
interpolated once: a forecast costs about what one interpolation of CAMS costs.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np

from cranpm._files import write_atomically
from cranpm._json import JsonObject
from cranpm.baselines.maps import LazyMaps, Maps
from cranpm.baselines.nodes import DayMaps, node_means, to_cells
from cranpm.baselines.normal_equations import LeastSquaresError, NormalEquations
from cranpm.baselines.predictors import (
    NODE_PREDICTORS,
    PREDICTORS,
    node_predictors,
    regional_mean,
)
from cranpm.data.store.source import DaySource
from cranpm.domain import LEAD_DAYS
from cranpm.domain.days import as_day
from cranpm.domain.grid import fine_to_coarse
from cranpm.domain.interpolation import bilinear

STRIDE = 6
"""Every so many-th row and column of the fine grid is fitted on."""

KIND, FORMAT = "cranpm-least-squares", 1
_ONE_DAY = np.timedelta64(1, "D")


@dataclass(frozen=True, kw_only=True)
class LeadFit:
    """One lead time: forecast = intercept + sum of coefficient times predictor [ug m-3]."""

    intercept: float
    coefficients: dict[str, float]
    pairs: int
    """Pairs of cells and days that were fitted on."""
    rmse: float
    """On those pairs [ug m-3]: no score."""


@dataclass(frozen=True, kw_only=True)
class LeastSquares:
    """Fitted coefficients by lead time, and what they were fitted on."""

    leads: dict[int, LeadFit]
    training: JsonObject = field(default_factory=dict)
    """``period`` (first..last day read), ``init_days``, ``source``, ``simulated``."""

    def forecast(self, maps: DayMaps, day: np.datetime64) -> Maps:
        """Maps of all fitted leads, never negative; missing where a predictor is [ug m-3]."""
        day, source = as_day(day), maps.source
        today, yesterday = maps.pm2p5(day), maps.pm2p5(day - _ONE_DAY)
        regional = regional_mean(*maps.nodes(day))
        nodes = node_predictors(
            regional, source.coarse(day), source.coarse(day - _ONE_DAY), source.domain.coarse_box
        )

        def make(lead: int) -> np.ndarray:
            fit = self.leads[lead]
            coarse = fit.intercept + sum(fit.coefficients[name] * nodes[name] for name in NODE_PREDICTORS)
            result = to_cells(np.asarray(coarse), source.domain)
            result += fit.coefficients["today"] * today
            result += fit.coefficients["yesterday"] * yesterday
            return np.maximum(result, 0).astype(np.float32)

        return LazyMaps(tuple(self.leads), make)

    def to_dict(self) -> JsonObject:
        """Plain values, for JSON."""
        leads = {
            str(lead): {
                "intercept": fit.intercept,
                "coefficients": fit.coefficients,
                "pairs": fit.pairs,
                "rmse_in_training": fit.rmse,
            }
            for lead, fit in self.leads.items()
        }
        return {"kind": KIND, "format": FORMAT, "units": "ug m-3", "leads": leads, "training": self.training}

    @classmethod
    def from_dict(cls, values: object, name: str = "coefficients") -> LeastSquares:
        """Inverse of `to_dict`; ``name`` is told in messages.

        Raises
        ------
        LeastSquaresError
            If the values are something else, or a predictor lacks or is unknown.
        """
        if not isinstance(values, dict) or values.get("kind") != KIND:
            raise LeastSquaresError(f"{name} holds no least-squares fit (kind is not {KIND!r}).")
        if values.get("format") != FORMAT:
            raise LeastSquaresError(
                f"{name} has format {values.get('format')}; this cranpm reads {FORMAT}. Update cranpm, or fit again."
            )
        try:
            leads = {
                int(lead): _read_fit(entry, f"{name}, T+{lead}") for lead, entry in values["leads"].items()
            }
            return cls(leads=leads, training=dict(values["training"]))
        except (KeyError, TypeError, AttributeError) as error:
            raise LeastSquaresError(f"{name} is not a complete fit: {error!r}. Fit again.") from error

    def save(self, path: Path | str) -> Path:
        """Write one JSON file, names beside numbers."""
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, json.dumps(self.to_dict(), indent=1, allow_nan=False) + "\n")
        return path

    @classmethod
    def load(cls, path: Path | str) -> LeastSquares:
        """Inverse of `save`.

        Raises
        ------
        LeastSquaresError
            If the file is something else.
        """
        try:
            values = json.loads(Path(path).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise LeastSquaresError(f"{path} cannot be read as JSON ({error}).") from error
        return cls.from_dict(values, str(path))


def _read_fit(entry: JsonObject, name: str) -> LeadFit:
    coefficients = {key: float(value) for key, value in entry["coefficients"].items()}
    if set(coefficients) != set(PREDICTORS):
        differ = ", ".join(sorted(set(coefficients) ^ set(PREDICTORS)))
        raise LeastSquaresError(
            f"{name}: expected a coefficient for each of the 13 predictors; differs in {differ}."
        )
    numbers = [float(entry["intercept"]), *coefficients.values()]
    if not np.isfinite(numbers).all():
        raise LeastSquaresError(f"{name}: a coefficient is not finite. Fit again.")
    return LeadFit(
        intercept=numbers[0],
        coefficients=coefficients,
        pairs=int(entry["pairs"]),
        rmse=float(entry["rmse_in_training"]),
    )


def fit_least_squares(
    source: DaySource,
    init_days: Sequence[np.datetime64],
    *,
    leads: Iterable[int] = LEAD_DAYS,
    stride: int = STRIDE,
    fitted: Callable[[], None] | None = None,
) -> LeastSquares:
    """Coefficients from training days, read one at a time.

    Parameters
    ----------
    source : DaySource
        Holds the init days, the day before each and, as far as they are held, the valid days.
    init_days : sequence of datetime64
        Training days only; in runs, a day is read once for several of them.
    leads : iterable of int
        Lead times [days].
    stride : int
        Every so many-th row and column enters.
    fitted : callable, optional
        Called after each init day.

    Raises
    ------
    LeastSquaresError
        If a lead has fewer pairs than coefficients.
    """
    leads = tuple(leads)
    held = set(source.days.tolist())
    rows, cols = (np.arange(stride // 2, n, stride) for n in source.domain.fine.shape)
    on_nodes = fine_to_coarse(rows)[:, None], fine_to_coarse(cols)[None, :]
    land = source.land[np.ix_(rows, cols)]

    @lru_cache(maxsize=max(leads) + 2)
    def read(day: np.datetime64) -> tuple[np.ndarray, np.ndarray]:
        """Cells that are fitted on, and the regional mean at the nodes."""
        field = source.pm2p5(day, slice(None), slice(None))
        return field[np.ix_(rows, cols)], regional_mean(*node_means(field, source.domain))

    sums = {lead: NormalEquations(len(PREDICTORS)) for lead in leads}
    days = sorted(as_day(day) for day in init_days)
    for day in days:
        today, regional = read(day)
        nodes = node_predictors(
            regional, source.coarse(day), source.coarse(day - _ONE_DAY), source.domain.coarse_box
        )
        fields = [today, read(day - _ONE_DAY)[0], *(bilinear(nodes[name], *on_nodes) for name in nodes)]
        known = land & np.isfinite(fields).all(axis=0)
        for lead in leads:
            valid = day + lead * _ONE_DAY
            if valid.astype(object) not in held:
                continue
            target = read(valid)[0]
            both = known & np.isfinite(target)
            sums[lead].add(np.stack([f[both] for f in fields], axis=1), target[both])
        if fitted is not None:
            fitted()
    period = f"{days[0] - _ONE_DAY}..{days[-1] + max(leads) * _ONE_DAY}" if days else ""
    return LeastSquares(
        leads={lead: _solve(sums[lead], lead) for lead in leads},
        training={
            "period": period,
            "init_days": len(days),
            "source": source.name,
            "simulated": source.simulated,
        },
    )


def _solve(sums: NormalEquations, lead: int) -> LeadFit:
    try:
        solution, rmse = sums.solve()
    except LeastSquaresError as error:
        raise LeastSquaresError(f"Least squares for T+{lead}: {error} Give more training days.") from error
    coefficients = {name: float(value) for name, value in zip(PREDICTORS, solution[1:], strict=True)}
    return LeadFit(intercept=float(solution[0]), coefficients=coefficients, pairs=sums.count, rmse=rmse)
