"""Every rival by name, in one place: a table shows all that the data allow, and says why another is not in it.

A *family* turns what is at hand (`Setting`) into named methods, or says with `NotPossibleError` why it cannot. To add a
rival, write a family and name it in `FAMILIES`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import torch

from cranpm.baselines.cams import CoarseForecasts, EuropeanEnsemble, europe_rows, global_rows
from cranpm.baselines.climatology import SEASONS, Climatology, NoTrainingDaysError, fit_climatology, season_of
from cranpm.baselines.damped import DampedPersistence, fit_damped
from cranpm.baselines.learned.checkpoint import load_rival
from cranpm.baselines.learned.forms import learned_rows
from cranpm.baselines.least_squares import LeastSquares, fit_least_squares
from cranpm.baselines.maps import LazyMaps, Maps, Method
from cranpm.baselines.nodes import DayMaps
from cranpm.baselines.normal_equations import LeastSquaresError
from cranpm.baselines.persistence import USUAL_BLUR, blurred_persistence, choose_blur, persistence
from cranpm.data.store.source import DaySource

PERSISTENCE, BLURRED, CLIMATOLOGY = "persistence", "blurred persistence", "climatology"
DAMPED, LEAST_SQUARES = "damped persistence", "least squares"

BLUR_DAYS = 4
"""Training days that it is chosen on."""

_ONE_DAY = np.timedelta64(1, "D")


class NotPossibleError(LookupError):
    """A rival that the data at hand do not allow; the message says what is missing."""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What rivals may use: the same days, inputs and training days for all."""

    dataset: CoarseForecasts
    """Holds what CAMS said."""
    source: DaySource
    init_days: Sequence[np.datetime64]
    """Days that will be scored."""
    leads: Sequence[int]
    training_days: Sequence[np.datetime64] = ()
    """Days that may be fitted on, in runs (see `cranpm.domain.resampling.consecutive_runs`)."""
    ensemble: EuropeanEnsemble | None = None
    """Fetched runs of the CAMS European ensemble."""
    trained: Sequence[Path] = ()
    """Checkpoints of learned rivals, and files of least-squares coefficients."""
    device: torch.device | str = "cpu"
    """Where learned rivals compute."""
    fitted: Callable[[], None] | None = None
    """Called after each training day that a fit has read."""
    notes: list[str] = field(default_factory=list)
    """What a reader of the table should know of a row."""

    @cached_property
    def maps(self) -> DayMaps:
        """Fine maps and their means at the nodes."""
        return DayMaps(self.source)

    @cached_property
    def damped(self) -> DampedPersistence:
        """Fitted on the training days; holds the climatology as well."""
        return fit_damped(_telling(self), self.training_days, leads=tuple(self.leads))

    def steady(self, make: Callable[[np.datetime64], np.ndarray]) -> Method:
        """A method whose map is the same for all leads."""
        return lambda day: dict.fromkeys(self.leads, make(day))


Family = Callable[[Setting], dict[str, Method]]


def persistence_rows(setting: Setting) -> dict[str, Method]:
    """Tomorrow like today."""
    return {PERSISTENCE: setting.steady(lambda day: persistence(setting.maps.pm2p5(day)))}


def blurred_rows(setting: Setting) -> dict[str, Method]:
    """Today smoothed, as far as smoothing helps on training days."""
    cells, chosen = USUAL_BLUR, "there are no training days to choose it on"
    pairs = _pairs(setting)
    if pairs:
        cells = choose_blur(setting.source, pairs)
        chosen = f"chosen on {len(pairs)} pairs of training days"
    setting.notes.append(f"{BLURRED}: Gaussian with a standard deviation of {cells:g} cells ({chosen})")
    return {BLURRED: setting.steady(lambda day: blurred_persistence(setting.maps.pm2p5(day), cells))}


