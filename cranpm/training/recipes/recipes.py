"""A training run is a function that returns a whole configuration."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields, replace

from cranpm._json import JsonObject
from cranpm.domain.splits import Splits
from cranpm.domain.tiling import TILE_SIZE
from cranpm.model import ModelConfig, get_preset
from cranpm.model.config import with_present_names as model_with_present_names

PRECISIONS = ("32-true", "bf16-mixed")


RENAMED = {
    "least_learning_rate": "min_lr",
    "most_skipped": "max_skipped_steps",
    "prior_rate": "prior_lr_mult",
    "global_rate": "global_lr_mult",
    "bias_every": "bias_update_interval",
}
"""Fields by the names that runs of version 0.1 give them."""

LATER = {"global_days_per_step": 4}
"""Fields that runs of version 0.1 do not name, and what they did."""


def with_present_names(recipe: JsonObject) -> JsonObject:
    """A recipe's plain values as this version names them.

    Examples
    --------
    >>> with_present_names({"bias_every": 4, "model": {"global_climb": 7.5}})
    {'global_days_per_step': 4, 'bias_update_interval': 4, 'model': {'gap_masks': False, 'global_elevation_scale': 7.5}}
    """
    renamed = {**LATER, **{RENAMED.get(name, name): value for name, value in recipe.items()}}
    if isinstance(renamed.get("model"), dict):
        renamed["model"] = model_with_present_names(renamed["model"])
    return renamed


NOT_NEGATIVE = (
    *(
        "wide_tile_interval",
        "warmup_steps",
        "token_steps",
        "calibration_steps",
        "global_epochs",
        "max_skipped_steps",
    ),
    *("min_lr", "prior_lr_mult", "global_lr_mult", "weight_decay", "gradient_clip"),
    *("frequency_weight", "station_weight", "hotspot_weight", "coarse_weight"),
)
"""Fields that may be 0, for none of it."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Everything that decides a training run besides the data."""

    model: ModelConfig
    splits: Splits = field(default_factory=Splits)
    leads: tuple[int, ...] = (1, 2, 3)
    tile_size: int = 512
    days_per_step: int = 8
    """Init days in one optimiser step of one process."""
    tiles_per_day: int = 16
    """Tiles that share one global encoding; effective batch = days x tiles x processes."""
    wide_tile_interval: int = 0
    """Every so many-th step draws tiles of `TILE_SIZE` cells, the size that forecasts have, and as many fewer: smaller
    ones never show relative positions beyond their own side. 0 for none; else a multiple of ``bias_update_interval``,
    so that the table of relative positions learns in those very steps."""
    hotspot_ratio: float = 0.5
    steps: int = 30_000
    warmup_steps: int = 5_000
    learning_rate: float = 5e-5
    min_lr: float = 1e-6
    prior_lr_mult: float = 1.0
    """Learning rate of alpha and beta, relative to the others, in all stages."""
    global_lr_mult: float = 1.0
    """Learning rate of the global branch in the tile stage, relative to the others (below 1 where it was trained
    before)."""
    bias_update_interval: int = 1
    """Attention biases are updated in every so many-th step; the steps between cost about half on a CPU."""
    weight_decay: float = 0.05
    gradient_clip: float = 1.0
    """Largest norm of a step's gradient; 0 for no limit."""
    frequency_weight: float = 0.1
    station_weight: float = 0.1
    """Weight of the error at stations outside the held-out blocks; needs a source with stations."""
    hotspot_weight: float = 0.0
    """How much more a cell at 50 ug m-3 weighs than a clean one in the pixel loss; 0 weighs all alike."""
    max_skipped_steps: int = 5
    """Steps in a row that may be left out because their loss or gradient is not finite; one more ends the run."""
    global_epochs: int = 0
    """Epochs of pretraining, which trains the global branch alone (`pretrain_global`; not in the paper)."""
    global_learning_rate: float = 2e-3
    """Peak learning rate of pretraining."""
    global_days_per_step: int = 4
    """Init days in one optimiser step of pretraining."""
    token_steps: int = 0
    """First steps that learn patch means from the fused tokens, without the decoder (not in the paper)."""
    coarse_weight: float = 0.0
    """Weight of the coarse product's change, read from the global tokens (not in the paper): every node of the
    continent gives a gradient to the global branch in every step, where tiles alone are few and noisy."""
    puff_share: float = 0.0
    """Share of init days that get puffs whose way is known from the simulator (`cranpm.training.batches.puffs`; not in
    the paper, and none where the source has no responses)."""
    calibration_steps: int = 0
    """Batches of training days on which the head's constants are fitted by least squares when the steps are done
    (`cranpm.training.fit.calibration`; not in the paper)."""
    average_decay: float | None = None
    """Decay of the exponential average of weights that is saved; None saves the last weights."""
    precision: str = "bf16-mixed"
    seed: int = 1
    """Of the first weights, of dropout, and of the order of days and tiles, in all stages."""

    def __post_init__(self) -> None:
        if self.precision not in PRECISIONS:
            raise ValueError(
                f"Recipe.precision is {self.precision!r}; expected one of {', '.join(PRECISIONS)}."
            )
        for name in (
            "steps",
            "days_per_step",
            "tiles_per_day",
            "bias_update_interval",
            "global_days_per_step",
        ):
            if getattr(self, name) < 1:
                raise ValueError(f"Recipe.{name} is {getattr(self, name)}; expected at least 1.")
        for name in ("learning_rate", "global_learning_rate"):
            if not getattr(self, name) > 0:
                raise ValueError(f"Recipe.{name} is {getattr(self, name)}; expected more than 0.")
        for name in NOT_NEGATIVE:
            if not getattr(self, name) >= 0:
                raise ValueError(f"Recipe.{name} is {getattr(self, name)}; expected 0 or more.")
        if self.average_decay is not None and not 0 < self.average_decay < 1:
            raise ValueError(
                f"Recipe.average_decay is {self.average_decay}; expected between 0 and 1, or None for no average."
            )
        for name in ("hotspot_ratio", "puff_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"Recipe.{name} is {getattr(self, name)}; expected 0..1.")
        if self.tile_size % self.model.local_multiple:
            raise ValueError(
                f"Recipe.tile_size is {self.tile_size}; expected a multiple of {self.model.local_multiple} "
                "(local patch x window)."
            )
        if self.wide_tile_interval % self.bias_update_interval or (
            self.wide_tile_interval and self.tile_size > TILE_SIZE
        ):
            raise ValueError(
                f"Recipe.wide_tile_interval is {self.wide_tile_interval}; expected 0 for none, or a multiple of "
                f"bias_update_interval ({self.bias_update_interval}) with a tile_size of at most {TILE_SIZE}."
            )
        if self.calibration_steps and self.model.output != "delta":
            raise ValueError(
                f"Recipe.calibration_steps is {self.calibration_steps}, but only a head that gives a change can be "
                f'calibrated, not output="{self.model.output}"; set calibration_steps=0.'
            )
        if not self.leads or not set(self.leads) <= set(range(1, self.model.num_leads + 1)):
            raise ValueError(
                f"Recipe.leads is {self.leads}; expected some of 1..{self.model.num_leads} days."
            )

    @property
    def wide_tiles_per_day(self) -> int:
        """Tiles of `TILE_SIZE` cells that share a global encoding in wide steps: about as many cells as in others."""
        return max(1, self.tiles_per_day * self.tile_size**2 // TILE_SIZE**2)

    @property
    def bfloat16(self) -> bool:
        """Whether matrix products of the forward pass run in bfloat16 (autocast)."""
        return self.precision == "bf16-mixed"

    def to_dict(self) -> JsonObject:
        """Plain values, for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: JsonObject) -> Recipe:
        """Inverse of `to_dict`, also after JSON; an unknown field is refused, a missing one takes its default."""
        values = with_present_names(values)
        unknown = sorted(set(values) - {f.name for f in fields(cls)})
        if unknown:
            raise ValueError(
                f"Unknown recipe field(s) {', '.join(unknown)}. Update cranpm, or check the spelling."
            )
        values = dict(values, model=ModelConfig.from_dict(values["model"]))
        if "splits" in values:
            values["splits"] = Splits(**{name: tuple(days) for name, days in values["splits"].items()})
        if "leads" in values:
            values["leads"] = tuple(int(lead) for lead in values["leads"])
        return cls(**values)


def paper() -> Recipe:
    """Table S3, with the leak between validation and test mended (2017-2020 / 2021 / 2022)."""
    return Recipe(model=get_preset("paper"))


def small() -> Recipe:
    """The demo checkpoint: an hour on two CPU cores, minutes on a GPU."""
    return Recipe(
        model=get_preset("small"),
        tile_size=256,
        wide_tile_interval=4,
        global_epochs=14,
        token_steps=300,
        days_per_step=4,
        tiles_per_day=4,
        hotspot_ratio=0.2,
        steps=1_400,
        warmup_steps=50,
        learning_rate=1e-3,
        min_lr=1e-5,
        global_lr_mult=0.3,
        prior_lr_mult=5.0,
        bias_update_interval=4,
        weight_decay=0.02,
        station_weight=0.0,
        coarse_weight=0.5,
        puff_share=0.3,
        calibration_steps=100,
        average_decay=0.99,
        precision="bf16-mixed",
    )


def paper_small() -> Recipe:
    """The paper's network and its losses, Table S3 in a budget of two CPU cores.

    No pretraining, token stage, auxiliary coarse loss, puffs, calibration or average of weights: none is in the paper.
    Rates are those that suit so narrow a network; alpha, beta and the table learn in every step. A step of 16 tiles
    takes 2.4 seconds of one core: 97 minutes of it for all, about an hour on two. The demo, both its parts, took three
    times as much: ``--set steps=7200``.
    """
    return Recipe(
        model=get_preset("paper-small"),
        tile_size=256,
        wide_tile_interval=4,
        days_per_step=4,
        tiles_per_day=4,
        steps=2_400,
        warmup_steps=200,
        learning_rate=1e-3,
        min_lr=1e-5,
    )


def refine() -> Recipe:
    """What the demo is refined with (``--start-from``): the coarse stage once more, then tiles at a lower rate.

    Learning from tiles costs the global branch some of its coarse skill, which this gives back and then keeps by a
    low rate; puffs are on most of the days. Dropout is the paper's: after `small` the coarse error of training days is
    well below that of others.
    """
    return replace(
        small(),
        model=replace(get_preset("small"), drop_path=0.1, input_dropout=0.1),
        global_epochs=6,
        global_learning_rate=1e-3,
        global_lr_mult=0.1,
        token_steps=0,
        steps=600,
        warmup_steps=20,
        learning_rate=5e-4,
        coarse_weight=1.0,
        puff_share=0.6,
        seed=2,
    )


def tiny() -> Recipe:
    """Tests and notebooks: a small region, seconds to minutes."""
    return replace(
        small(),
        model=get_preset("tiny"),
        tile_size=256,
        days_per_step=2,
        tiles_per_day=4,
        steps=150,
        token_steps=40,
        calibration_steps=20,
        warmup_steps=10,
        average_decay=0.95,
    )


RECIPES = {"paper": paper, "paper-small": paper_small, "small": small, "refine": refine, "tiny": tiny}


def get_recipe(name: str) -> Recipe:
    """The recipe of that name.

    Parameters
    ----------
    name : str
        "paper", "small", "refine" or "tiny".

    Returns
    -------
    Recipe
        As shipped; `override` sets some of its fields.

    Raises
    ------
    ValueError
        Listing the known ones.
    """
    if name not in RECIPES:
        raise ValueError(
            f"Unknown recipe {name!r}; expected one of {', '.join(RECIPES)}, or a rival's such as rival-convlstm "
            "('cranpm train --help' lists them)."
        )
    return RECIPES[name]()
