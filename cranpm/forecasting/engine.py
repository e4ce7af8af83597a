"""Tiles to map: the global branch once a day, tiles in batches, blended in the residual, one device."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch

from cranpm._progress import Clock
from cranpm.domain import LEAD_DAYS, Tile, TilePlan, plan_tiles
from cranpm.forecasting.attention import GLOBAL_TENSORS, AttentionRecorder
from cranpm.forecasting.blend import ResidualMap
from cranpm.forecasting.day import ForecastDay
from cranpm.forecasting.resources.memory import DEFAULT_MEMORY, bytes_per_tile, check_budget, expected_peak
from cranpm.forecasting.resources.precision import choose_precision
from cranpm.model import CranPM, GlobalContext, Trace


class ForecastCancelledError(RuntimeError):
    """The caller asked to stop; tiles blended so far are in the output maps."""


class NonFiniteForecastError(RuntimeError):
    """The network gave a value that is not finite for inputs that are."""


@dataclass(frozen=True, kw_only=True)
class TilesDone:
    """State of a run after a batch of tiles."""

    done_tiles: int
    total_tiles: int
    seconds: float
    seconds_left: float
    tiles: tuple[Tile, ...] = ()


@dataclass(frozen=True, kw_only=True)
class TileSelection:
    """Which tiles of a map are forecast, and in which order."""

    plan: TilePlan | None = None
    """Default: 512-cell tiles with 64 shared cells."""
    only: Sequence[int] | None = None
    """These tiles of the plan and no others (a what-if of the visible part)."""
    first: Sequence[int] = ()
    """Tiles to run before the others, for instance those in view."""


ALL_TILES = TileSelection()


@dataclass(frozen=True, kw_only=True)
class RunObserver:
    """Who follows a run while it goes on."""

    maps: Mapping[int, np.ndarray] | None = None
    """Of each lead time a map (H, W) float32 to fill, for instance memory-mapped files that a viewer reads; they are
    filled with NaN first and hold the blended forecast of all finished tiles after every batch."""
    progress: Callable[[TilesDone], None] | None = None
    """Called after each batch."""
    cancelled: Callable[[], bool] | None = None
    """Asked before each batch; a true answer stops the run."""

    @property
    def sees_tiles(self) -> bool:
        """Whether anything of the run is seen before its end."""
        return self.maps is not None or self.progress is not None


UNOBSERVED = RunObserver()


@dataclass(kw_only=True)
class ForecastMaps:
    """Result of a run: forecast maps and how they came about.

    ``fields[lead]`` is (H, W) float32 [ug m-3], NaN where there is no support; ``negative[lead]`` counts the
    cells that were clipped to zero; ``precision`` is what matrix products ran in.
    """

    fields: dict[int, np.ndarray]
    negative: dict[int, int] = field(default_factory=dict)
    num_tiles: int = 0
    skipped_tiles: int = 0
    seconds: float = 0.0
    device: str = "cpu"
    precision: str = "float32"
    expected_memory: int | None = None
    """What this process was expected, before the first tile, to hold at most [bytes]; None on other devices."""


def choose_device(device: str = "auto") -> torch.device:
    """The device to run on: ``auto`` takes CUDA when there is one."""
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise ValueError(
            f"Device {device!r} was asked for but torch sees no CUDA device; use 'cpu' or 'auto'."
        )
    return torch.device(device)


def check_leads(leads: int | Sequence[int]) -> tuple[int, ...]:
    """Lead times [days], ascending, each once.

    Raises
    ------
    ValueError
        If there is none, or one that the network does not know.

    Examples
    --------
    >>> check_leads([3, 1]), check_leads(2)
    ((1, 3), (2,))
    """
    asked: list[Any] = list(leads) if isinstance(leads, Iterable) and not isinstance(leads, str) else [leads]
    if not asked or not set(asked) <= set(LEAD_DAYS):
        known = ", ".join(map(str, LEAD_DAYS))
        raise ValueError(f"Lead times must be among {known} days, got {asked}.")
    return tuple(sorted({int(lead) for lead in asked}))


@torch.inference_mode()
def run_forecast(
    network: CranPM,
    day: ForecastDay,
    leads: Sequence[int] = LEAD_DAYS,
    *,
    tiles: TileSelection = ALL_TILES,
    memory_budget: int = DEFAULT_MEMORY,
    precision: str = "float32",
    observer: RunObserver = UNOBSERVED,
    recorder: AttentionRecorder | None = None,
) -> ForecastMaps:
    """Forecast the maps of one init day.

    Parameters
    ----------
    network : CranPM
        In eval mode, on ``day.device``.
    day : ForecastDay
        Inputs.
    leads : sequence of int
        Lead times [days]; they share the global branch and the tile inputs.
    tiles : TileSelection
        Default: the whole map.
    memory_budget : int
        Bytes that batched tiles may take; decides the batch size.
    precision : str
        What matrix products and convolutions run in: "float32", "bfloat16", or "auto" (bfloat16 where the device
        multiplies it natively). If bfloat16 gives a value that is not finite the run begins again in float32, with a
        warning.
    observer : RunObserver
        Sees the maps fill, is told of each batch, and may cancel.
    recorder : AttentionRecorder, optional
        Keeps the bridge's tensors of these very forward passes.

    Returns
    -------
    ForecastMaps
        ``fields[lead]`` (H, W) float32 [ug m-3], NaN where no tile has been or today's map has no value.

    Raises
    ------
    ForecastCancelledError
        If ``observer.cancelled`` returned true.
    NonFiniteForecastError
        If the network gives values that are not finite in float32.
    ValueError
        For a lead time the network does not know, a tile outside the plan, an unknown precision, or a memory budget
        that holds no tile.
    torch.OutOfMemoryError
        If the device cannot hold a single tile; batches are halved before.
    """
    plan = tiles.plan or plan_tiles(day.domain.fine.shape)
    check_budget(network.config, memory_budget, plan.tile_size)
    run = _Run(
        network=network,
        day=day,
        leads=check_leads(leads),
        plan=plan,
        tiles=_choose_tiles(plan, day, tiles),
        batch_size=memory_budget // bytes_per_tile(network.config, plan.tile_size),
        observer=observer,
        recorder=recorder,
    )
    dtype = choose_precision(precision, day.device)
    try:
        return run.maps(dtype)
    except NonFiniteForecastError as error:
        if dtype is torch.float32:
            raise
        warnings.warn(f"{error} In bfloat16; the forecast begins again in float32.", stacklevel=2)
        return run.maps(torch.float32)


@dataclass(frozen=True, kw_only=True)
class _Run:
    """What one run computes; `maps` computes it, from the beginning each time it is called."""

    network: CranPM
    day: ForecastDay
    leads: tuple[int, ...]
    plan: TilePlan
    tiles: list[Tile]
    batch_size: int
    observer: RunObserver
    recorder: AttentionRecorder | None

    @property
    def batch(self) -> int:
        """Tiles at a time, until the device holds no more of them."""
        return min(_batch_limit(self.day.device), self.batch_size)

    def maps(self, dtype: torch.dtype) -> ForecastMaps:
        device, out = self.day.device, self.observer.maps
        expected = None
        if device.type == "cpu":
            expected = expected_peak(
                self.network.config,
                self.plan.shape,
                self.leads,
                batch=self.batch,
                tile_size=self.plan.tile_size,
                itemsize=dtype.itemsize,
            )
        maps = {
            lead: ResidualMap(self.day.pm2p5, self.plan, None if out is None else out[lead])
            for lead in self.leads
        }
        clock = Clock(len(self.tiles))
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=dtype is torch.bfloat16):
            self._blend_all(maps, clock)
        finished = {lead: maps[lead].finish() for lead in self.leads}
        return ForecastMaps(
            fields={lead: field for lead, (field, _) in finished.items()},
            negative={lead: clipped for lead, (_, clipped) in finished.items()},
            num_tiles=len(self.tiles),
            skipped_tiles=self.plan.num_tiles - len(self.tiles),
            seconds=clock.seconds,
            device=str(device),
            precision=str(dtype).removeprefix("torch."),
            expected_memory=expected,
        )

    def _blend_all(self, maps: dict[int, ResidualMap], clock: Clock) -> None:
        device, seen = self.day.device, self.observer.sees_tiles
        batch = self.batch
        finite = torch.ones((), dtype=torch.bool, device=device)
        context = _encode(self.network, self.day, self.recorder)
        while clock.done < len(self.tiles):
            self._stop_if_cancelled(clock)
            group = self.tiles[clock.done : clock.done + batch]
            try:
                passes = _passes(self.network, self.day, context, group, self.leads, self.recorder)
            except torch.OutOfMemoryError:
                batch = _halve(len(group), device)
                continue
            for done in passes:
                finite &= done.deltas.isfinite().all()
                done.blend(maps, refresh=seen)
                if self.recorder is not None and done.trace is not None:
                    self.recorder.record(done.leads, group, done.trace)
            # a GPU that runs ahead is asked once, at the end
            if seen or device.type == "cpu":
                _refuse_non_finite(finite, group)
            clock.tick(len(group))
            self._tell(clock, group)
        _refuse_non_finite(finite, self.tiles)

    def _stop_if_cancelled(self, clock: Clock) -> None:
        if self.observer.cancelled is not None and self.observer.cancelled():
            raise ForecastCancelledError(f"Cancelled after {clock.done} of {clock.total} tiles.")

    def _tell(self, clock: Clock, group: list[Tile]) -> None:
        if self.observer.progress is not None:
            self.observer.progress(
                TilesDone(
                    done_tiles=clock.done,
                    total_tiles=clock.total,
                    seconds=clock.seconds,
                    seconds_left=clock.seconds_left,
                    tiles=tuple(group),
                )
            )


def _encode(network: CranPM, day: ForecastDay, recorder: AttentionRecorder | None) -> GlobalContext:
    if recorder is None:
        return network.encode_global(day.global_inputs())
    trace = Trace(*GLOBAL_TENSORS)
    context = network.encode_global(day.global_inputs(), trace)
    recorder.record_day(context, trace, network.config)
    return context


@dataclass(frozen=True)
class _Pass:
    """Residuals (B, S, S) of one forward pass: a batch of tiles at one lead time, or one tile at several."""

    leads: tuple[int, ...]
    tiles: list[Tile]
    deltas: torch.Tensor
    trace: Trace | None

    def blend(self, maps: dict[int, ResidualMap], *, refresh: bool) -> None:
        """Add every residual to the map of its lead time."""
        lead_of_map = [lead for lead in self.leads for _ in self.tiles]
        for lead, tile, values in zip(lead_of_map, self.tiles * len(self.leads), self.deltas, strict=True):
            maps[lead].add(tile, values)
            if refresh:
                maps[lead].refresh(tile)


def _passes(
    network: CranPM,
    day: ForecastDay,
    context: GlobalContext,
    group: list[Tile],
    leads: tuple[int, ...],
    recorder: AttentionRecorder | None,
) -> list[_Pass]:
    inputs = day.local_inputs(group)
    # of a single tile all leads in one pass: it shares the biases, a seventh of the time on a CPU
    passes = []
    for together in [leads] if len(group) == 1 else [(lead,) for lead in leads]:
        trace = None if recorder is None else recorder.new_trace()
        lead_of_map = [lead for lead in together for _ in group]
        at_leads = replace(inputs, lead=torch.tensor(lead_of_map, device=day.device))
        deltas = network.forecast_delta(at_leads, context, trace=trace).float()
        passes.append(_Pass(together, group, deltas, trace))
    return passes


def _halve(size: int, device: torch.device) -> int:
    """The next smaller batch, told; to be called while an out-of-memory error is handled.

    Raises
    ------
    torch.OutOfMemoryError
        The one that is handled, if there is no smaller batch.
    """
    if size == 1:
        raise
    warnings.warn(
        f"{size} tiles at once do not fit into the memory of {device}; going on with {size // 2}. "
        "A smaller memory budget avoids the attempt.",
        stacklevel=3,
    )
    if device.type == "cuda":
        torch.cuda.empty_cache()
    return size // 2


def _refuse_non_finite(finite: torch.Tensor, tiles: Sequence[Tile]) -> None:
    if not finite:
        numbers = ", ".join(str(tile.index) for tile in tiles[:6]) + (", ..." if len(tiles) > 6 else "")
        raise NonFiniteForecastError(
            f"The network gave values that are not finite for finite inputs (among tile(s) {numbers})."
        )


def _choose_tiles(plan: TilePlan, day: ForecastDay, selection: TileSelection) -> list[Tile]:
    """Tiles of the selection that have anything to forecast, in the order they run in."""
    wanted = range(plan.num_tiles) if selection.only is None else selection.only
    outside = [i for i in (*wanted, *selection.first) if not 0 <= i < plan.num_tiles]
    if outside:
        raise ValueError(f"Tile(s) {outside} are outside the plan of {plan.num_tiles} tiles.")
    early = dict.fromkeys(i for i in selection.first if i in set(wanted))
    order = list(dict.fromkeys([*early, *wanted]))
    return [plan.tiles[i] for i in order if day.has_support(plan.tiles[i])]


def _batch_limit(device: torch.device) -> int:
    # on a CPU larger batches leave the cache and gain nothing; a GPU wants to be full
    return 32 if device.type == "cuda" else 1
