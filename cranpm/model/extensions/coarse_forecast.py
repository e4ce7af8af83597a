"""The global branch's own forecast: the change of coarse PM2.5 at every node, read from tokens (not in the paper)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from cranpm.model.config import ModelConfig
from cranpm.model.layers.decoder import apply_growth
from cranpm.model.layers.embed import fold_patches, smooth_nodes


class CoarseForecast(nn.Module):
    """Reads the change of coarse PM2.5 at the nodes of each global token's patch, for several leads at once.

    Like the map's head it gives an offset and factors: of coarse PM2.5 on days t and t-1 and, with transport, of the
    upwind differences. Starts at zero: no change.

    Parameters
    ----------
    width : int
        Features of a projected global token.
    patch : int
        Coarse nodes along the side of a token.
    leads : int
        Number of lead times.
    predictors : int
        Fields it gives factors of.
    smoothing : float
        Standard deviation of the mean that joins what neighbouring tokens say [nodes].
    """

    def __init__(self, width: int, patch: int, leads: int, predictors: int, smoothing: float = 0.0) -> None:
        super().__init__()
        self.patch, self.leads, self.parts, self.smoothing = patch, leads, 1 + predictors, smoothing
        self.norm = nn.LayerNorm(width)
        self.read = nn.Linear(width, leads * self.parts * patch * patch)
        self.strength = 1.0
        """Factor of the whole; 0 leaves the forecast to the tiles (a counterfactual)."""
        self.reset()

    @classmethod
    def of(cls, model: ModelConfig, leads: int) -> CoarseForecast:
        """The one that suits a network."""
        predictors = len(model.coarse_pm2p5_channels) + model.transport_points
        return cls(model.local_width, model.global_patch, leads, predictors, model.node_smoothing)

    def reset(self) -> None:
        """Begin with no change."""
        nn.init.zeros_(self.read.weight)
        nn.init.zeros_(self.read.bias)

    def forward(
        self, tokens: Tensor, grid: tuple[int, int], pm2p5: Tensor, upwind: Tensor | None = None
    ) -> Tensor:
        """Changes in network units (20 ug m-3).

        Parameters
        ----------
        tokens : Tensor, shape (B, Ng, Dl)
            ``grid`` rows and columns of them.
        pm2p5 : Tensor, shape (B, 1 or 2, Hc, Wc)
            Coarse PM2.5 of days t and t-1, normalised.
        upwind : Tensor, shape (B, leads, points, >= Hc, >= Wc), optional
            From `cranpm.model.extensions.transport`.

        Returns
        -------
        Tensor, shape (B, leads, Hc, Wc)
        """
        parts = smooth_nodes(fold_patches(self.read(self.norm(tokens)), grid, self.patch), self.smoothing)
        parts = parts.unflatten(1, (self.parts, self.leads))
        height, width = pm2p5.shape[-2:]
        factors = pm2p5[:, :, None].expand(-1, -1, self.leads, -1, -1)
        if upwind is not None:
            carried = upwind[:, : self.leads, :, :height, :width].transpose(1, 2)
            factors = torch.cat([factors, carried.to(factors.dtype)], 1)
        return self.strength * apply_growth(parts[..., :height, :width], factors)
