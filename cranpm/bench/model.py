"""The network alone: seconds of a day and of a tile, by precision and batch size, beside the un-cached form.

Random weights and random inputs in the shapes of a preset: what a network costs does not depend on what it has learned.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from cranpm.bench.ceilings import Ceilings
from cranpm.bench.figures import Bound, Figure, Label
from cranpm.bench.settings import BenchSettings
from cranpm.bench.timing import Form, time_in_turns
from cranpm.domain import Domain, plan_tiles
from cranpm.domain.tiling import TILE_SIZE
from cranpm.model import CranPM, GlobalInputs, LocalInputs, ModelConfig, count_flops
from cranpm.training.batches.batches import to_device
from cranpm.training.recipes.recipes import get_recipe
from cranpm.training.report.step_timing import made_up_days, made_up_tiles

USERS_STRIDE = 384
"""Distance of tiles in the authors' code: 198 of them over Europe, each with the global branch anew."""


def batch_sizes(device: torch.device) -> tuple[int, ...]:
    """Numbers of tiles at a time that are compared."""
    return (1, 8, 32) if device.type == "cuda" else (1, 2)


def random_network(config: ModelConfig, device: torch.device, seed: int = 0) -> CranPM:
    """A network without a weight matrix that is zero: an untrained head would hide what is computed before it.

    Parameters
    ----------
    config : ModelConfig
    device : torch.device
    seed : int

    Returns
    -------
    CranPM
        In eval mode.
    """
    torch.manual_seed(seed)
    network = CranPM(config)
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.ndim > 1 and not parameter.any():
                parameter.normal_(0, 0.02)
    return network.to(device).eval()


@dataclass(frozen=True)
class RandomDay:
    """Random inputs of one day and of tiles, on one device."""

    day: GlobalInputs
    tiles: LocalInputs

    @classmethod
    def of(cls, preset: str, domain: Domain, tiles: int, tile_size: int, device: torch.device) -> RandomDay:
        """In the shapes of a preset and a domain."""
        recipe = replace(get_recipe(preset), tile_size=tile_size)
        torch.manual_seed(1)
        return cls(
            to_device(made_up_days(recipe, domain, 1), device),
            to_device(made_up_tiles(recipe, domain, tiles), device),
        )

    def batch(self, size: int, start: int = 0) -> LocalInputs:
        """So many tiles from one on."""
        values: dict[str, Any] = {
            name: None if tensor is None else tensor[start : start + size]
            for name, tensor in vars(self.tiles).items()
        }
        return LocalInputs(**values)


def measure_model(settings: BenchSettings, ceilings: Ceilings) -> list[Figure]:
    """Figures of the network.

    Parameters
    ----------
    settings : BenchSettings
    ceilings : Ceilings

    Returns
    -------
    list of Figure
        A day; a tile in each precision and batch size; the whole map, from these.
    """
    device, domain = settings.device, settings.domain
    sizes = batch_sizes(device)
    network = random_network(settings.config, device)
    inputs = RandomDay.of(settings.preset, domain, max(sizes), settings.tile_size, device)
    precisions = [name for name in ("float32", "bfloat16") if name in ceilings.of]
    forms = tile_forms(network, inputs, precisions, sizes)
    forms |= ceilings.forms(*precisions)
    turns = time_in_turns(forms, device, seconds=settings.seconds)
    flops = count_flops(settings.config, settings.tile_size, domain.coarse.shape)
    per_day = flops["global"] + flops["bridge_keys_values"]
    shape, tile_size = domain.fine.shape, settings.tile_size
    ours = plan_tiles(shape, tile_size).num_tiles
    theirs = plan_tiles(shape, tile_size, stride=USERS_STRIDE * tile_size // TILE_SIZE).num_tiles
    uncached = "un-cached, batch 1, float32"
    turns.combine(f"{theirs} un-cached tiles, batch 1, float32", {uncached: theirs})
    figures = []
    for precision in precisions:
        ceiling = ceilings.of[precision]
        day = f"day, {precision}"
        figures.append(
            Figure.of(
                turns,
                day,
                Label("model", "day"),
                bound=Bound(per_day, ceiling),
                detail={"flop": per_day},
            )
        )
        for size in sizes:
            tile = _tile(size, precision)
            instead = {uncached: 1.0, _tile(1, "float32"): 1.0}
            figures.append(
                Figure.of(
                    turns,
                    tile,
                    Label("model", "tile"),
                    count=size,
                    bound=Bound(size * flops["per_tile"], ceiling),
                    instead={name: number for name, number in instead.items() if name != tile},
                    detail={"flop": flops["per_tile"]},
                )
            )
            whole = f"map of {ours} tiles, batch {size}, {precision}"
            turns.combine(whole, {day: 1.0, tile: ours / size})
            figures.append(
                Figure.of(
                    turns,
                    whole,
                    Label("model", "map"),
                    bound=Bound(per_day + ours * flops["per_tile"], ceiling),
                    instead={f"{theirs} un-cached tiles, batch 1, float32": 1.0},
                    derived=f"day + {ours} tiles",
                )
            )
    return figures


def tile_forms(
    network: CranPM, inputs: RandomDay, precisions: Sequence[str], sizes: Sequence[int]
) -> dict[str, Form]:
    """A day, batches of tiles in each precision, and one tile with the global branch anew.

    Parameters
    ----------
    network : CranPM
    inputs : RandomDay
    precisions : sequence of str
    sizes : sequence of int
        Tiles at a time.

    Returns
    -------
    dict of str to callable
    """
    device = inputs.day.fields.device.type

    def run(precision: str, work: Form) -> Form:
        def form() -> object:
            with (
                torch.inference_mode(),
                torch.autocast(device, torch.bfloat16, enabled=precision == "bfloat16"),
            ):
                return work()

        return form

    forms: dict[str, Form] = {}
    for precision in precisions:
        encode = run(precision, lambda: network.encode_global(inputs.day))
        context = encode()
        forms[f"day, {precision}"] = encode
        for size in sizes:
            batch = inputs.batch(size)
            forms[_tile(size, precision)] = run(
                precision,
                lambda b=batch, c=context: network.forecast_delta(b, c),  # type: ignore[misc]
            )
    forms["un-cached, batch 1, float32"] = run("float32", lambda: network(inputs.day, inputs.batch(1)))
    return forms


def _tile(size: int, precision: str) -> str:
    return f"batch {size}, {precision}"
