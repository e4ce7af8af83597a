"""CRAN-PM: the whole forward pass, in the steps of the paper's Algorithm S1."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .attention import init_weights
from .branches import GlobalBranch, LocalBranch
from .config import ModelConfig
from .decoder import Decoder
from .embed import place_on_axis, token_centres
from .fusion import build_fusion
from .inputs import (
    GlobalContext,
    GlobalInputs,
    LocalInputs,
    check_global,
    check_local,
    drop_full_mask,
    pad_global,
)
from .trace import BRIDGE_TRACE, Trace


def add_residual(today: Tensor, delta: Tensor, scale: float = 20.0) -> Tensor:
    """The residual step (eq. 1): today's map plus the predicted change.

    Parameters
    ----------
    today : Tensor
        PM2.5 of the init day [ug m-3].
    delta : Tensor, same shape
        Output of the network, normalised.
    scale : float
        ug m-3 per unit of delta (``ModelConfig.residual_scale``).
    """
    return today + scale * delta


class CranPM(nn.Module):
    """The Cross-Resolution Attention Network for PM2.5.

    Call ``encode_global`` once per day, then ``forecast_delta`` for each batch of tiles and each lead time; or call
    the network itself to do both. An untrained network returns zeros: its forecast is persistence, bit for bit
    (unless ``config.output`` is "absolute").

    Attributes
    ----------
    config : ModelConfig
    check_inputs : bool
        Whether shapes and finiteness are checked at the door (on by default; costs one read of each input and, on a
        GPU, one synchronisation: switch off inside captured graphs).
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.check_inputs = True
        self.local_branch = LocalBranch(config)
        self.global_branch = GlobalBranch(config) if config.fusion != "none" else None
        self.bridge = build_fusion(config)
        self.decoder = Decoder(
            config.local_width,
            config.decoder_channels,
            kind=config.decoder,
            skip=config.skip,
            fine_channels=len(config.fine_channels),
            growth=len(config.growth_channels),
        )
        self._init_weights()

    def _init_weights(self) -> None:
        init_weights(self)
        c = self.config
        if c.previous_day:  # the day before starts as if absent, and is learned from there
            self.local_branch.embed.zero_channels(c.local_channels - 1)
            if self.global_branch is not None:
                self.global_branch.embed.zero_channels(c.coarse_channels // 2)

    def encode_global(self, inputs: GlobalInputs, trace: Trace | None = None) -> GlobalContext:
        """Encode days (Algorithm S1, lines 3-5), down to the keys and values that all their tiles share."""
        if self.check_inputs:
            check_global(inputs, self.config)
            inputs = drop_full_mask(inputs)
        if self.global_branch is None or self.bridge is None:
            return _empty_context(inputs, self.config.local_width)
        inputs = pad_global(inputs, self.config.global_multiple)
        latitude, longitude = token_centres(inputs.latitude, inputs.longitude, self.config.global_patch)
        tokens, valid = self.global_branch(inputs.fields, inputs.elevation, inputs.wind, inputs.valid, trace)
        context, keys, values = self.bridge.prepare(tokens)
        rows, columns = (size // self.config.global_patch for size in inputs.fields.shape[-2:])
        return GlobalContext(
            tokens=context,
            latitude=latitude,
            longitude=longitude,
            valid=valid,
            grid=(rows, columns),
            keys=keys,
            values=values,
        )

    def forecast_delta(
        self,
        inputs: LocalInputs,
        context: GlobalContext,
        day_index: Tensor | None = None,
        trace: Trace | None = None,
    ) -> Tensor:
        """Change of PM2.5 over the lead time (Algorithm S1, lines 6-11).

        Parameters
        ----------
        inputs : LocalInputs
            B tiles.
        context : GlobalContext
            Of one or more days.
        day_index : Tensor of int, shape (B,), optional
            Which day of the context each tile belongs to; not needed when the context holds one day, or one per tile.
        trace : Trace, optional
            Collects the tensors it was made for.

        Returns
        -------
        Tensor, shape (B, S, S)
            Normalised residual: the forecast is ``add_residual(today, delta)``. Of one tile at several lead times,
            one map for each.
        """
        tokens, patches = self.fuse(inputs, context, day_index, trace)
        delta = self._decode(inputs, tokens, patches)
        # an absolute head gives the map itself; we return its change from today's
        if self.config.output == "absolute":
            delta = delta - inputs.fields[:, 0]
        if trace is not None:
            trace.record("delta", delta)
        return delta

    def _decode(self, inputs: LocalInputs, tokens: Tensor, patches: Tensor) -> Tensor:
        grid = (inputs.wind.shape[-2], inputs.wind.shape[-1])
        fine = inputs.fields[:, self.config.fine_channels] if self.config.fine_skip else None
        amounts = self._amounts(inputs)
        if len(tokens) == len(inputs.fields):
            return self.decoder(tokens, patches, grid, fine, amounts)
        # several leads of one tile: one map at a time stays in a CPU's cache
        one_by_one = zip(tokens.split(1), patches.split(1), strict=True)
        return torch.cat([self.decoder(t, p, grid, fine, amounts) for t, p in one_by_one])

    def _amounts(self, inputs: LocalInputs) -> Tensor | None:
        """Normalised PM2.5 (B, 2, S, S) of days t and t-1, for a head that gives factors of them."""
        channels = self.config.growth_channels
        return inputs.fields[:, channels] if channels else None

    def fuse(
        self,
        inputs: LocalInputs,
        context: GlobalContext,
        day_index: Tensor | None = None,
        trace: Trace | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Local tokens that have read the continent (Algorithm S1, lines 6-10), before the decoder.

        Returns
        -------
        tokens, patches : Tensor, shape (B, Nl, Dl)
            Fused tokens, and the patch embedding alone.
        """
        if self.check_inputs:
            check_local(inputs, self.config)
        place = self._place(inputs, context)
        tokens, patches = self.local_branch(inputs.fields, inputs.elevation, inputs.lead, trace, place)
        if self.bridge is not None:
            latitude, longitude = token_centres(inputs.latitude, inputs.longitude, self.config.local_patch)
            days = context.of_tiles(day_index, len(tokens))
            tokens = self.bridge(tokens, days, latitude, longitude, inputs.wind.flatten(2), trace)
        return tokens, patches.expand_as(tokens)

    def _place(self, inputs: LocalInputs, context: GlobalContext) -> tuple[Tensor, Tensor] | None:
        """Rows and columns (B, n) of local tokens on the coarse token grid, where positions are by domain."""
        if self.config.local_position == "tile" or not context.grid[0]:
            return None
        rows, columns = context.axes()
        patch = self.config.local_patch
        return place_on_axis(inputs.latitude, patch, rows), place_on_axis(inputs.longitude, patch, columns)

    @staticmethod
    def new_trace(*names: str) -> Trace:
        """A trace to pass in; by default of all that is needed to draw the bridge's attention and its biases."""
        return Trace(*(names or BRIDGE_TRACE))

    def forward(
        self,
        global_inputs: GlobalInputs,
        local_inputs: LocalInputs,
        day_index: Tensor | None = None,
        trace: Trace | None = None,
    ) -> Tensor:
        """Both steps at once, for training; see ``encode_global`` and ``forecast_delta``."""
        return self.forecast_delta(local_inputs, self.encode_global(global_inputs, trace), day_index, trace)


def _empty_context(inputs: GlobalInputs, width: int) -> GlobalContext:
    """What a network without a coarse branch (R1) knows of a day: nothing."""
    tokens = inputs.fields.new_zeros(len(inputs.fields), 0, width)
    nowhere = inputs.latitude.new_zeros(0)
    return GlobalContext(tokens=tokens, latitude=nowhere, longitude=nowhere, valid=None, grid=(0, 0))


def set_plain_attention(network: nn.Module, plain: bool = True) -> None:
    """Switch every attention between the fused kernels and the plain formula (for tests and FLOP counts)."""
    for module in network.modules():
        if hasattr(module, "plain"):
            module.plain = plain  # type: ignore[assignment]
