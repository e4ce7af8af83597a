"""What a CRAN-PM network is made of: one frozen dataclass, every ablation a field; presets in `cranpm.model.presets`.

A variant is ``dataclasses.replace(paper(), wind_bias=False)``, never a copy of code. The tables named in the
comments are those of the paper (arXiv 2603.11725, Table S1 for layers, Table 3 for ablations R1-R8).
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from cranpm._json import JsonObject

FRACTIONS = (0.5, 1.0, 1.5)
"""Points of a back trajectory that are looked at, as shares of the lead time: a daily mean smears an arrival."""
SCANS = ("wind", "raster", "random")
SHUFFLES = ("unshifted", "all")
FUSIONS = ("none", "cross", "sum", "film", "concat", "coarse_queries", "bidirectional")
DECODERS = ("pixelshuffle", "convt")
OUTPUTS = ("delta", "absolute")
WIND_PLACES = ("token", "tile")
POSITIONS = ("tile", "domain")
RESIDUAL_SCALE = 20.0
"""The scale of PM2.5's normalisation, `cranpm.domain.normalise.PM_SCALE`, which this package does not import."""


RENAMED = {
    "global_climb": "global_elevation_scale",
    "local_climb": "local_elevation_scale",
    "coarse_amounts": "coarse_predictors",
}
"""Fields by the names that checkpoints of version 0.1 give them."""

LATER = {"gap_masks": False}
"""Fields that checkpoints of version 0.1 do not name, and what they did: their forecasts stay as they were."""


