"""What memory a training step needs, and in how large parts it fits, from shapes alone (PyTorch's "meta" device)."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch

from cranpm.domain import Domain
from cranpm.domain.tiling import TILE_SIZE
from cranpm.memory import physical_memory
from cranpm.model import CranPM, describe_parameters
from cranpm.training.recipes.recipes import Recipe
from cranpm.training.report.step_timing import made_up_days, made_up_tiles
from cranpm.training.state.options import TrainerOptions

BESIDES = 500_000_000
"""PyTorch itself, and what is read ahead [bytes]."""

_FILLED = 0.85
"""Share of a memory that a step may take: the estimate knows nothing of fragments and of other processes."""


def memory_of_process(options: TrainerOptions, device: torch.device) -> int:
    """Memory that one process may take [bytes]: what it was given, or its share of what its device has."""
    if options.memory is not None:
        return options.memory
    if device.type == "cuda":
        return int(torch.cuda.get_device_properties(device).total_memory)
    return physical_memory() // options.devices


def choose_micro_batch(
    recipe: Recipe, domain: Domain, options: TrainerOptions, device: torch.device
) -> int | None:
    """Tiles whose activations a process can hold beside weights and momenta; None for a whole step.

    Raises
    ------
    ValueError
        If a single tile is too much.
    """
    memory = StepMemory.of(recipe, domain)
    at_once = options.micro_batch or memory.largest_part(memory_of_process(options, device))
    return None if at_once >= recipe.days_per_step * recipe.tiles_per_day else at_once


class _Kept(NamedTuple):
    """What a step keeps for its backward pass [bytes]."""

    day: int
    """Of one day in the global branch."""
    context: int
    """Of them, what all tiles of the day read."""
    tile: int
    """Of one tile up to its residual."""
    loss: int
    """Of one tile in the losses, its inputs and targets included: held for the whole step, whatever its parts."""
    days: int
    tiles: int
    """Of one step."""

    def peak(self, at_once: int) -> int:
        """The most that is held, with so many tiles at a time."""
        if at_once >= self.tiles:
            return self.days * self.day + self.tiles * (self.tile + self.loss)
        # keys and values of all days, and their gradients, wait for all parts
        waiting = 2 * self.days * self.context + self.tiles * self.loss
        return waiting + max(at_once * self.tile, self.day)


@dataclass(frozen=True)
class StepMemory:
    """What steps of a recipe need on one device.

    Attributes
    ----------
    weights : int
        Weights, gradients, AdamW's momenta and the average [bytes].
    """

    weights: int
    _steps: tuple[_Kept, ...]

    @classmethod
    def of(cls, recipe: Recipe, domain: Domain) -> StepMemory:
        """Those of a recipe on a domain, of ordinary and of wide steps."""
        kinds = [recipe]
        if recipe.wide_tile_interval:
            kinds.append(replace(recipe, tile_size=TILE_SIZE, tiles_per_day=recipe.wide_tiles_per_day))
        average = 0 if recipe.average_decay is None else 4
        parameters = describe_parameters(recipe.model)["trainable"]
        return cls(parameters * (4 + 4 + 8 + average), tuple(_kept(kind, domain) for kind in kinds))

    def activations(self, at_once: int) -> int:
        """Kept for the backward pass [bytes], an upper estimate: attention as if computed plainly."""
        return max(step.peak(at_once) for step in self._steps)

    def peak(self, at_once: int) -> int:
        """All that a process holds [bytes], with so many tiles of a step at a time."""
        return self.weights + self.activations(at_once) + BESIDES

    def largest_part(self, memory: int) -> int:
        """The most tiles at a time with which a process stays within a memory [bytes].

        Raises
        ------
        ValueError
            If a single tile is too much.
        """
        whole = max(step.tiles for step in self._steps)
        for at_once in (whole, *range(whole // 2, 0, -1)):
            if self.peak(at_once) <= _FILLED * memory:
                return math.ceil(whole / math.ceil(whole / at_once))  # parts of about one size
        raise ValueError(
            f"A step of this recipe needs {self.peak(1) / _FILLED / 1e9:.1f} GB even one tile at a time; "
            f"{memory / 1e9:.1f} GB are there. Take fewer days or tiles a step (--set days_per_step=..., "
            "--set tiles_per_day=...), or a smaller network."
        )


def _kept(recipe: Recipe, domain: Domain) -> _Kept:
    one, two = (_saved_bytes(recipe, domain, tiles) for tiles in (1, 2))
    inputs = 4 * (recipe.model.local_channels + 5) * recipe.tile_size**2
    return _Kept(
        day=one.day,
        context=one.context,
        tile=two.tile - one.tile,
        loss=two.loss - one.loss + inputs,
        days=recipe.days_per_step,
        tiles=recipe.days_per_step * recipe.tiles_per_day,
    )


def _saved_bytes(recipe: Recipe, domain: Domain, tiles: int) -> _Kept:
    """Bytes kept for one day and some tiles."""
    seen: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        seen[storage._cdata] = storage.nbytes()
        held.append(tensor)
        return tensor

    def kept() -> int:
        return sum(size for key, size in seen.items() if key not in weights)

    held: list[torch.Tensor] = []  # so that no address is given twice
    with torch.device("meta"):
        network = CranPM(recipe.model).train()
        network.check_inputs = False  # there are no values to look at
        weights = {p.untyped_storage()._cdata for p in network.parameters()}
        days, local = made_up_days(recipe, domain, 1), made_up_tiles(recipe, domain, tiles)
        autocast = torch.autocast("cpu", torch.bfloat16, enabled=recipe.bfloat16)
        with autocast, torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            context = network.encode_global(days)
            of_day = kept()
            delta = network.forecast_delta(local, context, torch.zeros(tiles, dtype=torch.long))
            of_tiles = kept()
            if recipe.frequency_weight:
                torch.fft.rfft2(delta.float()).abs().square().sum()
    shared = [context.tokens, *context.keys, *context.values]
    return _Kept(
        day=of_day,
        context=sum(tensor.nbytes for tensor in shared),
        tile=of_tiles - of_day,
        loss=kept() - of_tiles,
        days=1,
        tiles=tiles,
    )
