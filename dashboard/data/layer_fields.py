"""What a layer is made of: the days that it needs, and its values, read from the dataset or made by a baseline.

A coarse field keeps its own resolution: it is drawn as cells of 0.25 degrees round its nodes and never smoothed, so
that what is read off the map is a number of the dataset.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial

import numpy as np

from cranpm.baselines.cams import add_change, on_fine_grid
from cranpm.baselines.climatology import NoTrainingDaysError
from cranpm.baselines.damped import DampedPersistence, fit_damped
from cranpm.baselines.persistence import USUAL_BLUR, blurred_persistence
from cranpm.data.store.dataset import Dataset
from cranpm.data.store.source import startable
from cranpm.domain.channels import CAMS_CHANNELS, DAY_CHANNELS, channel_index
from cranpm.domain.grid import Grid
from cranpm.domain.resampling import consecutive_runs
from cranpm.domain.splits import Splits
from cranpm.plot.pyramid import Pyramid

from ..layers import FINE, WHATIF_BESIDE, layer_of
from ..state import LEADS

FIT_DAYS = 24
"""Training days that climatology and damping are fitted on: some ten seconds for Europe, once."""

COARSE_LEVELS = 3
"""Levels above a coarse field: seen from afar, 0.25 degrees are a few pixels."""


class FieldUnavailableError(LookupError):
    """A layer that cannot be shown; the message says why, in words for the reader of the map."""


@dataclass(frozen=True, kw_only=True)
class Values:
    """A pyramid, and the memory of what it reads from besides its own copies [bytes]."""

    pyramid: Pyramid
    held_bytes: int


def needed_days(layer: str, init: dt.date, lead: int) -> tuple[dt.date, ...]:
    """Days of the dataset without which a layer cannot be shown; what a run holds needs none."""
    before, valid = init - dt.timedelta(days=1), init + dt.timedelta(days=lead)
    if layer in ("target", "error"):
        return (valid,)
    if layer in ("forecast", "whatif", WHATIF_BESIDE.key):
        return ()
    return {"t-1": (before,), "change": (before, init)}.get(layer_of(layer).input_day, (init,))


def refuse_missing(layer: str, init: dt.date, lead: int, days: Sequence[dt.date]) -> None:
    """Nothing, where the dataset holds what a layer needs.

    Raises
    ------
    FieldUnavailableError
        Naming the day that is missing.
    """
    span = (
        f"The dataset holds {days[0]:%d %b %Y} to {days[-1]:%d %b %Y}." if days else "The dataset is empty."
    )
    for day in needed_days(layer, init, lead):
        if day not in days:
            what = "target yet" if layer in ("target", "error") else "field"
            raise FieldUnavailableError(f"No {what} for {day:%d %b %Y}. {span}")


def values_of(dataset: Dataset, layer: str, init: dt.date, lead: int) -> Values:
    """The values of a layer that needs no run.

    Raises
    ------
    FieldUnavailableError
        Where a baseline cannot be made of this dataset.
    """
    if layer in _PACKED:
        return _packed(dataset, init + dt.timedelta(days=_PACKED[layer](lead)))
    if layer in _NODES:
        return _nodes(dataset, _NODES[layer](dataset, _day(init), lead))
    if layer in _MAPS:
        return _fine(dataset, _MAPS[layer](dataset, _day(init), lead))
    return _input(dataset, layer, init)


def raw_map(dataset: Dataset, day: dt.date) -> np.ndarray:
    """PM2.5 of a day as stored: tenths of ug m-3, uint16, 65535 where there is none."""
    return np.asarray(dataset.pm2p5_raw(_day(day), slice(None), slice(None)))


def coarse_cells(nodes: Grid) -> Grid:
    """Cells round the nodes of a grid: each reaches half a step to all sides."""
    half = nodes.step / 2
    return replace(
        nodes,
        registration="cell",
        north=nodes.north + half,
        west=nodes.west - half,
        name=f"{nodes.name}-cells",
    )


def _day(day: dt.date) -> np.datetime64:
    return np.datetime64(day, "D")


def _packed(dataset: Dataset, day: dt.date) -> Values:
    packed = raw_map(dataset, day)
    return Values(pyramid=Pyramid.of_packed(packed, dataset.domain.fine), held_bytes=packed.nbytes)


def _over(values: np.ndarray, grid: Grid, **levels: int) -> Pyramid:
    return Pyramid(lambda rows, cols: np.asarray(values[rows, cols], np.float32), grid, **levels)


def _fine(dataset: Dataset, values: np.ndarray) -> Values:
    values = np.ascontiguousarray(values, dtype=np.float32)
    return Values(pyramid=_over(values, dataset.domain.fine), held_bytes=values.nbytes)


def _nodes(dataset: Dataset, values: np.ndarray) -> Values:
    values, grid = np.asarray(values, np.float32), coarse_cells(dataset.domain.coarse_box)
    return Values(pyramid=_over(values, grid, num_levels=COARSE_LEVELS), held_bytes=values.nbytes)


# -- baselines -----------------------------------------------------------------------------------------------------


def _today(dataset: Dataset, init: np.datetime64) -> np.ndarray:
    return dataset.pm2p5(init).values


def _cams_ahead(dataset: Dataset, init: np.datetime64, lead: int) -> np.ndarray:
    values = dataset.cams_forecast(init)[lead - 1]
    if not np.isfinite(values).any():
        raise FieldUnavailableError(f"No CAMS forecast that started on {init} is in this dataset.")
    return values


def _cams_now(dataset: Dataset, init: np.datetime64, lead: int) -> np.ndarray:
    return dataset.cams(init)[channel_index("pm2p5", CAMS_CHANNELS)]


def _cams_on_today(dataset: Dataset, init: np.datetime64, lead: int) -> np.ndarray:
    change = _cams_ahead(dataset, init, lead) - _cams_now(dataset, init, lead)
    box, fine = dataset.domain.coarse_box, dataset.domain.fine
    return add_change(_today(dataset, init), on_fine_grid(change, box.lat, box.lon, fine))


@lru_cache(maxsize=1)
def _fitted(root: str, content_hash: str) -> DampedPersistence:
    """Fitted on the dataset's own training days; the mean map of the last dataset is kept (117 MB for Europe)."""
    dataset = Dataset.open(root)
    days = consecutive_runs(startable(dataset.days, "train", Splits(), LEADS), FIT_DAYS, LEADS)
    return fit_damped(partial(_today, dataset), days, leads=tuple(LEADS))


