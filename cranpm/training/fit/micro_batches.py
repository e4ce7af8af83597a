"""A step in parts: activations of a few tiles are held at a time, and the gradient is that of the whole batch.

The forward pass of each part keeps its inputs only and is done again in the backward pass (activation checkpointing,
arXiv 1604.06174): a third more work, for a batch of any size in the memory of one part. The losses see the whole batch,
so that their means over cells, and so the gradient, are those of the undivided step, on any number of devices; only
dropout draws other numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from cranpm.model import CranPM, GlobalContext, GlobalInputs, LocalInputs


def encode_days(network: CranPM, inputs: GlobalInputs, *, in_parts: bool) -> GlobalContext:
    """The context of several days; in parts, one day at a time.

    Parameters
    ----------
    network : CranPM
    inputs : GlobalInputs
        B days.
    in_parts : bool
        Whether the backward pass encodes each day again instead of keeping its activations.
    """
    days = len(inputs.fields)
    if not in_parts or not torch.is_grad_enabled():
        return network.encode_global(inputs)
    encode = lambda day: network.encode_global(_of_day(inputs, day))  # noqa: E731
    return GlobalContext.together([checkpoint(encode, day, use_reentrant=False) for day in range(days)])


def forecast_tiles(
    forecast: Callable[[LocalInputs, Tensor], Tensor],
    inputs: LocalInputs,
    day_index: Tensor,
    at_once: int | None,
) -> Tensor:
    """What ``forecast`` makes of tiles, some at a time.

    Parameters
    ----------
    forecast : callable
        Takes tiles and the day that each belongs to; returns a tensor with one entry for each tile.
    inputs : LocalInputs
        B tiles, each with a lead time of its own.
    day_index : Tensor of int, shape (B,)
    at_once : int, optional
        Tiles whose activations are held at a time; None for all.

    Returns
    -------
    Tensor, shape (B, ...)
    """
    tiles = len(inputs.lead)
    if at_once is None or at_once >= tiles or not torch.is_grad_enabled():
        return forecast(inputs, day_index)
    parts = [slice(start, start + at_once) for start in range(0, tiles, at_once)]
    return torch.cat(
        [checkpoint(forecast, _of_tiles(inputs, p), day_index[p], use_reentrant=False) for p in parts]
    )


def _of_tiles(inputs: LocalInputs, part: slice) -> LocalInputs:
    own = {field.name: getattr(inputs, field.name) for field in fields(inputs)}
    parts: dict[str, Any] = {name: None if tiles is None else tiles[part] for name, tiles in own.items()}
    return replace(inputs, **parts)


def _of_day(inputs: GlobalInputs, day: int) -> GlobalInputs:
    shared = (
        ("latitude", "longitude") if len(inputs.elevation) > 1 else ("latitude", "longitude", "elevation")
    )
    own = {f.name: getattr(inputs, f.name) for f in fields(inputs) if f.name not in shared}
    parts: dict[str, Any] = {
        name: None if days is None else days[day : day + 1] for name, days in own.items()
    }
    return replace(inputs, **parts)
