"""How far attention can be trusted: hide coarse patches and see whether the forecast minds.

Of a place (one local token) the k most-attended coarse patches are hidden, against the k nearest, and against patches
elsewhere that hold as much attention together. If attention tells what matters, hiding the first changes the forecast
most. Patch by patch, the change must also rank like the attention. Attention is not source apportionment: this says how
much of a picture of attention may be believed.

Patches are hidden in two places. At the *input* of the global branch what they hold is gone for everything: for the
other tokens that have read it, for transport and the coarse forecast. At the *bridge* only their keys and values are
hidden: what a local token can no longer attend to, all else equal. The second asks about attention alone; how much the
whole bridge is worth there says the change when it is switched off.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from cranpm._json import JsonObject
from cranpm._progress import Clock, Progress
from cranpm.data.store.source import DaySource
from cranpm.domain import Statistics, Tile
from cranpm.explain.direction import token_means
from cranpm.explain.tiles import forecast_tile
from cranpm.forecasting.day import ForecastDay, load_day
from cranpm.forecasting.interventions import switched
from cranpm.model import CranPM, GlobalContext, ModelConfig, Trace
from cranpm.model.layers.bias import squared_distance
from cranpm.verification.bootstrap import bootstrap_by_day

HIDDEN_AT = ("input", "bridge")
"""Where patches are hidden."""

HIDDEN = 4
"""Coarse patches hidden together (each 2 x 2 degrees)."""


@dataclass(frozen=True, kw_only=True)
class FaithfulnessPlan:
    """What is hidden of every tile and day."""

    places: int = 4
    """Places of a tile."""
    hidden: int = HIDDEN
    """k, patches hidden together."""
    near: int = 12
    """Nearest patches of a tile that are hidden one by one for the rank correlation."""
    far: int = 6
    """Further ones for it, drawn from the rest."""
    seed: int = 0
    """Of what is drawn."""


@dataclass(frozen=True, kw_only=True)
class PlaceFaith:
    """What hiding did at one place, as absolute change of its token's mean forecast [ug m-3].

    ``hidden_at`` is "input" or "bridge"; ``bridge_off`` the change without the bridge, the same for both.
    ``rank_correlation`` is Spearman's between attention and leave-one-out change over the patches that were tried.
    """

    hidden_at: str
    init_time: np.datetime64
    tile: int
    token: int
    most_attended: float
    nearest: float
    equal_mass_elsewhere: float
    mass: float
    mass_elsewhere: float
    shared: int
    rank_correlation: float
    rank_distance: float
    bridge_off: float


def hide_patches(day: ForecastDay, patches: Sequence[int], config: ModelConfig) -> ForecastDay:
    """The day without some coarse patches: filled with the mean and marked as not valid; ``day`` is not changed.

    Parameters
    ----------
    patches : sequence of int
        Numbers of coarse tokens, row-major on the padded token grid; those in the padding are skipped.
    config : ModelConfig
        Of the network, whose tokens and windows they are numbered by.
    """
    patch = config.global_patch
    fields, valid = day.coarse.fields.clone(), day.coarse.valid.clone()
    columns = -(-fields.shape[-1] // config.global_multiple) * config.global_window
    for number in patches:
        row, col = divmod(int(number), columns)
        place = slice(row * patch, (row + 1) * patch), slice(col * patch, (col + 1) * patch)
        fields[:, place[0], place[1]] = 0.0
        valid[place] = False
    return replace(day, coarse=replace(day.coarse, fields=fields, valid=valid))


def attention_of(
    network: CranPM, day: ForecastDay, context: GlobalContext, tile: Tile, lead: int = 1
) -> np.ndarray:
    """Attention of a tile's tokens, mean over layers and heads, (tokens, coarse tokens)."""
    trace = Trace("bridge_attention")
    network.forecast_delta(day.local_inputs([tile], lead), context, trace=trace)
    return trace["bridge_attention"][:, 0].mean((0, 1)).float().cpu().numpy()


def equal_mass(
    attention: np.ndarray, mass: float, left_out: set[int], generator: np.random.Generator
) -> list[int]:
    """Random patches outside a set that together hold as much attention, or all there are if they cannot."""
    chosen: list[int] = []
    total = 0.0
    for number in generator.permutation(len(attention)):
        if int(number) in left_out or attention[number] <= 0:
            continue
        if total >= mass:
            break
        chosen.append(int(number))
        total += float(attention[number])
    return chosen


