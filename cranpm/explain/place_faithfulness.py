"""How far attention can be trusted at one place of one forecast: the test of `faithfulness`, at the bridge alone.

One place says less than many: the patches elsewhere are drawn several times, and several numbers of patches are hidden.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from cranpm._json import JsonObject
from cranpm._progress import Clock, Progress
from cranpm.data.samples import LOCAL_PATCH
from cranpm.domain import plan_tiles
from cranpm.explain.faithfulness import HIDDEN, FaithfulnessPlan, HiddenSets, TileFaith, rank_correlation
from cranpm.explain.place_answer import Effect, PlaceAnswer, PlaceRequest
from cranpm.forecasting.engine import ForecastCancelledError, choose_device
from cranpm.forecasting.interventions import switched
from cranpm.forecasting.service.run_folder import RunFolder, RunStatus
from cranpm.forecasting.service.tasks import RefusedError, in_turn, inputs_of
from cranpm.model import CranPM

_NO_ATTENTION = (
    "This network reads nothing through the bridge: no attention to test. Choose another checkpoint."
)
_NO_VALUE = "There is no forecast at this place (sea, or today's map has a gap); choose a place on land."


@dataclass(frozen=True, kw_only=True)
class PlacePlan:
    """What is hidden of one place."""

    hidden: tuple[int, ...] = (1, HIDDEN, 2 * HIDDEN)
    """Numbers of patches hidden together; those above half of the patches there are, are left out."""
    draws: int = 3
    """How often patches elsewhere are drawn."""
    near: int = FaithfulnessPlan.near
    """Nearest patches of the tile that are hidden one by one for the rank correlation."""
    far: int = FaithfulnessPlan.far
    """Further ones for it, drawn from the rest."""
    seed: int = 0
    """Of what is drawn."""


@torch.inference_mode()
def ask_place(
    faith: TileFaith, token: int, plan: PlacePlan = PlacePlan(), *, progress: Progress | None = None
) -> PlaceAnswer:
    """Hide sets of patches from one token of a tile, at the bridge alone.

    Parameters
    ----------
    faith : TileFaith
        Of the place's tile, at the lead time that is asked about.
    token : int
        Number of the place's token, row-major in the tile.
    plan : PlacePlan, optional
        What is hidden.
    progress : callable, optional
        Told after each forward pass; what it raises ends the test.

    Raises
    ------
    RefusedError
        If the place has no forecast.
    """
    if not np.isfinite(faith.before[token]):
        raise RefusedError(_NO_VALUE)
    generator = np.random.default_rng(plan.seed)
    alone = faith.tried_alone(plan.near, plan.far, generator)
    counts = [k for k in plan.hidden if 2 * k <= int(faith.valid.sum())] or [1]
    sets = {k: [faith.sets_of(token, k, generator) for _ in range(plan.draws)] for k in counts}
    wanted = dict.fromkeys(
        frozenset(patches)
        for patches in (*([patch] for patch in alone), *(each for k in counts for each in _all(sets[k])))
    )
    clock = Clock(len(wanted) + 1, progress)
    changes: dict[frozenset[int], np.ndarray] = {}
    for patches in wanted:
        changes[patches] = faith.change(sorted(patches), "bridge")
        clock.tick()
    without = faith.change_without_bridge()
    clock.tick()

    def effect(*drawn: Sequence[int]) -> Effect:
        found = [changes[frozenset(patches)] for patches in drawn]
        here = [float(change[token]) for change in found]
        return Effect(
            patches=float(np.mean([len(patches) for patches in drawn])),
            mass=float(np.mean([faith.mass(token, patches) for patches in drawn])),
            place=float(np.mean(here)),
            tile=float(np.mean([np.nanmean(change) for change in found])),
            low=min(here),
            high=max(here),
        )

    one_by_one = np.array([changes[frozenset([patch])][token] for patch in alone])
    return PlaceAnswer(
        lead=faith.lead,
        tile=faith.tile.index,
        token=token,
        cells=LOCAL_PATCH,
        forecast=float(faith.before[token]),
        counts=tuple(counts),
        most_attended=tuple(effect(sets[k][0].most) for k in counts),
        nearest=tuple(effect(sets[k][0].nearest) for k in counts),
        elsewhere=tuple(effect(*(drawn.elsewhere for drawn in sets[k])) for k in counts),
        shared=tuple(len(set(sets[k][0].most) & set(sets[k][0].nearest)) for k in counts),
        bridge_off=float(without[token]),
        bridge_off_tile=float(np.nanmean(without)),
        rank_attention=rank_correlation(faith.attention[token][alone], one_by_one),
        rank_distance=rank_correlation(-faith.distance[token][alone], one_by_one),
        tried=len(alone),
        draws=plan.draws,
    )


def _all(sets: Sequence[HiddenSets]) -> list[list[int]]:
    return [sets[0].most, sets[0].nearest, *(drawn.elsewhere for drawn in sets)]


def answer_into_folder(path: str, request_values: JsonObject) -> str:
    """Test one place of a run in the worker, into a folder; see `cranpm.forecasting.service.tasks.in_turn`."""
    request = PlaceRequest.from_dict(request_values)
    return in_turn(path, lambda folder: _answer(folder, request))


def _answer(folder: RunFolder, request: PlaceRequest) -> None:
    device = choose_device(request.forecast.device)
    begun = RunStatus(state="running", device=str(device), precision="float32")
    folder.write_status(begun)
    checkpoint, day = inputs_of(folder, request.forecast, str(device))
    plan = plan_tiles(day.domain.fine.shape)
    tell, clock = _Teller(folder, begun), Clock(1)
    with switched(checkpoint.network, request.forecast.interventions) as network, torch.inference_mode():
        _refuse_without_attention(network)
        context = network.encode_global(day.global_inputs())
        faith = TileFaith(network, day, plan.tiles[request.tile], context, request.lead)
        answer = ask_place(faith, request.token, progress=tell)
    answer.write(folder)
    tell.ended(clock.seconds)


def _refuse_without_attention(network: CranPM) -> None:
    config = network.config
    if network.bridge_off or config.fusion != "cross" or not config.bridge_depth:
        raise RefusedError(_NO_ATTENTION)


class _Teller:
    """Writes how far the test is, and ends it where nobody waits for it any more."""

    def __init__(self, folder: RunFolder, begun: RunStatus) -> None:
        self._folder, self._last = folder, begun

    def __call__(self, done: int, total: int, seconds_left: float, /) -> None:
        if self._folder.cancel_asked():
            raise ForecastCancelledError(f"Cancelled after {done} of {total} passes.")
        self._last = replace(self._last, done_tiles=done, total_tiles=total, seconds_left=seconds_left)
        self._folder.write_status(self._last)

    def ended(self, seconds: float) -> None:
        """All is done."""
        self._folder.write_status(replace(self._last, state="done", seconds=seconds, seconds_left=0.0))
