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
from typing import Any

import numpy as np
from scipy.ndimage import uniform_filter

from cranpm._files import write_atomically
from cranpm.baselines.maps import LazyMaps, Maps
from cranpm.baselines.nodes import DayMaps, hold_outwards, node_means, to_cells
from cranpm.data.store.source import DaySource
from cranpm.domain import LEAD_DAYS, Grid, channel_index
from cranpm.domain.days import as_day
from cranpm.domain.grid import KM_PER_DEGREE, fine_to_coarse
from cranpm.domain.interpolation import bilinear

FINE_PREDICTORS = ("today", "yesterday")
NODE_PREDICTORS = (
    "regional_mean",
    "cams_today",
    "cams_yesterday",
    "upwind_1_day",
    "upwind_2_days",
    "upwind_3_days",
    "wind_east",
    "wind_north",
    "wind_speed",
    "rain",
    "temperature",
)
PREDICTORS = FINE_PREDICTORS + NODE_PREDICTORS
"""In ug m-3: today's and yesterday's fine map; the mean of today's map over `REGION_NODES` nodes; CAMS analyses of both
days; CAMS today where the air comes from minus here, along the straight way that today's 925-hPa wind blows in one, two
and three days. Then the 10-m wind [m s-1] and its speed, rain [log(1 + mm)], 2-m temperature [K]."""

REGION_NODES = 9
"""Nodes along the side of the square of the regional mean: 2.25 degrees."""

STRIDE = 6
"""Every so many-th row and column of the fine grid is fitted on."""

KIND, FORMAT = "cranpm-least-squares", 1
_ONE_DAY = np.timedelta64(1, "D")
_SECONDS_PER_DAY = 86_400.0


class LeastSquaresError(ValueError):
    """Coefficients that cannot be fitted or read; the message says why."""


def node_predictors(
    regional: np.ndarray, today: np.ndarray, yesterday: np.ndarray, box: Grid
) -> dict[str, np.ndarray]:
    """The predictors that vary at 25 km, by name.

    Parameters
    ----------
    regional : ndarray, shape (Hc + 1, Wc + 1)
        Mean of today's fine map round each node, over `REGION_NODES` [ug m-3].
    today, yesterday : ndarray, shape (35, Hc + 1, Wc + 1)
        Coarse fields of both days, store units.
    box : Grid
        Their nodes.

    Returns
    -------
    dict of str to ndarray, shape (Hc + 1, Wc + 1)
        NaN where one of its sources is missing.
    """
    channel = lambda name: today[channel_index(name)]  # noqa: E731
    cams = channel("pm2p5")
    east, north = channel("u10"), channel("v10")
    found = {
        "regional_mean": regional,
        "cams_today": cams,
        "cams_yesterday": yesterday[channel_index("pm2p5")],
        "wind_east": east,
        "wind_north": north,
        "wind_speed": np.hypot(east, north),
        "rain": np.log1p(channel("tp")),
        "temperature": channel("t2m"),
    }
    for days, name in enumerate(("upwind_1_day", "upwind_2_days", "upwind_3_days"), start=1):
        found[name] = upwind_difference(cams, channel("u_925"), channel("v_925"), box, days)
    return {name: found[name] for name in NODE_PREDICTORS}


def upwind_difference(
    field: np.ndarray, east: np.ndarray, north: np.ndarray, box: Grid, days: float
) -> np.ndarray:
    """What lies upwind minus what lies here, along the straight way of the wind at each node.

    Parameters
    ----------
    field : ndarray, shape (rows, cols)
    east, north : ndarray, shape (rows, cols)
        Wind towards east and towards north [m s-1].
    box : Grid
        Their nodes, rows north to south.
    days : float
        How long the air has been on its way; beyond the edge the edge's values hold.

    Returns
    -------
    ndarray, shape (rows, cols)
        NaN where the wind, or a node that is read, is missing.

    Examples
    --------
    Cleaner air to the west, and a west wind of one node a day:

    >>> from cranpm.domain import get_domain
    >>> box = get_domain("alps").coarse_box
    >>> field = np.broadcast_to(np.arange(box.cols, dtype=np.float32), box.shape)
    >>> wind = (27.8e3 / 86400 * np.cos(np.radians(box.lat)))[:, None] * np.ones(box.shape)
    >>> round(float(upwind_difference(field, wind, 0 * wind, box, 1)[20, 20]), 6)
    -1.0
    """
    nodes_per_metre = 1 / (1000 * KM_PER_DEGREE * box.step)
    metres = _SECONDS_PER_DAY * days
    known = np.isfinite(east) & np.isfinite(north)
    # towards north is towards smaller rows, so the air comes from larger ones
    rows = np.arange(box.rows)[:, None] + np.where(known, north, 0) * metres * nodes_per_metre
    stretch = np.cos(np.radians(box.lat))[:, None]
    cols = np.arange(box.cols)[None] - np.where(known, east, 0) * metres * nodes_per_metre / stretch
    return np.where(known, bilinear(field, rows, cols) - field, np.nan).astype(np.float32)


