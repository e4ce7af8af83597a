"""What is to be measured, on what, and how long."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from cranpm.domain import EUROPE, Domain
from cranpm.domain.tiling import TILE_SIZE
from cranpm.model import ModelConfig, get_preset


@dataclass(frozen=True, kw_only=True)
class BenchSettings:
    """What every part is told."""

    device: torch.device
    preset: str = "small"
    domain: Domain = EUROPE
    tile_size: int = TILE_SIZE
    seconds: float = 20.0
    """For each part, about; set-up and the least number of rounds come on top."""
    quick: bool = False
    """One round where a round is long, fewer tiles, a smaller batch, a smaller domain for preparing."""
    data: str | None = None
    """Dataset of the end-to-end forecast."""
    checkpoint: str = "demo"
    leads: tuple[int, ...] = (1, 2, 3)
    days: int = 8
    """Days that are prepared."""
    workers: tuple[int, ...] = (0, 2)
    """Numbers of preparing processes that are compared; 0: in this one."""

    @property
    def config(self) -> ModelConfig:
        """The network of the preset."""
        return get_preset(self.preset)
