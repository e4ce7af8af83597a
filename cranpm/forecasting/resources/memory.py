"""What a forecast takes of memory: said before it begins, and the budget that its tiles keep to."""

from __future__ import annotations

import math
from collections.abc import Sequence

from cranpm.memory import held_memory, peak_memory
from cranpm.model import ModelConfig

DEFAULT_MEMORY = 2 << 30
"""Memory that batched tiles may use besides the maps [bytes]."""

MAPS_PER_LEAD = 3
"""Whole maps of four bytes a cell: sums and weights of the blended residual, and the forecast itself."""


def expected_peak(
    config: ModelConfig,
    shape: tuple[int, int],
    leads: Sequence[int],
    *,
    batch: int = 1,
    tile_size: int = 512,
    itemsize: int = 4,
) -> int:
    """What this process will hold at most while it forecasts a day [bytes].

    To be asked once the day's inputs are read: what is held by then stays, and maps and tiles come on top.

    Parameters
    ----------
    config : ModelConfig
    shape : tuple of int
        Rows and columns of the map.
    leads : sequence of int
        Lead times, each with its maps.
    batch, tile_size : int
        Tiles at a time, and their edge [cells].
    itemsize : int
        Bytes of a number in matrix products: 2 in bfloat16.
    """
    maps = 4 * MAPS_PER_LEAD * len(leads) * math.prod(shape)
    tiles = batch * bytes_per_tile(config, tile_size) * itemsize // 4
    return max(peak_memory(), held_memory() + maps + tiles)


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


def check_budget(config: ModelConfig, memory_budget: int, tile_size: int = 512) -> None:
    """Refuse a memory budget [bytes] that does not hold a single tile of a network.

    Raises
    ------
    ValueError
        With what one tile takes.
    """
    needed = bytes_per_tile(config, tile_size)
    if memory_budget < needed:
        raise ValueError(
            f"The memory budget of {memory_budget / 2**30:.2g} GB holds no tile of this network, which takes about "
            f"{needed / 2**30:.2g} GB besides the maps; give --memory (memory_budget) at least that."
        )
