"""TopoFlow: CRAN-PM's global branch with a linear head.

Elevation-aware attention, then windows in the order of the wind: the branch that the CRAN-PM paper takes over from it
(section 3.3), here alone, so that the table tells what the local branch adds.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from cranpm.baselines.learned.blocks import CHANNELS, FRAMES, NodeInputs, Rival, zero_head
from cranpm.model.branches import GlobalBranch
from cranpm.model.config import ModelConfig
from cranpm.model.layers.attention import init_weights
from cranpm.model.layers.embed import fold_patches
from cranpm.model.padding import pad_to_multiple


@dataclass(frozen=True, kw_only=True)
class TopoFlowConfig:
    """Width 768, one elevation-aware block and seven Swin blocks: 61 M parameters."""

    width: int = 768
    heads: int = 12
    depth: int = 7
    """Swin blocks."""
    drop_path: float = 0.1
    input_dropout: float = 0.1
    leads: int = 3


SIZES = {
    "paper": TopoFlowConfig(),
    "small": TopoFlowConfig(width=160, heads=5, depth=3, drop_path=0.05, input_dropout=0.05),
    "tiny": TopoFlowConfig(width=16, heads=2, depth=2, drop_path=0.0, input_dropout=0.0),
}


class TopoFlow(Rival):
    """The branch and its head; a masked or padded node is seen by no other."""

    def __init__(self, config: TopoFlowConfig) -> None:
        super().__init__()
        c = config
        branch = ModelConfig(
            name="topoflow",
            coarse_channels=FRAMES * CHANNELS,
            num_leads=c.leads,
            global_width=c.width,
            global_heads=c.heads,
            global_depth=c.depth,
            drop_path=c.drop_path,
            input_dropout=c.input_dropout,
        )
        self.multiple, self.patch = branch.global_multiple, branch.global_patch
        self.branch = GlobalBranch(branch)
        self.head = nn.Linear(c.width, c.leads * self.patch**2)
        init_weights(self)
        zero_head(self.head)

    def forward(self, inputs: NodeInputs) -> Tensor:
        """See `Rival`."""
        height, width = inputs.frames.shape[-2:]
        days = inputs.frames.unbind(1)
        fields = [
            x for day in reversed(days) for x in (day, inputs.static)
        ]  # day t first, as the branch has it
        padded = [
            pad_to_multiple(x, self.multiple)
            for x in (torch.cat(fields, dim=1), inputs.elevation, inputs.wind, inputs.valid)
        ]
        tokens, _ = self.branch(*padded)
        grid = padded[0].shape[-2] // self.patch, padded[0].shape[-1] // self.patch
        return fold_patches(self.head(tokens), grid, self.patch)[..., :height, :width]
