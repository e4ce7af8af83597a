"""All of it for one checkpoint: battery, direction, puffs, faithfulness, and how strong the priors have become."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch.nn.functional as F

from cranpm._json import JsonObject
from cranpm._progress import StageProgress
from cranpm.data.datasets import DataLike, open_source
from cranpm.data.store.source import DaySource
from cranpm.domain import plan_tiles
from cranpm.explain import faithfulness, puff
from cranpm.explain.battery import BatteryPlan, run_battery
from cranpm.explain.interventions import CATALOGUE, Intervention
from cranpm.explain.tiles import block_days, choose_days, choose_mountain_tiles, choose_tiles
from cranpm.model import CranPM
from cranpm.model.branches import ElevationBlock
from cranpm.model.checkpoint import Checkpoint, load_checkpoint
from cranpm.model.extensions.height import HeightDamping
from cranpm.model.extensions.transport import Transport
from cranpm.model.layers.bridge import BridgeLayer


@dataclass(frozen=True, kw_only=True)
class PhysicsPlan:
    """How much is asked; cost grows with days x tiles x interventions."""

    days: int = 12
    """Init days, spread over the held-out ones."""
    tiles: int = 8
    """Tiles of the land: every k-th one."""
    mountain_tiles: int = 4
    """Further tiles near barriers, for terrain."""
    leads: tuple[int, ...] = (1,)
    """Lead times [days]."""
    puffs: int = 3
    """Puffs a day (each is nine tiles, with and without, under three winds); 0 for none."""
    places: int = 4
    """Places a tile for the faithfulness of attention (two tiles a day, up to six days); 0 for none."""
    patches: int = 18
    """Coarse patches hidden one by one for the rank correlation, a third of them far from the tile."""
    interventions: tuple[Intervention, ...] = CATALOGUE
    """What the battery does."""
    tile_size: int = 512
    """Cells along the side of a tile."""
    seed: int = 0
    """Of tiles, places and patches."""


def run_physics(
    checkpoint: str | Path | Checkpoint,
    data: DataLike | DaySource,
    plan: PhysicsPlan,
    *,
    barriers: np.ndarray | None = None,
    days: Sequence[np.datetime64] | None = None,
    device: str = "cpu",
    report: StageProgress | None = None,
    keep: Callable[[JsonObject], None] | None = None,
) -> JsonObject:
    """Run what the plan asks for.

    Parameters
    ----------
    checkpoint : str, path or Checkpoint
        As `cranpm.load_checkpoint` takes it.
    data : str, path, Dataset or DaySource
        As `cranpm.open_dataset` takes it, or a source of days.
    plan : PhysicsPlan
        How many days, tiles and puffs, and which interventions.
    barriers : ndarray of bool, shape (H, W), optional
        Cells near barriers higher than 700 m; without it terrain is scored on all land only.
    days : sequence of datetime64, optional
        Init days, instead of those that `choose_days` picks.
    device : str
        Where the network is.
    report : callable, optional
        Told the stage in words, its parts done and in all, and the seconds that its rest will take.
    keep : callable, optional
        Given the results so far after each part, so that a long run that is stopped leaves something.

    Returns
    -------
    dict
        Plain values for JSON: ``rows`` (battery), ``direction``, ``puff``, ``faithfulness``, ``priors``, and what they
        were measured on.
    """
    report = report or (lambda stage, done, total, left: None)
    checkpoint, source = load_checkpoint(checkpoint), open_source(data)
    network, statistics = checkpoint.network, checkpoint.require_statistics()
    chosen, split = choose_days(source, plan.days, plan.leads) if days is None else (list(days), "given")
    tiling = plan_tiles(source.domain.fine.shape, plan.tile_size)
    tiles = choose_tiles(tiling, source.land, plan.tiles, plan.seed)
    mountains = (
        [] if barriers is None else choose_mountain_tiles(tiling, barriers, plan.mountain_tiles, plan.seed)
    )
    asked = BatteryPlan(
        tiles=tiles, mountain_tiles=mountains, barriers=barriers, leads=plan.leads, interventions=plan.interventions
    )  # fmt: skip
    battery = run_battery(
        network, statistics, source, chosen, asked, device=device, progress=partial(report, "interventions")
    )
    results: JsonObject = {
        "what": "change of forecasts and of RMSE under interventions; reference: the GHAP-like product",
        "source": source.name,
        "simulated": source.simulated,
        "checkpoint": {
            "name": checkpoint.folder.name,
            "hash": checkpoint.hash,
            "preset": checkpoint.config.name,
        },
        "init_days": [str(day) for day in battery.days],
        "split": split,
        "block_days": block_days(battery.days),
        "leads": list(plan.leads),
        "seed": plan.seed,
        "tiles": battery.tiles,
        "rows": battery.rows(),
        "direction": battery.direction_rows(),
        "priors": strength_of_priors(network),
    }
    if keep is not None:
        keep(results)
    if plan.puffs:
        puffs = puff.PuffPlan(places=plan.puffs, leads=plan.leads, seed=plan.seed, tile_size=plan.tile_size)
        found = puff.run_puffs(
            network, statistics, source, chosen, puffs, device=device, progress=partial(report, "puffs, days")
        )
        results["puff"] = puff.summarise(found) if found else []
        if keep is not None:
            keep(results)
    far = plan.patches // 3
    if plan.places and network.config.fusion == "cross" and network.config.bridge_depth:
        hiding = faithfulness.FaithfulnessPlan(
            places=plan.places, near=plan.patches - far, far=far, seed=plan.seed
        )
        hidden = faithfulness.run_faithfulness(
            network, statistics, source, chosen[:: max(1, len(chosen) // 6)], tiles[:: max(1, len(tiles) // 2)][:2],
            hiding, device=device, progress=partial(report, "attention, tiles"),
        )  # fmt: skip
        results["faithfulness"] = faithfulness.summarise(hidden) if hidden else None
    return results


def strength_of_priors(network: CranPM) -> dict[str, list[float]]:
    """alpha of elevation blocks, transport and height (starts at 2); beta (1) and reach [km] of the bridge's heads."""
    found: dict[str, list[float]] = {}
    for name, module in network.named_modules():
        if isinstance(module, ElevationBlock) and module.raw_alpha is not None:
            found[f"{name}.alpha"] = [round(float(F.softplus(module.raw_alpha)), 4)]
        if isinstance(module, HeightDamping | Transport) and module.alpha is not None:
            found[f"{name}.alpha"] = [round(float(module.alpha), 4)]
        if isinstance(module, BridgeLayer):
            if module.beta is not None:
                found[f"{name}.beta"] = [round(float(b), 4) for b in module.beta]
            if module.reach is not None:
                found[f"{name}.reach"] = [round(float(r), 1) for r in module.reach]
    return found
