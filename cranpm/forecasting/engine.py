"""Tiles to map: the global branch once a day, tiles in batches, blended in the residual, one device."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch

from cranpm._progress import Clock
from cranpm.domain import LEAD_DAYS, Tile, TilePlan, plan_tiles
from cranpm.forecasting.attention import GLOBAL_TENSORS, AttentionRecorder
from cranpm.forecasting.blend import ResidualMap
from cranpm.forecasting.day import ForecastDay
from cranpm.model import CranPM, GlobalContext, ModelConfig, Trace

DEFAULT_MEMORY = 2 << 30
"""Memory that batched tiles may use besides the maps [bytes]."""


class ForecastCancelledError(RuntimeError):
    """The caller asked to stop; tiles blended so far are in the output maps."""


@dataclass(frozen=True, kw_only=True)
class Progress:
    """State of a run after a batch of tiles."""

    done_tiles: int
    total_tiles: int
    seconds: float
    seconds_left: float
    tiles: tuple[Tile, ...] = ()


@dataclass(kw_only=True)
class ForecastMaps:
    """Result of a run: forecast maps and how they came about.

    ``fields[lead]`` is (H, W) float32 [ug m-3], NaN where there is no support; ``negative[lead]`` counts the
    cells that were clipped to zero.
    """

    fields: dict[int, np.ndarray]
    negative: dict[int, int] = field(default_factory=dict)
    num_tiles: int = 0
    skipped_tiles: int = 0
    seconds: float = 0.0
    device: str = "cpu"


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
    asked = [leads] if isinstance(leads, int | np.integer) else list(leads)
    if not asked or not set(asked) <= set(LEAD_DAYS):
        known = ", ".join(map(str, LEAD_DAYS))
        raise ValueError(f"Lead times must be among {known} days, got {asked}.")
    return tuple(sorted({int(lead) for lead in asked}))


def bytes_per_tile(config: ModelConfig, tile_size: int = 512) -> int:
    """Rough peak of activations of one more tile in a batch [bytes]: attention logits and widest decoder maps."""
    tokens = (tile_size // 16) ** 2
    attention = 3 * tokens * max(tokens, 735) * config.local_heads * 4
    decoder = (
        6
        * max((tile_size // 2**k) ** 2 * width for k, width in enumerate(reversed(config.decoder_channels)))
        * 4
    )
    return attention + decoder


@torch.inference_mode()
def run_forecast(
    network: CranPM,
    day: ForecastDay,
    leads: Sequence[int] = LEAD_DAYS,
    *,
    plan: TilePlan | None = None,
    tiles: Sequence[int] | None = None,
    first: Sequence[int] = (),
    out: dict[int, np.ndarray] | None = None,
    memory_budget: int = DEFAULT_MEMORY,
    autocast: bool | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
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
    plan : TilePlan, optional
        Default: 512-cell tiles with 64 shared cells.
    tiles : sequence of int, optional
        Run only these tiles of the plan (a what-if of the visible part).
    first : sequence of int
        Tiles to run before the others, for instance those in view.
    out : dict of int to ndarray, optional
        Maps (H, W) float32 to fill, for instance memory-mapped files that a viewer reads; they are filled with NaN
        first and hold the blended forecast of all finished tiles after every batch.
    memory_budget : int
        Bytes that batched tiles may take; decides the batch size.
    autocast : bool, optional
        bfloat16 autocast; default on CUDA only.
    on_progress : callable, optional
        Called with `Progress` after each batch.
    cancelled : callable, optional
        Asked before each batch; a true answer stops the run.
    recorder : AttentionRecorder, optional
        Keeps the bridge's tensors of these very forward passes.

    Raises
    ------
    ForecastCancelledError
        If ``cancelled`` returned true.
    ValueError
        For a lead time the network does not know or a tile outside the plan.
    """
    leads = check_leads(leads)
    plan = plan or plan_tiles(day.domain.fine.shape)
    chosen = _choose_tiles(plan, day, tiles, first)
    maps = {lead: ResidualMap(day.pm2p5, plan, None if out is None else out[lead]) for lead in leads}
    progressive = out is not None or on_progress is not None
    use_autocast = day.device.type == "cuda" if autocast is None else autocast
    batch = max(
        1, min(_batch_limit(day.device), memory_budget // bytes_per_tile(network.config, plan.tile_size))
    )
    clock = Clock(len(chosen))
    with torch.autocast(day.device.type, dtype=torch.bfloat16, enabled=use_autocast):
        context = _encode(network, day, recorder)
        for group in _batches(chosen, batch):
            if cancelled is not None and cancelled():
                raise ForecastCancelledError(f"Cancelled after {clock.done} of {len(chosen)} tiles.")
            _run_batch(network, day, context, group, maps, progressive, recorder)
            clock.tick(len(group))
            if on_progress is not None:
                on_progress(
                    Progress(
                        done_tiles=clock.done,
                        total_tiles=clock.total,
                        seconds=clock.seconds,
                        seconds_left=clock.seconds_left,
                        tiles=tuple(group),
                    )
                )
    fields, negative = {}, {}
    for lead in leads:
        fields[lead], negative[lead] = maps[lead].finish()
    return ForecastMaps(
        fields=fields,
        negative=negative,
        num_tiles=len(chosen),
        skipped_tiles=plan.num_tiles - len(chosen),
        seconds=clock.seconds,
        device=str(day.device),
    )


def _encode(network: CranPM, day: ForecastDay, recorder: AttentionRecorder | None) -> GlobalContext:
    if recorder is None:
        return network.encode_global(day.global_inputs())
    trace = Trace(*GLOBAL_TENSORS)
    context = network.encode_global(day.global_inputs(), trace)
    recorder.record_day(context, trace, network.config)
    return context


def _run_batch(
    network: CranPM,
    day: ForecastDay,
    context: GlobalContext,
    group: list[Tile],
    maps: dict[int, ResidualMap],
    progressive: bool,
    recorder: AttentionRecorder | None,
) -> None:
    inputs = day.local_inputs(group)
    # of a single tile all leads in one pass: it shares the biases, a seventh of the time on a CPU
    passes = [tuple(maps)] if len(group) == 1 else [(lead,) for lead in maps]
    for leads in passes:
        trace = None if recorder is None else recorder.new_trace()
        lead_of_map = [lead for lead in leads for _ in group]
        at_leads = replace(inputs, lead=torch.tensor(lead_of_map, device=day.device))
        deltas = network.forecast_delta(at_leads, context, trace=trace)
        for lead, tile, values in zip(lead_of_map, group * len(leads), deltas.float(), strict=True):
            maps[lead].add(tile, values)
            if progressive:
                maps[lead].refresh(tile)
        if recorder is not None and trace is not None:
            recorder.record(leads, group, trace)


def _choose_tiles(
    plan: TilePlan, day: ForecastDay, only: Sequence[int] | None, first: Sequence[int]
) -> list[Tile]:
    wanted = range(plan.num_tiles) if only is None else only
    outside = [i for i in (*wanted, *first) if not 0 <= i < plan.num_tiles]
    if outside:
        raise ValueError(f"Tile(s) {outside} are outside the plan of {plan.num_tiles} tiles.")
    early = dict.fromkeys(i for i in first if i in set(wanted))
    order = list(dict.fromkeys([*early, *wanted]))
    return [plan.tiles[i] for i in order if day.has_support(plan.tiles[i])]


def _batch_limit(device: torch.device) -> int:
    # on a CPU larger batches leave the cache and gain nothing; a GPU wants to be full
    return 32 if device.type == "cuda" else 1


def _batches(tiles: list[Tile], size: int) -> Iterator[list[Tile]]:
    for start in range(0, len(tiles), size):
        yield tiles[start : start + size]
