"""The work behind `cranpm.score` and ``cranpm score``: a checkpoint on a dataset, beside baselines."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cranpm._progress import Clock, Progress, reporting
from cranpm.baselines.cams import EuropeanEnsemble
from cranpm.baselines.registry import PERSISTENCE, Setting, all_rivals, days_read_by_fits
from cranpm.data.datasets import DataLike, open_dataset
from cranpm.data.store.source import DatasetSource, init_times, startable_between
from cranpm.domain import LEAD_DAYS, Splits
from cranpm.domain.days import Day, as_day
from cranpm.domain.resampling import consecutive_runs, subsample_evenly
from cranpm.evaluation.assess import (
    assess,
    checkpoint_forecaster,
)
from cranpm.evaluation.scores import Scores
from cranpm.forecasting.engine import check_leads, choose_device
from cranpm.model.checkpoint import Checkpoint, load_checkpoint

FIT_DAYS = 60
"""Training days that damped persistence and least squares are fitted on; of each, 7 MB are kept for Europe."""


def score(
    checkpoint: str | Path | Checkpoint = "demo",
    data: DataLike = None,
    *,
    days: int = 48,
    leads: int | Sequence[int] = LEAD_DAYS,
    start: Day | None = None,
    end: Day | None = None,
    against: str = PERSISTENCE,
    fit_days: int = FIT_DAYS,
    rivals: Sequence[str | Path] = (),
    cams_europe: str | Path | None = None,
    device: str = "auto",
    progress: bool | Progress = False,
) -> Scores:
    """Score forecasts against the fine product (land, regions) and against stations, beside baselines.

    All methods are scored on the same cells and pairs. Intervals are 95 % from blocks of init days drawn anew.

    Parameters
    ----------
    checkpoint : str, path or Checkpoint
        A name that `cranpm.list_checkpoints` knows, a folder, or a loaded one.
    data : str, path or Dataset, optional
        As `cranpm.open_dataset` takes it; by default the testbed.
    days : int
        At most so many init days, spread evenly over those that the data hold with the day before.
    leads : int or sequence of int
        Lead times [days].
    start, end : str or datetime64, optional
        First and last init day; by default all that are held.
    against : str
        The method that skill is told against.
    fit_days : int
        At most so many training days (2017 to 2020) to fit climatology, damped persistence and least squares on, as
        far as the data hold them; 0 leaves them out.
    rivals : sequence of path
        Checkpoints of learned rivals (``cranpm train --recipe rival-convlstm``), each scored in two forms, and at most
        one file of least-squares coefficients (``.json``).
    cams_europe : path, optional
        Folder of downloads with runs of the CAMS European ensemble.
    device : str
        "cpu", "cuda", or "auto".
    progress : bool or callable
        True for a bar; a function is called with days done, days in all and seconds left.

    Returns
    -------
    Scores
        ``table()`` for the whole, ``groups()`` for regions and kinds of stations, ``left_out`` for baselines that the
        data do not allow, ``write(path)`` for a report.

    Raises
    ------
    LookupError
        For a checkpoint or dataset that is not there, or where no init day lies between the dates.
    ValueError
        For lead times or a baseline that are not there, and for fewer than one day.

    Examples
    --------
    >>> import cranpm
    >>> scores = cranpm.score("demo", days=2, leads=1)
    >>> [line.partition(":")[0] for line in scores.left_out]  # fitted on training days, which these data do not hold
    ['climatology', 'damped persistence', 'least squares']
    >>> table = scores.table()
    >>> table.loc[("product", "1 km", 1, "persistence"), "skill"]
    np.float64(0.0)
    """
    wanted, chosen = check_leads(leads), choose_device(device)
    for argument, number, least in (("days", days, 1), ("fit_days", fit_days, 0)):
        if not isinstance(number, int | np.integer) or number < least:
            raise ValueError(f"{argument} must be a whole number of days, {least} or more; got {number!r}.")
    dataset = open_dataset(data)
    loaded = load_checkpoint(checkpoint, device=chosen)
    source = DatasetSource(dataset)
    first, last = (None if day is None else as_day(day) for day in (start, end))
    init_days = subsample_evenly(startable_between(source.days, first, last), days)
    training = init_times(source, "train", Splits(), wanted)
    fit_on = consecutive_runs(training, fit_days, wanted)
    ensemble = (
        None if cams_europe is None else EuropeanEnsemble.from_downloads(Path(cams_europe), source.domain)
    )
    name = loaded.folder.resolve().name
    with reporting(progress, f"Score {name}", unit="day") as report:
        clock = Clock(days_read_by_fits(fit_on, rivals) + len(init_days), report)
        setting = Setting(
            dataset=dataset,
            source=source,
            init_days=init_days,
            leads=wanted,
            training_days=fit_on,
            ensemble=ensemble,
            trained=[Path(path) for path in rivals],
            device=chosen,
            fitted=clock.tick,
        )
        methods, left_out = all_rivals(setting)
        if against not in methods:
            raise ValueError(f"against must be one of {', '.join(methods)}; got {against!r}.")
        methods[f"CRAN-PM {name}"] = checkpoint_forecaster(loaded, source, wanted, chosen)
        tables = dataset.has_stations
        found = assess(
            source,
            methods,
            init_days,
            wanted,
            stations=dataset.stations() if tables else None,
            observations=dataset.observations() if tables else None,
            complexity=np.asarray(dataset.static["terrain_complexity"]),
            progress=lambda done, total, seconds_left: clock.tick(),
        )
    about = {
        "dataset": dataset.name,
        "source": dataset.source,
        "simulated": dataset.simulated,
        "checkpoint": {"name": name, "hash": loaded.hash, "title": loaded.title},
        "against": against,
        "init_days": [str(day) for day in init_days],
        "days_of_training_years": len(set(training) & set(init_days)),
        "left_out": left_out,
        "notes": list(setting.notes),
        "machine": f"{os.cpu_count()} CPU cores, {platform.machine()}",
    }
    return Scores(assessment=found, about=about)
