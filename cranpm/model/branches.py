"""The two encoders: the global branch reads the continent at 25 km, the local branch one tile at 1 km (section 3.3)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .config import ModelConfig
from .layers.attention import MASKED, DropPath, FeedForward, SelfAttention
from .layers.bias import (
    NUM_BUCKETS,
    elevation_bias,
    expand_relative_bias,
    raw_strength,
    relative_bucket_table,
)
from .layers.embed import PatchEmbed, Position, sincos_at, token_mean, token_valid
from .layers.swin import SwinBlock, window_partition, window_unite
from .layers.trace import Trace
from .layers.windscan import ScanOrder, WindScan, wind_shuffle, wind_unshuffle


class ElevationBlock(nn.Module):
    """Full self-attention that looks uphill reluctantly (eq. 3), then a feed-forward net."""

    def __init__(
        self,
        width: int,
        heads: int,
        *,
        elevation_scale: float,
        sign: int,
        biased: bool,
        mlp_ratio: float,
        drop_path: float,
    ) -> None:
        super().__init__()
        self.elevation_scale, self.sign = elevation_scale, sign
        self.norm_attention = nn.LayerNorm(width)
        self.attention = SelfAttention(width, heads)
        self.relative_table = nn.Parameter(torch.empty(NUM_BUCKETS**2, heads))
        self.norm_feed_forward = nn.LayerNorm(width)
        self.feed_forward = FeedForward(width, mlp_ratio)
        self.drop_path = DropPath(drop_path)
        nn.init.trunc_normal_(self.relative_table, std=0.02)
        self.raw_alpha = nn.Parameter(raw_strength(2.0)) if biased else None
        self._relative: tuple[tuple, Tensor] | None = None

    @property
    def alpha(self) -> Tensor | None:
        """Strength of the elevation bias, positive; None when the bias is switched off."""
        return None if self.raw_alpha is None else F.softplus(self.raw_alpha)

    def forward(
        self,
        tokens: Tensor,
        grid: tuple[int, int],
        elevation: Tensor,
        valid: Tensor | None = None,
        trace: Trace | None = None,
        branch: str = "",
    ) -> Tensor:
        bias = self._bias(grid, elevation, valid, trace, branch)
        tokens = tokens + self.drop_path(self.attention(self.norm_attention(tokens), bias))
        return tokens + self.drop_path(self.feed_forward(self.norm_feed_forward(tokens)))

    def _bias(
        self, grid: tuple[int, int], elevation: Tensor, valid: Tensor | None, trace: Trace | None, branch: str
    ) -> Tensor:
        bias = self.relative_bias(grid)[None]  # (1, h, N, N)
        alpha = self.alpha
        if alpha is not None:
            penalty = elevation_bias(elevation, alpha, self.elevation_scale, self.sign)
            bias = bias + penalty[:, None]  # (B, h, N, N)
            if trace is not None:
                trace.record(f"{branch}_elevation_bias", penalty)
                trace.record(f"{branch}_alpha", alpha)
        if valid is not None:
            bias = bias + torch.where(valid, 0.0, MASKED)[:, None, None, :]
        return bias

    def relative_bias(self, grid: tuple[int, int]) -> Tensor:
        """Learned bias of relative position, shape (h, N, N); kept between calls while the table stays the same."""
        table = self.relative_table
        version = 0 if table.is_inference() else table._version  # inference tensors keep no count of changes
        key = (grid, table.device, table.dtype, table.data_ptr(), version)
        if not torch.is_grad_enabled() and self._relative is not None and self._relative[0] == key:
            return self._relative[1]
        bucket = relative_bucket_table(*grid, table.device)
        bias = expand_relative_bias(table[bucket].permute(2, 0, 1), *grid)
        self._relative = None if torch.is_grad_enabled() else (key, bias)
        return bias


def _swin_blocks(
    width: int, heads: int, window: int, depth: int, ratio: float, drop: list[float]
) -> nn.ModuleList:
    return nn.ModuleList(
        SwinBlock(width, heads, window, shifted=index % 2 == 1, mlp_ratio=ratio, drop_path=drop[index])
        for index in range(depth)
    )


def _drop_path_schedule(largest: float, blocks: int) -> list[float]:
    return [largest * index / max(blocks - 1, 1) for index in range(blocks)]


class GlobalBranch(nn.Module):
    """Coarse meteorology and composition to one token per 2 degrees (Algorithm S1, lines 3-5)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        c = config
        drop = _drop_path_schedule(c.drop_path, c.global_depth + 1)
        self.patch, self.window, self.shuffle_in = c.global_patch, c.global_window, c.shuffle_in
        self.channels = c.coarse_channels_read
        self.embed = PatchEmbed(self.channels, c.global_patch, c.global_width)
        self.position = Position(c.global_width)
        self.dropout = nn.Dropout(c.input_dropout)
        self.scan = WindScan(c.global_window, c.scan)
        self.elevation_block = ElevationBlock(
            c.global_width,
            c.global_heads,
            elevation_scale=c.global_elevation_scale,
            sign=c.elevation_sign,
            biased=c.elevation_bias,
            mlp_ratio=c.mlp_ratio,
            drop_path=drop[0],
        )
        self.swin_blocks = _swin_blocks(
            c.global_width, c.global_heads, c.global_window, c.global_depth, c.mlp_ratio, drop[1:]
        )
        self.norm = nn.LayerNorm(c.global_width)

    def forward(
        self,
        fields: Tensor,
        elevation: Tensor,
        wind: Tensor,
        valid: Tensor | None,
        trace: Trace | None = None,
    ) -> tuple[Tensor, Tensor | None]:
        """Encode a whole day.

        Parameters
        ----------
        fields, elevation, wind, valid : Tensor
            As in `cranpm.model.inputs.GlobalInputs`, padded to a multiple of patch x window.

        Returns
        -------
        tokens : Tensor, shape (B, Ng, Dg)
        valid : Tensor of bool, shape (B, Ng), or None
            Tokens that stand on at least one valid cell.
        """
        grid = (fields.shape[-2] // self.patch, fields.shape[-1] // self.patch)
        if valid is not None:
            fields = torch.where(
                valid[:, None], fields, 0.0
            )  # whatever filled a gap, the network sees the mean
        scan = self.scan_order(wind, valid)
        if trace is not None:
            trace.record("sectors", scan.sectors)
            trace.record("order", scan.order)
        seen = None if valid is None else token_valid(valid, self.patch)
        tokens = self.dropout(self.position(self.embed(fields[:, : self.channels]), grid))
        tokens = self.elevation_block(
            tokens, grid, token_mean(elevation, self.patch, valid), seen, trace, "global"
        )
        tokens = self._swin_transformer(tokens, grid, scan, seen)
        return self.norm(tokens), seen

    def scan_order(self, wind: Tensor, valid: Tensor | None = None) -> ScanOrder:
        """Reading order of each group, from its mean wind; ``wind`` has shape (B, 2, Hc, Wc) [m s-1]."""
        cells = self.patch * self.window
        mean = torch.stack([token_mean(wind[:, axis], cells, valid) for axis in (0, 1)], dim=1)  # (B, 2, G)
        return self.scan(mean)

    def _swin_transformer(
        self, tokens: Tensor, grid: tuple[int, int], scan: ScanOrder, valid: Tensor | None
    ) -> Tensor:
        if self.shuffle_in == "unshifted":
            for block in self.swin_blocks:
                tokens = block(tokens, grid, None if block.shifted else scan, valid)
            return tokens
        # The paper's literal order: shuffle once, let all blocks (shifted ones too) see the shuffled grid, undo once.
        tokens = self._on_groups(wind_shuffle, tokens, grid, scan)
        if valid is not None:
            valid = self._on_groups(wind_shuffle, valid[..., None], grid, scan)[..., 0]
        for block in self.swin_blocks:
            tokens = block(tokens, grid, None, valid)
        return self._on_groups(wind_unshuffle, tokens, grid, scan)

    def _on_groups(self, change, tokens: Tensor, grid: tuple[int, int], scan: ScanOrder) -> Tensor:
        return window_unite(change(window_partition(tokens, grid, self.window), scan), grid, self.window)


class LocalBranch(nn.Module):
    """One 1 km tile of today's PM2.5 to one token per 0.16 degrees (Algorithm S1, line 6)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        c = config
        drop = _drop_path_schedule(c.drop_path, c.local_depth + 1)
        self.patch = c.local_patch
        self.channels = c.local_channels_read
        self.embed = PatchEmbed(self.channels, c.local_patch, c.local_width)
        self.position = Position(c.local_width)
        self.lead_embedding = nn.Embedding(c.num_leads, c.local_width)
        self.dropout = nn.Dropout(c.input_dropout)
        self.elevation_block = ElevationBlock(
            c.local_width,
            c.local_heads,
            elevation_scale=c.local_elevation_scale,
            sign=c.elevation_sign,
            biased=c.elevation_bias,
            mlp_ratio=c.mlp_ratio,
            drop_path=drop[0],
        )
        self.swin_blocks = _swin_blocks(
            c.local_width, c.local_heads, c.local_window, c.local_depth, c.mlp_ratio, drop[1:]
        )
        self.norm = nn.LayerNorm(c.local_width)

    def forward(
        self,
        fields: Tensor,
        elevation: Tensor,
        lead: Tensor,
        trace: Trace | None = None,
        place: tuple[Tensor, Tensor] | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Encode tiles; arguments as in ``LocalInputs``.

        ``place`` holds the rows (B, n) and columns (B, n) of the tokens on the coarse token grid, for positions that
        speak its coordinates; without it positions are by place in the tile.

        Returns
        -------
        tokens : Tensor, shape (B, Nl, Dl)
        patches : Tensor, shape (B, Nl, Dl)
            The patch embedding alone, for the decoder's skip.
        """
        grid = (fields.shape[-2] // self.patch, fields.shape[-1] // self.patch)
        patches = self.embed(fields[:, : self.channels])
        if place is None:
            tokens = self.position(patches, grid)
        else:
            tokens = patches + sincos_at(*place, patches.shape[-1]).to(patches.dtype)
        tokens = tokens + self.lead_embedding(lead - 1)[:, None]
        tokens = self.dropout(tokens)
        tokens = self.elevation_block(tokens, grid, token_mean(elevation, self.patch), None, trace, "local")
        for block in self.swin_blocks:
            tokens = block(tokens, grid)
        return self.norm(tokens), patches
