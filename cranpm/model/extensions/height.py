"""Height above the region: summits share less of what the air below them does (not in the paper).

A place far above the ground of its coarse node stands above the mixed layer that holds the region's air: what heating,
stagnation and arriving air do to the region reaches it weakened. The coarse fields cannot say so, their node is one
height; this factor can, and it is eq. 2's form once more.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cranpm.model.layers.bias import raw_strength

HEIGHT = 1000.0
"""Height above the region that costs one alpha [m]."""


class HeightDamping(nn.Module):
    """The factor ``exp(-alpha relu(z - z_region) / 1000 m)`` of the predicted change; alpha is learned, positive."""

    def __init__(self) -> None:
        super().__init__()
        self.raw_alpha = nn.Parameter(raw_strength(2.0))
        self.strength = 1.0
        """Factor of alpha; 0 lets summits change like their region (a counterfactual)."""

    @property
    def alpha(self) -> Tensor:
        """Strength, positive."""
        return F.softplus(self.raw_alpha)

    def forward(self, elevation: Tensor, region: Tensor) -> Tensor:
        """Share of the change that each cell has.

        Parameters
        ----------
        elevation : Tensor, shape (B, S, S)
            Of the cells [m].
        region : Tensor, shape (B, S, S)
            Coarse elevation at the cells [m].

        Returns
        -------
        Tensor, shape (B, S, S)
            In (0, 1]; 1 where a cell is not above its region.
        """
        above = (elevation.float() - region.float()).relu() / HEIGHT
        return torch.exp(-self.alpha * self.strength * above)
