"""Readouts that exist in training only: what tokens already know of tomorrow, before a decoder draws it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from cranpm.model import CranPM, GlobalContext, GlobalInputs
from cranpm.model.extensions.coarse_forecast import CoarseForecast
from cranpm.model.layers.decoder import apply_growth


class TokenHead(nn.Module):
    """Reads the mean change of its patch from a fused token, as the decoder's head would."""

    def __init__(self, width: int, patch: int, predictors: int) -> None:
        super().__init__()
        self.patch = patch
        self.norm = nn.LayerNorm(width)
        self.read = nn.Linear(width, 1 + predictors)
        nn.init.zeros_(self.read.weight)
        nn.init.zeros_(self.read.bias)

    def forward(self, tokens: torch.Tensor, predictors: torch.Tensor | None) -> torch.Tensor:
        """Tokens (B, Nl, Dl) and what the head multiplies, (B, n, S, S), to mean changes (B, Nl)."""
        if predictors is not None:
            predictors = nn.functional.avg_pool2d(predictors, self.patch).flatten(2)
        return apply_growth(self.read(self.norm(tokens)).transpose(1, 2), predictors)


def coarse_change(
    network: CranPM,
    head: CoarseForecast | None,
    inputs: GlobalInputs,
    context: GlobalContext,
    leads: Sequence[int],
) -> torch.Tensor:
    """What global tokens say of the coarse change, (B, leads, Hc, Wc): the network's own forecast, or a readout's."""
    rows, columns = inputs.fields.shape[-2:]
    if context.change is not None:
        return context.change[:, [lead - 1 for lead in leads], :rows, :columns]
    if head is None:
        raise ValueError(
            "This network makes no coarse forecast of its own; give a readout (CoarseForecast.of)."
        )
    return head(context.tokens, context.grid, network.coarse_pm2p5(inputs), context.upwind)
