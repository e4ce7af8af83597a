"""A small world for the network's tests: two wind groups of coarse cells, one 128-cell tile, and drawn weights."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
import torch

from cranpm.model import CranPM, GlobalInputs, LocalInputs, ModelConfig, tiny


def draw_weights(network: CranPM, seed: int = 0) -> CranPM:
    """Random weights everywhere, the head and the switched-off starting points included, so that anything that can act
    does. Parameters of one name and shape are drawn alike in every network."""
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            generator = torch.Generator().manual_seed(seed + sum(map(ord, name)))
            noise = torch.randn(parameter.shape, generator=generator)
            fan_in = parameter[0].numel() if parameter.dim() > 1 else 1
            if "raw_alpha" in name or "beta" in name:
                parameter.copy_(2.0 + 0.1 * noise)
            elif "table" in name:
                parameter.copy_(noise)
            elif parameter.dim() > 1:
                parameter.copy_(noise * 1.5 * fan_in**-0.5)
            elif "norm" in name and name.endswith("weight"):
                parameter.copy_(1.0 + 0.1 * noise)
            elif "raw_reach" not in name:
                parameter.copy_(0.1 * noise)
    return network.eval()


@pytest.fixture(scope="session")
def build() -> Callable[..., CranPM]:
    """``build(scan="raster")``: the tiny network with that change and drawn weights."""

    def _build(config: ModelConfig | None = None, **changes: Any) -> CranPM:
        return draw_weights(CranPM(dataclasses.replace(config or tiny(), **changes)))

    return _build


@pytest.fixture(scope="session")
def coarse() -> Callable[..., GlobalInputs]:
    """Coarse inputs with terrain and a wind that differs between groups."""

    def _coarse(days: int = 1, rows: int = 56, columns: int = 112, seed: int = 1) -> GlobalInputs:
        generator = torch.Generator().manual_seed(seed)
        wind = torch.randn(days, 2, 1, 1, generator=generator) * 5 + torch.tensor([3.0, 4.0])[:, None, None]
        wind = wind + torch.linspace(-4.0, 4.0, columns) * torch.tensor([1.0, -1.0])[:, None, None]
        return GlobalInputs(
            fields=torch.randn(days, 70, rows, columns, generator=generator),
            elevation=(torch.randn(1, rows, columns, generator=generator) * 800).clamp_min(0),
            wind=wind.expand(days, 2, rows, columns).contiguous(),
            latitude=52.0 - 0.25 * torch.arange(rows),
            longitude=2.0 + 0.25 * torch.arange(columns),
        )

    return _coarse


@pytest.fixture(scope="session")
def tiles() -> Callable[..., LocalInputs]:
    """A batch of tiles, each a little further south-east."""

    def _tiles(count: int = 1, size: int = 128, seed: int = 2) -> LocalInputs:
        generator = torch.Generator().manual_seed(seed)
        shift = torch.arange(count)[:, None] * 0.64
        tokens = size // 16
        return LocalInputs(
            fields=torch.randn(count, 5, size, size, generator=generator),
            elevation=torch.rand(count, 1, size, generator=generator).expand(count, size, size) * 2000,
            wind=torch.randn(count, 2, tokens, tokens, generator=generator) * 2 + 3,
            latitude=50.0 - shift - 0.01 * torch.arange(size),
            longitude=8.0 + shift + 0.01 * torch.arange(size),
            lead=torch.arange(count) % 3 + 1,
        )

    return _tiles


@pytest.fixture(scope="session")
def run() -> Callable[..., Any]:
    """``run(network, coarse, tiles)``: the residual, without gradients."""

    def _run(
        network: CranPM, global_inputs: GlobalInputs, local_inputs: LocalInputs, **options: object
    ) -> torch.Tensor:
        with torch.no_grad():
            return network(global_inputs, local_inputs, **options)

    return _run
