"""Scoring one day of whole maps with all scores, beside the package ``scores`` on Dask arrays where it is installed."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import torch

from cranpm.bench.ceilings import COPY, Ceilings
from cranpm.bench.figures import Bound, Figure, Label
from cranpm.bench.settings import BenchSettings
from cranpm.bench.timing import Form, time_in_turns
from cranpm.domain import Domain
from cranpm.verification.evaluate import Scorecard
from cranpm.verification.limits import EXCEEDANCE_THRESHOLDS
from cranpm.verification.metrics import contingency
from cranpm.verification.structure import ssim

_DAY = np.datetime64("2022-01-10")


def measure_verify(settings: BenchSettings, ceilings: Ceilings) -> list[Figure]:
    """Figures of one method at one lead time on made-up maps, a third of them without value.

    Parameters
    ----------
    settings : BenchSettings
    ceilings : Ceilings

    Returns
    -------
    list of Figure
        Scores of a pass (count, RMSE, MAE, bias, r, FAC2, at 1 km and 25 km, and exceedances of three thresholds), and
        the same with structural similarity; compared with reading two maps and a mask once.
    """
    forecast, target, land = _maps(settings.domain)

    def scores_of_day() -> object:
        card = Scorecard()
        card.add_day(_DAY, {"forecast": {1: forecast}}, {1: target}, land)
        events = [contingency(forecast, target, threshold) for threshold in EXCEEDANCE_THRESHOLDS]
        return card.rmse("forecast", 1, "1 km"), events

    forms: dict[str, Form] = {"sums and events": scores_of_day, "structure": lambda: ssim(forecast, target)}
    theirs = "scores + Dask" if find_spec("scores") and find_spec("dask") else ""
    if theirs:
        forms[theirs] = _by_scores(forecast, target, land)
    turns = time_in_turns(
        {**forms, **ceilings.forms(COPY)},
        torch.device("cpu"),
        seconds=settings.seconds / 2,
        least=1 if settings.quick else 3,
        warm_up=not settings.quick,
    )
    turns.combine("all scores", {"sums and events": 1.0, "structure": 1.0})
    least = float(forecast.nbytes + target.nbytes + land.nbytes)
    return [
        Figure.of(
            turns,
            form,
            Label("verify", "day", f"{form}, {forecast.size / 1e6:.3g} Mpixel"),
            bound=Bound(least, ceilings.of[COPY]),
            # of what `scores` gives: it has no structural similarity
            instead={theirs: 1.0} if theirs and form == "sums and events" else {},
        )
        for form in ("sums and events", "structure", "all scores")
    ]


def _maps(domain: Domain) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(4)
    target = rng.gamma(2.0, 6.0, domain.fine.shape).astype(np.float32)
    forecast = target * rng.uniform(0.6, 1.6, domain.fine.shape).astype(np.float32)
    land = np.ones(domain.fine.shape, dtype=bool)
    land[: domain.fine.rows // 3] = False
    target[~land] = np.nan
    return forecast, target, land


def _by_scores(forecast: np.ndarray, target: np.ndarray, land: np.ndarray) -> Form:
    """The same scores at 1 km by `scores` on Dask arrays, which reads the maps once for each."""
    import dask
    import xarray as xr
    from scores.categorical import ThresholdEventOperator
    from scores.continuous import additive_bias, mae, rmse
    from scores.continuous.correlation import pearsonr

    def chunked(values: np.ndarray) -> xr.DataArray:
        return xr.DataArray(values, dims=("latitude", "longitude")).chunk(
            {"latitude": 512, "longitude": 2048}
        )

    def form() -> object:
        mask = chunked(land)
        f, r = chunked(forecast).where(mask), chunked(target).where(mask)
        results = [score(f, r) for score in (rmse, mae, additive_bias, pearsonr)]
        results.append(((f >= 0.5 * r) & (f <= 2 * r)).where(r.notnull()).mean())
        for threshold in EXCEEDANCE_THRESHOLDS:
            operator = ThresholdEventOperator(default_event_threshold=threshold)
            counts = operator.make_contingency_manager(f, r).transform()
            results += [
                counts.probability_of_detection(),
                counts.false_alarm_ratio(),
                counts.critical_success_index(),
            ]
        return dask.compute(*results)

    return form
