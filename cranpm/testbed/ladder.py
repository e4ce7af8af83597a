"""The ladder of forecasts that a network's skill on the testbed is read against.

From persistence to a tracer that is told the true weather to come; at 25 km (coarse truth, land nodes) and at 1 km
(the GHAP-like product, land cells). Hidden chemistry and fires to come are known to none of them.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from cranpm.testbed.downscale import day_fields, downscaler
from cranpm.testbed.history import History, simulate
from cranpm.testbed.instruments import retrieval
from cranpm.testbed.noise import EPOCH, day_number
from cranpm.testbed.surface import smooth
from cranpm.testbed.weather import Forcing
from cranpm.testbed.world import LEADS, WORLD_VERSION, DayState, World

DRIFT = 8.5
"""Eastward motion of the flow in the shifted-weather oracle [degrees a day]."""
BARRIER = 700.0
"""Barriers that count as high [m]."""
_WINDOW = 256
ROWS = (
    "persistence", "climatology", "damped persistence", "blurred persistence", "frozen weather", "shifted weather",
    "shifted, wind reversed", "shifted, no terrain", "true weather",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Score:
    """RMSE of one forecast at one lead, and its change against damped persistence."""

    forecast: str
    grid: str
    lead: int
    rmse: float
    change: float
    """Against damped persistence [%]; negative is better."""


@dataclass(frozen=True, kw_only=True)
class Ladder:
    """All scores, and what they were computed on."""

    scores: tuple[Score, ...]
    meta: dict[str, Any]

    def to_markdown(self) -> str:
        lines = [
            "# Ladder of the simulated world (testbed, not real data)", "",
            f"World {self.meta['world_version']}, domain {self.meta['domain']}, seed {self.meta['seed']}; "
            f"{self.meta['starts']} starts in {self.meta['period']}; climatology and damping from "
            f"{self.meta['training']}. RMSE in ug/m3, in brackets the change against damped persistence.", "",
        ]  # fmt: skip
        for grid in dict.fromkeys(score.grid for score in self.scores):
            lines += [f"| {grid} | T+1 | T+2 | T+3 |", "|---|---|---|---|"]
            mine = [score for score in self.scores if score.grid == grid]
            for name in dict.fromkeys(score.forecast for score in mine):
                cells = [f"{s.rmse:.2f} ({s.change:+.0f} %)" for s in mine if s.forecast == name]
                lines.append(f"| {name} | " + " | ".join(cells) + " |")
            lines.append("")
        return "\n".join(lines)

    def write(self, markdown: Path) -> None:
        """Markdown, and JSON beside it."""
        markdown.parent.mkdir(parents=True, exist_ok=True)
        markdown.write_text(self.to_markdown() + "\n" + self.meta.get("note", "") + "\n")
        payload = {"meta": self.meta, "scores": [asdict(score) for score in self.scores]}
        markdown.with_suffix(".json").write_text(json.dumps(payload, indent=1) + "\n")


class Damping:
    """Climatology (mean and two harmonics) and lag autocorrelations by 4 x 4 nodes and half-year."""

    def __init__(self, history: History) -> None:
        self._design = self._harmonics(history.days)
        flat = history.pm2p5.reshape(len(history.days), -1).astype(np.float64)
        self._coefficients = np.linalg.lstsq(self._design, flat, rcond=None)[0]
        self.shape = history.pm2p5.shape[1:]
        anomaly = (flat - self._design @ self._coefficients).reshape(history.pm2p5.shape)
        cold = np.isin(history.months, (10, 11, 12, 1, 2, 3))
        self._factors = {}
        for season, member in ((True, cold), (False, ~cold)):
            for lead in range(1, LEADS + 1):
                pair = member[:-lead]
                product = _blocks((anomaly[lead:] * anomaly[:-lead])[pair].mean(0)) if pair.any() else 0.0
                power = _blocks((anomaly[:-lead] ** 2)[pair].mean(0)) if pair.any() else 1.0
                self._factors[season, lead] = np.clip(product / np.maximum(power, 1e-6), 0, 1)

    @staticmethod
    def _harmonics(days: np.ndarray) -> np.ndarray:
        angle = 2 * np.pi * np.atleast_1d(days)[:, None] / 365.2425 * np.arange(1, 3)
        return np.hstack([np.ones((len(angle), 1)), np.cos(angle), np.sin(angle)])

    def climatology(self, day: int) -> np.ndarray:
        """Expected PM2.5 of a day of the year, shape (R, C)."""
        return (self._harmonics(np.array([day])) @ self._coefficients).reshape(self.shape)

    def forecast(self, today: np.ndarray, day: int, lead: int) -> np.ndarray:
        """Damped persistence from the map of `day`."""
        month = (EPOCH + np.array([day])).astype("datetime64[M]").astype(int)[0] % 12 + 1
        factor = self._factors[month in (10, 11, 12, 1, 2, 3), lead]
        return self.climatology(day + lead) + factor * (today - self.climatology(day))


def _blocks(field: np.ndarray) -> np.ndarray:
    """Means over 4 x 4 nodes, spread back."""
    rows, cols = (np.minimum(np.arange(n) // 4, max((n - 1) // 4, 0)) for n in field.shape)
    key = rows[:, None] * 1000 + cols[None, :]
    _, inverse = np.unique(key, return_inverse=True)
    inverse = inverse.reshape(-1)
    return (np.bincount(inverse, field.ravel()) / np.bincount(inverse))[inverse].reshape(field.shape)


class Oracles:
    """Tracer runs from the end of a day with weather that is frozen, extrapolated, altered, or true."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.flat = World(world.geography, seed=world.seed, device=world.surface.device, barrier_factor=0.0)

    def forcings(self, day: int, lead: int) -> dict[str, Forcing]:
        """Forcing of the day `day + lead`, as imagined on `day`."""
        weather = self.world.weather
        now = weather.flow.coefficients(day).mean(0, keepdim=True).expand(5, -1, -1)
        frozen, _ = weather.diagnose(day, now)
        hours = torch.arange(5, device=weather.device) * 0.25 - 0.375 + lead
        moved = weather.flow.shifted(now, DRIFT * hours)
        shifted, _ = weather.diagnose(day, moved)
        open_land, _ = self.flat.weather.diagnose(day, moved)
        return {
            "frozen weather": frozen,
            "shifted weather": shifted,
            "shifted, wind reversed": Forcing(
                **{**vars(shifted), "low": -shifted.low, "high": -shifted.high}
            ),
            "shifted, no terrain": open_land,
            "true weather": weather.forcing(day + lead),
        }

    def run(self, day: int, history: History) -> dict[str, np.ndarray]:
        """Forecasts of the coarse map, each (3, R, C)."""
        results: dict[str, list[np.ndarray]] = {}
        states: dict[str, Any] = {}
        for lead in range(1, LEADS + 1):
            for name, forcing in self.forcings(day, lead).items():
                tracer = self.flat.tracer if "no terrain" in name else self.world.tracer
                means, states[name] = tracer.day(
                    day + lead, states.get(name, history.states[day]), forcing, known_until=day
                )
                results.setdefault(name, []).append(self.world.surface.to_coarse(means.pm2p5).cpu().numpy())
        return {name: np.stack(maps) for name, maps in results.items()}