def regional_mean(mean: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Mean of node means over squares of `REGION_NODES` nodes, each with the weight of its cells; held outwards."""
    known = np.isfinite(mean)
    weight = np.where(known, share, 0).astype(np.float64)
    total = uniform_filter(np.where(known, mean, 0) * weight, REGION_NODES, mode="constant")
    support = uniform_filter(weight, REGION_NODES, mode="constant")
    enough = support > 1e-9
    return hold_outwards(np.where(enough, total / np.where(enough, support, 1), np.nan))


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
    training: dict[str, Any] = field(default_factory=dict)
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

    def to_dict(self) -> dict[str, Any]:
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
    def from_dict(cls, values: Any, name: str = "coefficients") -> LeastSquares:
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


def _read_fit(entry: dict[str, Any], name: str) -> LeadFit:
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


class NormalEquations:
    """Sums that a linear fit needs, so that no more than a day's pairs are ever in memory.

    Parameters
    ----------
    predictors : int
        Columns, without the intercept.

    Examples
    --------
    >>> sums = NormalEquations(1)
    >>> for x in (0.0, 1.0, 2.0):
    ...     sums.add(np.array([[x]]), np.array([3 + 2 * x]))
    >>> [round(float(c), 6) for c in sums.solve()[0]]
    [3.0, 2.0]
    """

    def __init__(self, predictors: int) -> None:
        size = predictors + 1
        self.square, self.product, self.target_square = np.zeros((size, size)), np.zeros(size), 0.0

    @property
    def count(self) -> int:
        """Pairs added."""
        return int(self.square[0, 0])

    def add(self, predictors: np.ndarray, target: np.ndarray) -> None:
        """Add pairs, (n, predictors) and (n,), all finite."""
        design = np.concatenate([np.ones((len(target), 1)), predictors.astype(np.float64)], axis=1)
        target = target.astype(np.float64)
        self.square += design.T @ design
        self.product += design.T @ target
        self.target_square += float(target @ target)

    def solve(self) -> tuple[np.ndarray, float]:
        """Intercept and coefficients, and the RMSE on the pairs; a predictor that never varies gets 0.

        Raises
        ------
        LeastSquaresError
            If there are fewer pairs than unknowns.
        """
        size = len(self.product)
        if self.count < size:
            raise LeastSquaresError(
                f"{self.count} pairs of cells and days cannot be fitted by {size} coefficients."
            )
        mean = self.square[0] / self.count
        centred = self.square - self.count * np.outer(mean, mean)
        spread = np.sqrt(np.maximum(np.diag(centred), 0))
        # below single precision of its own size a predictor is constant, and its mean belongs to the intercept
        varies = spread > 1e-6 * np.sqrt(np.diag(self.square))
        varies[0] = False
        scale = np.where(varies, spread, 1)
        kept = np.flatnonzero(varies)
        product = (self.product - self.product[0] * mean) / scale
        matrix = (centred / np.outer(scale, scale))[np.ix_(kept, kept)]
        solution = np.zeros(size)
        solution[kept] = np.linalg.lstsq(matrix, product[kept], rcond=1e-10)[0]
        coefficients = solution / scale
        coefficients[0] = (self.product[0] - coefficients[1:] @ self.square[0, 1:]) / self.count
        squares = (
            self.target_square - 2 * coefficients @ self.product + coefficients @ self.square @ coefficients
        )
        return coefficients, float(np.sqrt(np.maximum(squares, 0) / self.count))


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