def _usual(dataset: Dataset) -> DampedPersistence:
    try:
        return _fitted(dataset.root, str(dataset.meta.get("hash")))
    except NoTrainingDaysError:
        first, last = Splits().train
        raise FieldUnavailableError(
            f"This needs training days to know what is usual, and the dataset holds none of {first} to {last}."
        ) from None


def _fit_or_say(make: Callable[[DampedPersistence], np.ndarray], dataset: Dataset) -> np.ndarray:
    usual = _usual(dataset)
    try:
        return make(usual)
    except NoTrainingDaysError as error:
        raise FieldUnavailableError(str(error)) from None


def _climatology(dataset: Dataset, init: np.datetime64, lead: int) -> np.ndarray:
    return _fit_or_say(lambda usual: usual.climatology.on(init + np.timedelta64(lead, "D")), dataset)


def _damped(dataset: Dataset, init: np.datetime64, lead: int) -> np.ndarray:
    return _fit_or_say(lambda usual: usual.forecast(_today(dataset, init), init, lead), dataset)


def _blurred(dataset: Dataset, init: np.datetime64, lead: int) -> np.ndarray:
    return blurred_persistence(_today(dataset, init), USUAL_BLUR)


_Make = Callable[[Dataset, np.datetime64, int], np.ndarray]

_PACKED: dict[str, Callable[[int], int]] = {
    "today": lambda lead: 0,
    "target": lambda lead: lead,
    "persistence": lambda lead: 0,
    f"input.{FINE}.t": lambda lead: 0,
    f"input.{FINE}.t-1": lambda lead: -1,
}
"""Layers that are a stored map: days after the init day."""

_NODES: dict[str, _Make] = {"cams": _cams_ahead, "cams_analysis": _cams_now}
_MAPS: dict[str, _Make] = {
    "blurred": _blurred,
    "climatology": _climatology,
    "damped": _damped,
    "cams_on_today": _cams_on_today,
}


# -- inputs --------------------------------------------------------------------------------------------------------


def _input(dataset: Dataset, key: str, init: dt.date) -> Values:
    layer, grid = layer_of(key), dataset.domain.fine
    before = init - dt.timedelta(days=1)
    if layer.field == FINE:
        return _difference(dataset, init, before)
    if layer.field == "elevation":
        # a dataset of its own: xarray keeps what was read through one
        return _fine(dataset, Dataset.open(dataset.root).static["elevation"].to_numpy())
    if layer.field in ("latitude", "longitude"):
        along = grid.lat[:, None] if layer.field == "latitude" else grid.lon[None]
        values = np.broadcast_to(along.astype(np.float32), grid.shape)
        return Values(pyramid=_over(values, grid), held_bytes=along.nbytes)
    days = {"t": (init,), "t-1": (before,), "change": (init, before)}[layer.input_day]
    fields = [_coarse_channel(dataset, layer.field, _day(day)) for day in days]
    return _nodes(dataset, fields[0] if len(fields) == 1 else fields[0] - fields[1])


def _coarse_channel(dataset: Dataset, name: str, day: np.datetime64) -> np.ndarray:
    index = channel_index(name, DAY_CHANNELS)
    weather = len(DAY_CHANNELS) - len(CAMS_CHANNELS)
    return dataset.era5(day)[index] if index < weather else dataset.cams(day)[index - weather]


def _difference(dataset: Dataset, day: dt.date, before: dt.date) -> Values:
    packed = [raw_map(dataset, when) for when in (day, before)]
    grid = dataset.domain.fine
    now, then = (Pyramid.of_packed(one, grid, num_levels=0) for one in packed)
    pyramid = Pyramid(lambda rows, cols: now.read(rows, cols) - then.read(rows, cols), grid)
    return Values(pyramid=pyramid, held_bytes=sum(one.nbytes for one in packed))