def rank_correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Spearman's; NaN where either has no spread.

    Examples
    --------
    >>> rank_correlation(np.array([1.0, 2.0, 3.0]), np.array([10.0, 20.0, 90.0]))
    1.0
    """
    ranks = [_ranks(np.asarray(x, dtype=float)) for x in (a, b)]
    if min(r.std() for r in ranks) == 0:
        return float("nan")
    return float(np.round(np.corrcoef(np.stack(ranks))[0, 1], 12))


def _ranks(values: np.ndarray) -> np.ndarray:
    """Ranks, ties sharing their mean."""
    order = np.unique(values, return_inverse=True, return_counts=True)
    last = order[2].cumsum()
    return (last - (order[2] - 1) / 2)[order[1]]


@dataclass(frozen=True, kw_only=True)
class HiddenSets:
    """Numbers of the coarse tokens that are hidden of one place, set against each other."""

    most: list[int]
    nearest: list[int]
    elsewhere: list[int]


class TileFaith:
    """Hides coarse patches from one tile of a day at one lead time [days]."""

    def __init__(
        self, network: CranPM, day: ForecastDay, tile: Tile, context: GlobalContext, lead: int = 1
    ) -> None:
        self.network, self.day, self.tile, self.context, self.lead = network, day, tile, context, lead
        self.attention = attention_of(network, day, context, tile, lead)
        self.valid = np.ones(self.attention.shape[1], bool)
        if context.valid is not None:
            self.valid = context.valid[0].cpu().numpy()
        self.distance = np.sqrt(self._squared_distance(context))
        self.before = self._forecast(day, context)

    def _squared_distance(self, context: GlobalContext) -> np.ndarray:
        fine, n = self.day.domain.fine, int(np.sqrt(len(self.attention)))
        lat = fine.lat[self.tile.rows].reshape(n, -1).mean(1)
        lon = fine.lon[self.tile.cols].reshape(n, -1).mean(1)
        here = [
            torch.from_numpy(np.ravel(x).astype(np.float32))[None]
            for x in np.meshgrid(lat, lon, indexing="ij")
        ]
        return squared_distance(here[0], here[1], context.latitude.cpu(), context.longitude.cpu())[0].numpy()

    def change(self, patches: Sequence[int], hidden_at: str = "input") -> np.ndarray:
        """Absolute change of each token's mean forecast without these patches [ug m-3]; NaN without support.

        Parameters
        ----------
        patches : sequence of int
            Numbers of coarse tokens.
        hidden_at : str
            "input" or "bridge".
        """
        if hidden_at == "bridge":
            return self._change(self.day, self.context.without(patches))
        hidden = hide_patches(self.day, patches, self.network.config)
        return self._change(hidden, self.network.encode_global(hidden.global_inputs()))

    def change_without_bridge(self) -> np.ndarray:
        """The same where the bridge is switched off."""
        with switched(self.network, [("bridge_off", 1.0)]):
            return self._change(self.day, self.context)

    def _change(self, day: ForecastDay, context: GlobalContext) -> np.ndarray:
        return np.abs(self._forecast(day, context) - self.before)

    def _forecast(self, day: ForecastDay, context: GlobalContext) -> np.ndarray:
        """Each token's mean [ug m-3]."""
        return token_means(forecast_tile(self.network, day, context, self.tile, (self.lead,))[0]).ravel()

    def tried_alone(self, near: int, far: int, generator: np.random.Generator) -> list[int]:
        """Patches for leave-one-out: the nearest to the tile's middle, and some drawn from the rest."""
        order = [i for i in np.argsort(self.distance.mean(0)) if self.valid[i]]
        rest = order[near:]
        drawn = generator.permutation(len(rest))[:far]
        return [int(i) for i in order[:near]] + [int(rest[i]) for i in drawn]

    def sets_of(self, token: int, hidden: int, generator: np.random.Generator) -> HiddenSets:
        """What is hidden of a token: its most attended patches, its nearest, and as much attention elsewhere."""
        attention = np.where(self.valid, self.attention[token], -1.0)
        distance = np.where(self.valid, self.distance[token], np.inf)
        most = [int(i) for i in np.argsort(-attention)[:hidden]]
        nearest = [int(i) for i in np.argsort(distance)[:hidden]]
        elsewhere = equal_mass(attention, float(attention[most].sum()), set(most), generator)
        return HiddenSets(most=most, nearest=nearest, elsewhere=elsewhere)

    def mass(self, token: int, patches: Sequence[int]) -> float:
        """Share of a token's attention that patches hold together."""
        return float(self.attention[token, list(patches)].sum())

    def places(self, count: int) -> list[int]:
        """Tokens with support, evenly over the tile."""
        seen = np.flatnonzero(np.isfinite(self.before))
        return [int(seen[int((i + 0.5) * len(seen) / count)]) for i in range(count)] if len(seen) else []