def run_ladder(
    geography: Any,
    *,
    seed: int,
    training_start: str = "2018-01-01",
    training_days: int = 365,
    start: str = "2019-01-04",
    days: int = 360,
    every: int = 15,
    training: History | None = None,
    testing: History | None = None,
    fine: bool = True,
    device: str = "cpu",
    progress: Callable[[str], None] | None = None,
) -> Ladder:
    """Score every rung.

    Parameters
    ----------
    training_start, training_days : str, int
        Period of climatology and damping.
    start, days, every : str, int, int
        Forecasts start on every n-th day of this period.
    training, testing : History, optional
        Already simulated stretches; `testing` must hold the tracer's states of
        all starts, and for 1 km the whole days from each start to three days later.
    fine : bool
        Also score at 1 km (the GHAP-like product).
    """
    say = progress or (lambda message: None)
    world = World(geography, seed=seed, device=device)
    first = day_number(start)
    starts = list(range(first, first + days, every))
    training = training or simulate(world, training_start, training_days)
    say("training period simulated")
    testing = testing or simulate(
        world,
        start,
        days + LEADS,
        keep_states=starts,
        keep_days={d + lead for d in starts for lead in range(LEADS + 1)},
    )
    say("test period simulated")
    damping, oracles = Damping(training), Oracles(world)
    forecasts: dict[str, list[np.ndarray]] = {name: [] for name in ROWS}
    truths, today_maps = [], []
    with torch.inference_mode():
        for day in starts:
            index = day - int(testing.days[0])
            today = testing.pm2p5[index].astype(np.float64)
            truths.append(testing.pm2p5[index + 1 : index + 1 + LEADS])
            today_maps.append(today)
            leads = range(1, LEADS + 1)
            forecasts["persistence"].append(np.stack([today] * LEADS))
            forecasts["climatology"].append(np.stack([damping.climatology(day + lead) for lead in leads]))
            forecasts["damped persistence"].append(
                np.stack([damping.forecast(today, day, lead) for lead in leads])
            )
            forecasts["blurred persistence"].append(
                np.stack([smooth(today, lead, 1.4 * lead) for lead in leads])
            )
            for name, leads_of_one in oracles.run(day, testing).items():
                forecasts[name].append(leads_of_one)
            say(f"oracles from {EPOCH + day}")
    truth = np.stack(truths)
    maps = {name: np.stack(values) for name, values in forecasts.items()}
    land = np.asarray(geography.coarse_land) > 0.5
    for name in ROWS[4:]:
        maps[name] = _blend(maps[name], maps["damped persistence"], truth, land)
    scores = _score(maps, truth, land, "25 km, land")
    near = land & (_highest_barrier(geography) > BARRIER)
    if near.any():
        scores += _score(maps, truth, near, f"25 km, land near barriers > {BARRIER:.0f} m")
    if fine:
        say("scoring at 1 km")
        scores += _score_fine(world, starts, maps, np.stack(today_maps), testing)
    meta = {
        "world_version": WORLD_VERSION, "simulated": True, "domain": geography.domain.name, "seed": seed,
        "starts": len(starts), "period": f"{EPOCH + starts[0]}..{EPOCH + starts[-1]}",
        "training": f"{training_start} ({len(training.days)} days)",
    }  # fmt: skip
    return Ladder(scores=tuple(scores), meta=meta)


