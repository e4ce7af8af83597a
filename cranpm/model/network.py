"""CRAN-PM: the whole forward pass, in the steps of the paper's Algorithm S1."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .branches import GlobalBranch, LocalBranch
from .config import ModelConfig
from .extensions.coarse_forecast import CoarseForecast
from .extensions.detail import regional_mean
from .extensions.height import HeightDamping
from .extensions.transport import Transport, at_cells
from .inputs import (
    GlobalContext,
    GlobalInputs,
    LocalInputs,
    check_global,
    check_local,
    drop_full_mask,
    pad_global,
)
from .layers.attention import init_weights
from .layers.bridge import TokenPlaces
from .layers.decoder import Decoder
from .layers.embed import place_on_axis, token_centres
from .layers.fusion import build_fusion
from .layers.trace import BRIDGE_TRACE, Trace


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

    Returns
    -------
    Tensor, same shape
        The forecast [ug m-3].
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
    bridge_off : bool
        Whether tiles read nothing through the bridge: a counterfactual (off by default). Local tokens go to the decoder
        as their branch made them; what reaches the map on other ways (transport, coarse forecast) stays.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.check_inputs = True
        self.bridge_off = False
        self.local_branch = LocalBranch(config)
        self.global_branch = GlobalBranch(config) if config.fusion != "none" else None
        self.bridge = build_fusion(config)
        self.decoder = Decoder(
            config.local_width,
            config.decoder_channels,
            kind=config.decoder,
            skip=config.skip,
            fine_channels=len(config.fine_channels),
            growth=config.head_predictors,
        )
        self.transport = (
            Transport(
                config.local_width,
                config.global_patch,
                config.num_leads,
                config.node_smoothing,
                config.path_freedom,
                barriers=config.transport_barriers,
            )
            if config.transport
            else None
        )
        self.coarse_head = CoarseForecast.of(config, config.num_leads) if config.coarse_forecast else None
        self.height = HeightDamping() if config.height_damping else None
        self._init_weights()

    def _init_weights(self) -> None:
        init_weights(self)
        if self.transport is not None:
            self.transport.reset()
        if self.coarse_head is not None:
            self.coarse_head.reset()
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
        upwind, paths = self._advect(inputs, context, (rows, columns))
        change = None
        if self.coarse_head is not None:
            change = self.coarse_head(context, (rows, columns), self.coarse_pm2p5(inputs), upwind)
        return GlobalContext(
            tokens=context,
            latitude=latitude,
            longitude=longitude,
            valid=valid,
            grid=(rows, columns),
            keys=keys,
            values=values,
            upwind=upwind,
            paths=paths,
            change=change,
            pm2p5=self.coarse_pm2p5(inputs) if self.config.coarse_predictors else None,
            elevation=inputs.elevation if self.height is not None else None,
            nodes=(inputs.latitude, inputs.longitude),
        )

    def _advect(
        self, inputs: GlobalInputs, context: Tensor, grid: tuple[int, int]
    ) -> tuple[Tensor | None, Tensor | None]:
        """What the wind brings to each coarse node, and the paths it comes by."""
        if self.transport is None:
            return None, None
        pm2p5 = inputs.fields[:, self.config.pm2p5_channel]
        known = inputs.valid
        if self.config.gap_masks and inputs.known_pm2p5 is not None:
            known = inputs.known_pm2p5 if known is None else known & inputs.known_pm2p5
        return self.transport(context, grid, pm2p5, inputs.wind, inputs.elevation, inputs.latitude, known)

    def coarse_pm2p5(self, inputs: GlobalInputs) -> Tensor:
        """Coarse PM2.5 of days t and, where it is read, t-1, normalised, (B, 2, Hc, Wc)."""
        return inputs.fields[:, self.config.coarse_pm2p5_channels]

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
        delta = self._decode(inputs, tokens, patches, self.predictors(inputs, context, day_index))
        # an absolute head gives the map itself; we return its change from today's
        if self.config.output == "absolute":
            delta = delta - inputs.fields[:, 0]
        share = self.damping_factor(inputs, context, day_index)
        if share is not None:
            delta = delta * share.to(delta.dtype)
            if trace is not None:
                trace.record("height_damping", share)
        if trace is not None:
            trace.record("delta", delta)
        return delta

    def _decode(
        self, inputs: LocalInputs, tokens: Tensor, patches: Tensor, predictors: Tensor | None
    ) -> Tensor:
        grid = (inputs.wind.shape[-2], inputs.wind.shape[-1])
        fine = inputs.fields[:, self.config.fine_channels] if self.config.fine_skip else None
        if len(tokens) == len(inputs.fields):
            return self.decoder(tokens, patches, grid, fine, predictors)
        # several leads of one tile: one map at a time stays in a CPU's cache
        leads = len(tokens)
        of_leads = [None] * leads if predictors is None else predictors.expand(leads, -1, -1, -1).split(1)
        one_by_one = zip(tokens.split(1), patches.split(1), of_leads, strict=True)
        return torch.cat([self.decoder(t, p, grid, fine, a) for t, p, a in one_by_one])

    def predictors(
        self, inputs: LocalInputs, context: GlobalContext, day_index: Tensor | None = None
    ) -> Tensor | None:
        """What a head with growth gives factors of; None without growth.

        Returns
        -------
        Tensor, shape (B, n, S, S)
            Normalised PM2.5 of days t and t-1; with transport, what the wind carries in over the lead time, minus what
            is there; with a coarse forecast, that; with coarse predictors, coarse PM2.5 of days t and t-1; with a
            regional mean, that of day t. Of one tile at several lead times, one set for each.
        """
        channels = self.config.growth_channels
        if not channels:
            return None
        fields = [inputs.fields[:, channels]]
        coarse = self._coarse_predictors(inputs.lead - 1, context, day_index)
        if coarse and context.nodes is not None:
            at_tiles = at_cells(torch.cat(coarse, 1), context.nodes, inputs.latitude, inputs.longitude)
            fields.append(at_tiles.to(fields[0].dtype))
        if self.config.regional_mean:
            today = fields[0][:, :1]
            fields.append(regional_mean(today, self._known(inputs, today)))
        tiles = max(map(len, fields))
        return torch.cat([field.expand(tiles, -1, -1, -1) for field in fields], dim=1)

    def _known(self, inputs: LocalInputs, today: Tensor) -> Tensor | None:
        """Cells (B, 1, S, S) that count in the regional mean; None for all."""
        known = None if inputs.known is None else inputs.known[:, None]
        if self.config.gap_masks:
            return known
        told_by_value = today != 0  # as version 0.1 has it
        return told_by_value if known is None else told_by_value & known

    def damping_factor(
        self, inputs: LocalInputs, context: GlobalContext, day_index: Tensor | None = None
    ) -> Tensor | None:
        """What height leaves of the predicted change, (B, S, S) in (0, 1]; None without height damping."""
        if self.height is None or context.elevation is None or context.nodes is None:
            return None
        region = context.elevation
        if len(region) > 1 and day_index is not None:
            region = region[day_index]
        region = region.expand(len(inputs.elevation), -1, -1)[:, None]
        return self.height(
            inputs.elevation, at_cells(region, context.nodes, inputs.latitude, inputs.longitude)[:, 0]
        )

    @staticmethod
    def _coarse_predictors(lead: Tensor, context: GlobalContext, day_index: Tensor | None) -> list[Tensor]:
        """Coarse fields (B, k, Hc, Wc) among the predictors, of each tile's day and lead time (from 0)."""
        day = torch.zeros_like(lead) if day_index is None and len(context.tokens) == 1 else day_index
        if day is None:
            day = torch.arange(len(lead), device=lead.device)
        coarse = [] if context.upwind is None else [context.upwind[day, lead]]
        if context.change is not None:
            coarse.append(context.change[day, lead].float()[:, None])
        if context.pm2p5 is not None:
            coarse.append(context.pm2p5[day].float().expand(len(lead), -1, -1, -1))
        return coarse

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
        if self.bridge is not None and not self.bridge_off:
            centres = token_centres(inputs.latitude, inputs.longitude, self.config.local_patch)
            places = TokenPlaces(*centres, inputs.wind.flatten(2))
            tokens = self.bridge(tokens, context.of_tiles(day_index, len(tokens)), places, trace)
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


def set_plain_attention(network: nn.Module) -> None:
    """Switch every attention from the fused kernels to the plain formula (for tests and FLOP counts).

    Parameters
    ----------
    network : nn.Module
        Changed in place.
    """
    for module in network.modules():
        if hasattr(module, "plain"):
            module.plain = True  # type: ignore[assignment]