@torch.inference_mode()
def run_faithfulness(
    network: CranPM,
    statistics: Statistics,
    source: DaySource,
    days: Sequence[np.datetime64],
    tiles: Sequence[Tile],
    plan: FaithfulnessPlan,
    *,
    device: str = "cpu",
    progress: Progress | None = None,
) -> list[PlaceFaith]:
    """Hide patches from places of every tile and day, at the input and at the bridge alone.

    Returns
    -------
    list of PlaceFaith
        Two a place, one for each place where patches are hidden.
    """
    found: list[PlaceFaith] = []
    generator, clock = np.random.default_rng(plan.seed), Clock(len(days) * len(tiles), progress)
    for init in days:
        day = load_day(source, init, statistics, device)
        context = network.encode_global(day.global_inputs())
        for tile in tiles:
            faith = TileFaith(network, day, tile, context)
            alone = faith.tried_alone(plan.near, plan.far, generator)
            without = faith.change_without_bridge()
            effects = {  # (patches, tokens)
                at: np.stack([faith.change([patch], at) for patch in alone]) for at in HIDDEN_AT
            }
            for token in faith.places(plan.places):
                asked = _ask(faith, token, alone, effects, plan.hidden, generator)
                found += [replace(place, bridge_off=float(without[token])) for place in asked]
            clock.tick()
    return found


def _ask(
    faith: TileFaith,
    token: int,
    alone: list[int],
    effects: Mapping[str, np.ndarray],
    hidden: int,
    generator: np.random.Generator,
) -> list[PlaceFaith]:
    """The same patches hidden in either place."""
    sets = faith.sets_of(token, hidden, generator)
    attention, distance = faith.attention[token], faith.distance[token]  # of `alone`, which are all valid
    return [
        PlaceFaith(
            hidden_at=at,
            init_time=faith.day.init_time,
            tile=faith.tile.index,
            token=token,
            most_attended=float(faith.change(sets.most, at)[token]),
            nearest=float(faith.change(sets.nearest, at)[token]),
            equal_mass_elsewhere=float(faith.change(sets.elsewhere, at)[token]),
            mass=faith.mass(token, sets.most),
            mass_elsewhere=faith.mass(token, sets.elsewhere),
            shared=len(set(sets.most) & set(sets.nearest)),
            rank_correlation=rank_correlation(attention[alone], effects[at][:, token]),
            rank_distance=rank_correlation(-distance[alone], effects[at][:, token]),
            bridge_off=float("nan"),
        )
        for at in HIDDEN_AT
    ]


_AVERAGED = (
    "most_attended",
    "nearest",
    "equal_mass_elsewhere",
    "rank_correlation",
    "rank_distance",
    "mass",
    "mass_elsewhere",
    "bridge_off",
)


def summarise(places: Sequence[PlaceFaith]) -> JsonObject:
    """Means with intervals over init days, and ratios of the first set's effect to the others'.

    Returns
    -------
    dict
        ``places``, ``days``, ``hidden``, and a part for each place where patches were hidden, "input" and "bridge".
    """
    days = {p.init_time for p in places}
    count = len({(p.init_time, p.tile, p.token) for p in places})
    parts = {at: _summary([p for p in places if p.hidden_at == at]) for at in HIDDEN_AT}
    return {"places": count, "days": len(days), "hidden": HIDDEN, **parts}


def _summary(places: Sequence[PlaceFaith]) -> JsonObject:
    days = [p.init_time for p in places]
    columns = {name: np.array([getattr(p, name) for p in places]) for name in _AVERAGED}
    summary: JsonObject = {}
    for name, values in columns.items():
        found = bootstrap_by_day(np.mean, values, days=days)
        summary[name] = {"mean": found.estimate, "ci_low": found.low, "ci_high": found.high}
    for other in ("nearest", "equal_mass_elsewhere"):
        found = bootstrap_by_day(
            lambda a, b: a.mean() / b.mean() if b.mean() > 0 else np.nan,
            columns["most_attended"],
            columns[other],
            days=days,
        )
        summary[f"most_attended_over_{other}"] = {
            "ratio": found.estimate, "ci_low": found.low, "ci_high": found.high,
        }  # fmt: skip
    return summary