def _highest_barrier(geography: Any) -> np.ndarray:
    """Highest face barrier within one node, shape (R, C)."""
    east, north = np.nan_to_num(geography.coarse_barrier_east), np.nan_to_num(geography.coarse_barrier_north)
    highest = np.maximum(east, north)
    highest[:, 1:] = np.maximum(highest[:, 1:], east[:, :-1])
    highest[:-1] = np.maximum(highest[:-1], north[1:])
    return highest


def _blend(forecast: np.ndarray, damped: np.ndarray, truth: np.ndarray, land: np.ndarray) -> np.ndarray:
    """Best mixture with damped persistence per lead; its weight comes from the other half of the starts."""
    blended = np.empty_like(forecast)
    halves = np.arange(len(forecast)) % 2
    for half in (0, 1):
        other = halves != half if (halves != half).any() else halves == half
        for lead in range(LEADS):
            step = (forecast - damped)[other, lead][:, land]
            error = (truth - damped)[other, lead][:, land]
            weight = float(np.clip((step * error).sum() / max((step**2).sum(), 1e-9), 0, 1))
            mine = halves == half
            blended[mine, lead] = damped[mine, lead] + weight * (forecast - damped)[mine, lead]
    return blended


def _score(maps: dict[str, np.ndarray], truth: np.ndarray, where: np.ndarray, grid: str) -> list[Score]:
    rmse = {name: np.sqrt(((values - truth)[:, :, where] ** 2).mean((0, 2))) for name, values in maps.items()}
    return _table(rmse, grid)