def with_present_names(model: JsonObject) -> JsonObject:
    """A network's plain values as this version names them.

    Examples
    --------
    >>> with_present_names({"global_climb": 1000.0})
    {'gap_masks': False, 'global_elevation_scale': 1000.0}
    """
    return {**LATER, **{RENAMED.get(name, name): value for name, value in model.items()}}


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """Architecture of one network. Defaults are the paper's."""

    name: str = "paper"
    """Which preset this started from; for people, never for decisions in code."""
    coarse_channels: int = 70
    """Channels of the 0.25 degree input: ERA5(t), CAMS(t), ERA5(t-1), CAMS(t-1)."""
    local_channels: int = 5
    """Channels of the 0.01 degree input: PM2.5(t), elevation, latitude, longitude, PM2.5(t-1)."""
    num_leads: int = 3
    """Lead times 1..num_leads days, one learned embedding each."""
    previous_day: bool = True
    """Whether the day t-1 channels (second half of the coarse ones, last local one) are read (R8: off)."""

    global_patch: int = 8
    """Coarse cells along the side of one global token."""
    global_width: int = 768
    """Features of a global token."""
    global_heads: int = 12
    """Attention heads of the global branch."""
    global_depth: int = 7
    """Swin blocks after the elevation-aware block of the global branch."""
    global_window: int = 7
    """Tokens along the side of a window, and of a wind group, in the global branch."""
    global_elevation_scale: float = 1000.0
    """E0 of the global elevation bias [m]: the climb that costs one alpha."""

    local_patch: int = 16
    """Fine cells along the side of one local token; the decoder doubles log2(local_patch) times."""
    local_width: int = 512
    """Features of a local token, and of the bridge."""
    local_heads: int = 8
    """Attention heads of the local branch."""
    local_depth: int = 5
    """Swin blocks after the elevation-aware block of the local branch."""
    local_window: int = 8
    """Tokens along the side of a window in the local branch."""
    local_elevation_scale: float = 500.0
    """E0 of the local elevation bias [m]."""

    bridge_heads: int = 8
    """Attention heads of the cross-resolution bridge."""
    bridge_depth: int = 2
    """Successive cross-attention layers."""
    mlp_ratio: float = 4.0
    """Hidden width of every feed-forward net over its input width."""
    drop_path: float = 0.1
    """Largest chance of skipping a block in training; grows linearly from 0 within a branch."""
    input_dropout: float = 0.1
    """Dropout on tokens right after the embedding, in training."""

    decoder: str = "pixelshuffle"
    """Upsampling: "pixelshuffle" (four doublings) or "convt" (one transposed convolution; R4)."""
    decoder_channels: tuple[int, ...] = (512, 256, 128, 64, 32)
    """Channels at the token grid and after each doubling."""
    skip: bool = True
    """Whether the decoder also sees the patch embedding (cat, 1x1 convolution)."""
    fine_skip: bool = False
    """Whether PM2.5 and elevation join the decoder's last doubling at full detail. Off in the paper, whose tokens can
    hold the two maps of a patch (512 features, 2 x 256 cells); narrower tokens cannot: on in the small presets."""
    output: str = "delta"
    """What the head means: the change to today's map ("delta") or the map itself ("absolute"; R5)."""
    residual_scale: float = RESIDUAL_SCALE
    """ug m-3 per unit of the network's output (the PM2.5 normalisation's scale); written down with a checkpoint, and
    no other is known."""

    fusion: str = "cross"
    """How coarse reaches fine (Table 3a): "cross" (fine queries coarse, the paper), "sum", "film", "concat",
    "coarse_queries", "bidirectional"; "none" leaves the coarse branch out (R1)."""
    elevation_bias: bool = True
    """Equation 2 in the first block of both branches (R2: off)."""
    elevation_sign: int = 1
    """+1 penalises keys higher than the query (the paper); -1 penalises lower ones (katabatic reading)."""
    wind_bias: bool = True
    """Equation 4 in the bridge (R3: off, together with scan="raster")."""
    wind_at: str = "token"
    """Wind and position the bias is taken at: each local "token", or the middle of the "tile"."""
    bridge_reach: bool = False
    """A distance penalty in the bridge, its reach learned by each head: the wind bias alone knows a direction but no
    distance, so that a coarse token 3,000 km upwind gains as much as the nearest. Not in the paper; on in `small`."""
    local_position: str = "tile"
    """Sin-cos position of local tokens: by place in the "tile" (the paper), or by place on the coarse token grid
    ("domain"), where queries and keys then speak of the same coordinates."""
    growth: bool = False
    """Whether the head gives an offset and factors of x_t and x_{t-1}: most of a day's change is air growing or losing
    what it holds, and a product is learned sooner than rebuilt from sums. Not in the paper; on in `small`, `tiny`."""
    transport: bool = False
    """Whether the head also gives factors of what the wind carries in (`cranpm.model.extensions.transport`):
    PM2.5 where the air was before, minus PM2.5 here. Not in the paper; on in `small`, `tiny`."""
    path_freedom: float | None = None
    """Longest correction that tokens may give a back trajectory, as a share of its way along the wind (0.5 turns it by
    30 degrees at most); None sets no bound. Not in the paper; 0.5 in `small`, `tiny`."""
    coarse_forecast: bool = False
    """Whether the global branch's own forecast of the coarse change (`cranpm.model.extensions.coarse_forecast`)
    joins what the head multiplies: what tokens know of tomorrow reaches the map node by node.
    Not in the paper; in `small`, `tiny`."""
    coarse_predictors: bool = False
    """Whether the head also gives factors of coarse PM2.5 of days t and t-1 (where that is read) at each cell: the
    map and the coarse analysis are two instruments with errors of their own, and know more together. Not in the paper;
    on in `small`, `tiny`."""
    regional_mean: bool = False
    """Whether the head also gives a factor of today's map averaged over 25 km (`cranpm.model.extensions.detail`): it
    can then change the level of a place and leave its detail. Not in the paper; on in `small`, `tiny`."""
    height_damping: bool = False
    """Whether places above their region change less (`cranpm.model.extensions.height`).
    Not in the paper; in `small`, `tiny`."""
    node_smoothing: float = 0.0
    """Standard deviation of the mean over coarse nodes that joins what neighbouring tokens say of their patches
    [nodes]; 0 leaves edges of 2 degrees in the map. Not in the paper; 2 in `small`, `tiny`."""
    transport_barriers: bool = True
    """Whether transport damps what crossed high ground on its way (R2: off, with the other priors from terrain)."""
    gap_masks: bool = True
    """Whether PM2.5 that is missing where other values are not counts as missing: no air is carried from a coarse node
    without PM2.5, and the regional mean is that of all known cells. Checkpoints of version 0.1 have it off: they take
    a coarse node for known where any channel is, and a cell of exactly 15 ug m-3, zero in network units, for a gap."""
    pm2p5_channel: int = 30
    """Coarse channel that is carried and whose change is forecast: CAMS PM2.5 of day t."""
    scan: str = "wind"
    """Order of tokens within a 7x7 group: "wind" (upwind first), "raster" (R3), "random" (fixed)."""
    shuffle_in: str = "unshifted"
    """Which Swin blocks of the global branch see the scan order: the "unshifted" ones, or "all"."""

    def __post_init__(self) -> None:
        for field, largest in _LARGEST.items():
            if not 0 <= getattr(self, field) <= largest:
                raise ValueError(f"ModelConfig.{field} is {getattr(self, field)}; expected 0 to {largest}.")
        for field, known in _CHOICES.items():
            value = getattr(self, field)
            if value not in known:
                raise ValueError(
                    f"ModelConfig.{field} is {value!r}; expected one of {', '.join(map(str, known))}."
                )
        if self.residual_scale != RESIDUAL_SCALE:
            raise ValueError(
                f"ModelConfig.residual_scale is {self.residual_scale}; expected {RESIDUAL_SCALE:g}: inputs, losses and "
                "maps are all in units of that (cranpm.domain.PM_SCALE), so that another scale would go unheeded."
            )
        for width, heads in (
            ("global_width", "global_heads"),
            ("local_width", "local_heads"),
            ("local_width", "bridge_heads"),
        ):
            _require_multiple(self, width, getattr(self, heads), f"{heads} ({getattr(self, heads)})")
        if self.fine_skip and self.decoder != "pixelshuffle":
            raise ValueError(
                'ModelConfig.fine_skip needs decoder="pixelshuffle": it joins the last doubling.'
            )
        for width in ("global_width", "local_width"):
            _require_multiple(
                self, width, 4, "4, for the sin-cos position (sine and cosine of row and column)"
            )
        if self.coarse_channels % 2:
            raise ValueError(
                f"ModelConfig.coarse_channels is {self.coarse_channels}; expected an even number "
                "(day t, then the same channels of day t-1)."
            )
        if self.path_freedom is not None and not self.path_freedom >= 0:
            raise ValueError(
                f"ModelConfig.path_freedom is {self.path_freedom}; expected at least 0, or None for no bound."
            )
        for field in ("transport", "coarse_forecast", "coarse_predictors"):
            if getattr(self, field) and (not self.growth or self.fusion == "none"):
                raise ValueError(
                    f'ModelConfig.{field} needs growth=True and a coarse branch (fusion other than "none").'
                )
        if self.height_damping and self.fusion == "none":
            raise ValueError(
                "ModelConfig.height_damping needs a coarse branch, whose terrain is the region's "
                '(fusion other than "none").'
            )
        if self.regional_mean and not self.growth:
            raise ValueError(
                "ModelConfig.regional_mean needs growth=True: it is one of the fields with factors."
            )
        if 2 ** (len(self.decoder_channels) - 1) != self.local_patch:
            raise ValueError(
                f"ModelConfig.decoder_channels has {len(self.decoder_channels)} entries; expected "
                f"1 + log2(local_patch) so that tokens of {self.local_patch} cells become cells."
            )

    @property
    def global_multiple(self) -> int:
        """Coarse cells that rows and columns are padded to a multiple of (56: patch 8 x window 7)."""
        return self.global_patch * self.global_window

    @property
    def local_multiple(self) -> int:
        """Fine cells a tile's side must be a multiple of (128: patch 16 x window 8)."""
        return self.local_patch * self.local_window

    @property
    def fine_channels(self) -> tuple[int, ...]:
        """Local channels that the fine skip carries (empty without): PM2.5(t), elevation, PM2.5(t-1)."""
        if not self.fine_skip:
            return ()
        return (0, 1, self.local_channels - 1) if self.previous_day else (0, 1)

    @property
    def growth_channels(self) -> tuple[int, ...]:
        """Local channels that the head's growth factors multiply: PM2.5(t) and, where it is read, PM2.5(t-1)."""
        if not self.growth:
            return ()
        return (0, self.local_channels - 1) if self.previous_day else (0,)

    @property
    def transport_points(self) -> int:
        """Points of each lead's back trajectory whose PM2.5 the head multiplies (0 without transport)."""
        return len(FRACTIONS) if self.transport else 0

    @property
    def coarse_pm2p5_channels(self) -> tuple[int, ...]:
        """Coarse PM2.5 of day t and, where it is read, of day t-1."""
        today = self.pm2p5_channel
        return (today, today + self.coarse_channels // 2) if self.previous_day else (today,)

    @property
    def head_predictors(self) -> int:
        """Fields that the map's head gives factors of (`CranPM.predictors`)."""
        of_coarse = len(self.coarse_pm2p5_channels) if self.coarse_predictors else 0
        return (
            len(self.growth_channels)
            + self.transport_points
            + self.coarse_forecast
            + of_coarse
            + self.regional_mean
        )

    @property
    def coarse_channels_read(self) -> int:
        """Coarse channels that enter the embedding."""
        return self.coarse_channels if self.previous_day else self.coarse_channels // 2

    @property
    def local_channels_read(self) -> int:
        """Local channels that enter the embedding."""
        return self.local_channels if self.previous_day else self.local_channels - 1

    def to_dict(self) -> JsonObject:
        """Plain values for JSON; ``from_dict`` is the inverse."""
        return dataclasses.asdict(self) | {"decoder_channels": list(self.decoder_channels)}

    @classmethod
    def from_dict(cls, values: JsonObject) -> ModelConfig:
        """Rebuild a config from ``to_dict``; an unknown field is refused.

        A missing one takes its default, or what version 0.1 did (`LATER`).
        """
        known = {field.name for field in dataclasses.fields(cls)}
        values = with_present_names(values)
        unknown = sorted(set(values) - known)
        if unknown:
            raise ValueError(
                f"Unknown ModelConfig field(s) {', '.join(unknown)}; this version of cranpm knows "
                f"{', '.join(sorted(known))}. Update cranpm, or check the spelling."
            )
        if "decoder_channels" in values:
            values["decoder_channels"] = tuple(int(c) for c in values["decoder_channels"])
        return cls(**values)


_LARGEST: dict[str, int] = {
    **dict.fromkeys(("global_depth", "local_depth", "bridge_depth"), 200),
    **dict.fromkeys(("global_window", "local_window"), 256),
}
"""Sizes whose parts are built one by one, or whose tables grow with their fourth power: a file that names millions
would keep the machine busy for hours before its weights are found not to fit."""

_CHOICES = {
    "scan": SCANS,
    "shuffle_in": SHUFFLES,
    "fusion": FUSIONS,
    "decoder": DECODERS,
    "output": OUTPUTS,
    "wind_at": WIND_PLACES,
    "local_position": POSITIONS,
    "elevation_sign": (1, -1),
}


def _require_multiple(config: ModelConfig, field: str, divisor: int, what: str) -> None:
    if getattr(config, field) % divisor:
        raise ValueError(f"ModelConfig.{field} is {getattr(config, field)}; expected a multiple of {what}.")