def climatology_rows(setting: Setting) -> dict[str, Method]:
    """What is usual in the season of the valid day."""
    _refuse_untrained_season(setting)
    try:
        usual: Climatology = setting.damped.climatology
    except NoTrainingDaysError:  # no pair of days a lead apart: not needed here
        usual = fit_climatology(setting.maps.pm2p5, setting.training_days)

    def forecast(day: np.datetime64) -> Maps:
        return LazyMaps(setting.leads, lambda lead: usual.on(day + lead * _ONE_DAY).astype(np.float32))

    return {CLIMATOLOGY: forecast}


def damped_rows(setting: Setting) -> dict[str, Method]:
    """Today's departure from what is usual, fading."""
    _refuse_untrained_season(setting)
    try:
        damped = setting.damped
    except NoTrainingDaysError as error:
        raise NotPossibleError(str(error)) from error

    def forecast(day: np.datetime64) -> Maps:
        today = setting.maps.pm2p5(day)
        return LazyMaps(setting.leads, lambda lead: damped.forecast(today, day, lead))

    return {DAMPED: forecast}


def least_squares_rows(setting: Setting) -> dict[str, Method]:
    """Thirteen predictors: coefficients of a file if one is given, else fitted on the training days."""
    files = [path for path in setting.trained if _is_json(path)]
    if len(files) > 1:
        raise ValueError(f"Give one file of least-squares coefficients, not {len(files)}.")
    if files:
        fit = LeastSquares.load(files[0])
        missing = sorted(set(setting.leads) - set(fit.leads))
        if missing:
            raise ValueError(
                f"{files[0]} was fitted for T+{sorted(fit.leads)}; {missing} are asked for as well."
            )
        setting.notes.append(f"{LEAST_SQUARES}: fitted on {fit.training.get('period')}, read from a file")
        _warn_of_seen_days(setting, LEAST_SQUARES, str(fit.training.get("period", "")))
    else:
        if not len(setting.training_days):
            raise NotPossibleError(
                "no training days were given to fit it on, and no file of coefficients (--rival FILE.json)"
            )
        held = set(setting.source.days.tolist())
        days = [day for day in setting.training_days if (day - _ONE_DAY).astype(object) in held]
        try:
            fit = fit_least_squares(setting.source, days, leads=setting.leads, fitted=setting.fitted)
        except LeastSquaresError as error:
            raise NotPossibleError(str(error)) from error
        setting.notes.append(
            f"{LEAST_SQUARES}: fitted on {len(days)} training days, {fit.training['period']}"
        )
    return {LEAST_SQUARES: lambda day: fit.forecast(setting.maps, day)}


def cams_global_rows(setting: Setting) -> dict[str, Method]:
    """The global system: its forecast interpolated and on today's map, its analysis persisted."""
    days, cams = setting.init_days, setting.dataset.cams_forecast
    missing = [day for day in days if not np.isfinite(cams(day)).any()]
    if missing:
        raise NotPossibleError(f"no forecast in the dataset for {len(missing)} of {len(days)} days")
    return global_rows(setting.dataset, setting.maps.pm2p5)


def cams_europe_rows(setting: Setting) -> dict[str, Method]:
    """The European ensemble, where its runs were fetched."""
    if setting.ensemble is None:
        return {}
    days, runs = setting.init_days, setting.ensemble.runs
    absent = [day for day in days if day.astype("datetime64[D]") not in runs]
    if absent:
        raise NotPossibleError(f"no run fetched for {len(absent)} of {len(days)} days")
    return europe_rows(setting.ensemble, setting.source.domain.fine, setting.maps.pm2p5)


def trained_rows(setting: Setting) -> dict[str, Method]:
    """Learned rivals, each in the paper's form and in the fair one."""
    rows: dict[str, Method] = {}
    for folder in setting.trained:
        if _is_json(folder):
            continue
        rival = load_rival(folder, setting.device)
        found = learned_rows(rival, setting.maps, setting.leads, setting.notes)
        _warn_of_seen_days(setting, rival.config.title, rival.period, before=1, after=max(rival.leads))
        twice = sorted(set(found) & set(rows))
        if twice:
            raise ValueError(f"Two rivals are called {twice[0]!r}; give one checkpoint of each.")
        rows |= found
    return rows