def _table(rmse: dict[str, np.ndarray], grid: str) -> list[Score]:
    base = rmse["damped persistence"]
    return [
        Score(
            forecast=name, grid=grid, lead=lead + 1, rmse=round(float(values[lead]), 4),
            change=round(float(100 * (values[lead] / base[lead] - 1)), 2),
        )
        for name, values in rmse.items() for lead in range(LEADS)
    ]  # fmt: skip


def _score_fine(
    world: World, starts: list[int], maps: dict[str, np.ndarray], today: np.ndarray, testing: History
) -> list[Score]:
    """At 1 km: today's product plus the interpolated coarse change, against the product of the valid day."""
    geography, scaler = world.geography, downscaler(world.geography)
    instrument = retrieval(scaler, world.seed)
    windows = _land_windows(np.asarray(geography.land))
    squares: dict[str, np.ndarray] = {name: np.zeros(LEADS) for name in maps}
    count = np.zeros(LEADS)
    for number, day in enumerate(starts):
        states = [testing.kept[day + lead] for lead in range(LEADS + 1)]
        for rows, cols in windows:
            seen = [_product(scaler, instrument, state, rows, cols) for state in states]
            for lead in range(1, LEADS + 1):
                valid = np.isfinite(seen[0]) & np.isfinite(seen[lead])
                count[lead - 1] += valid.sum()
                for name, values in maps.items():
                    if name == "persistence":
                        guess = seen[0]
                    elif name == "blurred persistence":
                        guess = _blur(seen[0], 2.0 + 2.0 * lead)
                    else:
                        guess = seen[0] + _to_fine(values[number, lead - 1] - today[number], rows, cols)
                    squares[name][lead - 1] += ((guess - seen[lead])[valid] ** 2).sum()
    return _table(
        {name: np.sqrt(value / count) for name, value in squares.items()}, "1 km, land (GHAP-like product)"
    )


def _product(scaler: Any, instrument: Any, state: DayState, rows: slice, cols: slice) -> np.ndarray:
    with torch.inference_mode():
        truth = scaler.window(day_fields(scaler, state), rows, cols)
        return instrument.window(truth, day_number(state.day), rows, cols).cpu().numpy()


def _land_windows(land: np.ndarray) -> list[tuple[slice, slice]]:
    """Every third window of a grid of windows that is mostly land."""
    starts = [
        (r, c)
        for r in range(0, land.shape[0] - _WINDOW + 1, _WINDOW) for c in range(0, land.shape[1] - _WINDOW + 1, _WINDOW)
    ]  # fmt: skip
    inland = [(r, c) for r, c in starts if land[r : r + _WINDOW : 8, c : c + _WINDOW : 8].mean() > 0.6]
    return [
        (slice(r, r + _WINDOW), slice(c, c + _WINDOW)) for r, c in inland[:: 3 if len(inland) > 12 else 1]
    ]


def _to_fine(change: np.ndarray, rows: slice, cols: slice) -> np.ndarray:
    """Bilinear from coarse nodes to a fine window: fine row i lies at coarse row (i + 0.5) / 25."""
    row = (np.arange(rows.start, rows.stop) + 0.5) / 25
    col = (np.arange(cols.start, cols.stop) + 0.5) / 25
    r, c = row.astype(int), col.astype(int)
    fr, fc = (row - r)[:, None], col - c
    strip = change[r] * (1 - fr) + change[r + 1] * fr
    return strip[:, c] * (1 - fc) + strip[:, c + 1] * fc


def _blur(field: np.ndarray, width: float) -> np.ndarray:
    """Gaussian mean over what is seen."""
    seen = np.isfinite(field)
    return smooth(np.where(seen, field, 0.0), width, width * 1.4) / np.maximum(
        smooth(seen.astype(float), width, width * 1.4), 1e-6
    )