FAMILIES: Mapping[str, Family] = {
    PERSISTENCE: persistence_rows,
    BLURRED: blurred_rows,
    CLIMATOLOGY: climatology_rows,
    DAMPED: damped_rows,
    LEAST_SQUARES: least_squares_rows,
    "CAMS global": cams_global_rows,
    "CAMS Europe": cams_europe_rows,
    "learned rivals": trained_rows,
}
"""In the order of tables."""


def days_read_by_fits(training_days: Sequence[np.datetime64], trained: Sequence[str | Path]) -> int:
    """How often ``Setting.fitted`` will be called.

    Damped persistence reads each training day, and so does least squares, unless its coefficients are given.
    """
    given = any(_is_json(Path(path)) for path in trained)
    return (1 if given else 2) * len(training_days)


def all_rivals(setting: Setting) -> tuple[dict[str, Method], list[str]]:
    """All methods that the setting allows, and a line on each family that it does not.

    Raises
    ------
    ValueError
        If a file or checkpoint that was given cannot be used: what is asked for is not left out silently.
    """
    methods: dict[str, Method] = {}
    left_out: list[str] = []
    for name, family in FAMILIES.items():
        try:
            methods |= family(setting)
        except (NotPossibleError, NoTrainingDaysError) as error:
            left_out.append(f"{name}: {error}")
    return methods, left_out


def _warn_of_seen_days(setting: Setting, name: str, period: str, *, before: int = 0, after: int = 0) -> None:
    """Note that some init days share days with what was trained on; a period that cannot be read says nothing.

    Parameters
    ----------
    period : str
        ``first..last``; ``before`` and ``after`` days were read beyond it.
    """
    first, separator, last = period.partition("..")
    if not separator:
        return
    start, stop = np.datetime64(first, "D") - before, np.datetime64(last, "D") + after
    reach = max(setting.leads)
    seen = [day for day in setting.init_days if day - 1 <= stop and day + reach >= start]
    if seen:
        setting.notes.append(
            f"**{name} was trained on {period}, which shares days with {len(seen)} of the {len(setting.init_days)} "
            "init days: no held-out score.**"
        )


def _is_json(path: Path) -> bool:
    return path.suffix == ".json"


def _telling(setting: Setting) -> Callable[[np.datetime64], np.ndarray]:
    """Reads a day's map, and tells of each day once."""
    told: set[np.datetime64] = set()

    def read(day: np.datetime64) -> np.ndarray:
        field = setting.maps.pm2p5(day)
        if setting.fitted is not None and day not in told:  # the first one is read twice
            setting.fitted()
        told.add(day)
        return field

    return read


def _refuse_untrained_season(setting: Setting) -> None:
    if not len(setting.training_days):
        raise NotPossibleError("no training days were given to fit it on")
    seasons = {season_of(day) for day in setting.training_days}
    for init in setting.init_days:
        for day in (init, *(init + lead * _ONE_DAY for lead in setting.leads)):
            if season_of(day) not in seasons:
                raise NotPossibleError(
                    f"the training days hold none in {SEASONS[season_of(day)]}, as {day} is"
                )


def _pairs(setting: Setting) -> list[tuple[np.datetime64, np.datetime64]]:
    """Some training days with the day that follows each by the first lead."""
    held, lead = set(setting.training_days), min(setting.leads)
    pairs = [(day, day + lead * _ONE_DAY) for day in setting.training_days if day + lead * _ONE_DAY in held]
    return pairs[:: max(1, len(pairs) // BLUR_DAYS)][:BLUR_DAYS]
