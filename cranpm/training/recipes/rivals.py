"""Recipes of the learned rivals, and of least squares: what decides their training besides the data."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields

from cranpm._json import JsonObject
from cranpm.baselines.learned.kinds import KINDS, RivalConfig, get_rival
from cranpm.domain import LEAD_DAYS
from cranpm.domain.splits import Splits
from cranpm.training.recipes.recipes import PRECISIONS

PREFIX = "rival-"
LEAST_SQUARES = "rival-least-squares"


@dataclass(frozen=True, kw_only=True)
class RivalRecipe:
    """The training of a network at 25 km; the same for all of them but for the number of steps."""

    rival: RivalConfig
    splits: Splits = field(default_factory=Splits)
    leads: tuple[int, ...] = LEAD_DAYS
    days_per_step: int = 2
    """Init days in one optimiser step; each is a whole map of nodes and all lead times."""
    steps: int = 2_000
    cpu_minutes: float | None = None
    """Budget of the training steps; where it is given, ``steps`` is what it pays for, by steps timed at the start."""
    warmup_share: float = 0.05
    """Share of the steps in which the learning rate rises; then it falls along a cosine."""
    learning_rate: float = 1e-3
    min_lr: float = 1e-5
    weight_decay: float = 0.05
    gradient_clip: float = 1.0
    """Largest norm of a step's gradient; 0 for no limit."""
    patience: int = 10
    """Validations in a row without a lower error that end the run; 0 for no such end. The best weights are kept."""
    max_skipped_steps: int = 5
    """Steps in a row that may be left out because their loss or gradient is not finite; one more ends the run."""
    precision: str = "32-true"
    seed: int = 1

    def __post_init__(self) -> None:
        if self.precision not in PRECISIONS:
            raise ValueError(
                f"RivalRecipe.precision is {self.precision!r}; expected one of {', '.join(PRECISIONS)}."
            )
        for name in ("days_per_step", "steps"):
            if getattr(self, name) < 1:
                raise ValueError(f"RivalRecipe.{name} is {getattr(self, name)}; expected at least 1.")
        for name in ("min_lr", "weight_decay", "gradient_clip", "patience", "max_skipped_steps"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"RivalRecipe.{name} is {getattr(self, name)}; expected 0 or more.")
        if not self.learning_rate > 0:
            raise ValueError(f"RivalRecipe.learning_rate is {self.learning_rate}; expected more than 0.")
        if self.cpu_minutes is not None and not self.cpu_minutes > 0:
            raise ValueError(
                f"RivalRecipe.cpu_minutes is {self.cpu_minutes}; expected more than 0, or None to give steps."
            )
        if not 0 <= self.warmup_share <= 1:
            raise ValueError(f"RivalRecipe.warmup_share is {self.warmup_share}; expected 0..1.")
        if len(self.leads) != self.rival.network.leads or not set(self.leads) <= set(LEAD_DAYS):
            raise ValueError(
                f"RivalRecipe.leads is {self.leads}; expected {self.rival.network.leads} of {LEAD_DAYS} days, one for "
                "each output of the network (rival.network.leads)."
            )

    @property
    def warmup_steps(self) -> int:
        """Steps of rising learning rate."""
        return round(self.warmup_share * self.steps)

    @property
    def puff_share(self) -> float:
        """None: rivals see days as they are."""
        return 0.0

    def to_dict(self) -> JsonObject:
        """Plain values, for JSON."""
        return asdict(self) | {"rival": self.rival.to_dict()}

    @classmethod
    def from_dict(cls, values: JsonObject) -> RivalRecipe:
        """Inverse of `to_dict`, also after JSON; an unknown field is refused."""
        unknown = sorted(set(values) - {f.name for f in fields(cls)})
        if unknown:
            raise ValueError(
                f"Unknown recipe field(s) {', '.join(unknown)}. Update cranpm, or check the spelling."
            )
        values = dict(values, rival=RivalConfig.from_dict(values["rival"]))
        values["splits"] = Splits(**{name: tuple(days) for name, days in values["splits"].items()})
        values["leads"] = tuple(int(lead) for lead in values["leads"])
        return cls(**values)


@dataclass(frozen=True, kw_only=True)
class LeastSquaresRecipe:
    """The fit of `cranpm.baselines.least_squares`."""

    splits: Splits = field(default_factory=Splits)
    leads: tuple[int, ...] = LEAD_DAYS
    days: int = 120
    """At most so many training days, in runs spread over the training split."""
    stride: int = 6
    """Every so many-th row and column of the fine grid is fitted on."""

    def __post_init__(self) -> None:
        for name in ("days", "stride"):
            if getattr(self, name) < 1:
                raise ValueError(f"LeastSquaresRecipe.{name} is {getattr(self, name)}; expected at least 1.")
        if not self.leads or not set(self.leads) <= set(LEAD_DAYS):
            raise ValueError(f"LeastSquaresRecipe.leads is {self.leads}; expected some of {LEAD_DAYS} days.")

    @property
    def puff_share(self) -> float:
        """None."""
        return 0.0


STEPS = {"convlstm": 900, "simvp": 3_100, "earthformer": 1_900, "climax": 2_900, "topoflow": 8_000}
"""Of the small sizes: each is about an hour of one CPU core on the grid of Europe, so that all cost alike."""


def rival_recipe(kind: str, size: str = "small") -> RivalRecipe:
    """The recipe of a rival in one of its sizes.

    Examples
    --------
    >>> rival_recipe("simvp").steps
    3100
    """
    rival = get_rival(kind, size)
    if size == "paper":
        return RivalRecipe(
            rival=rival, days_per_step=8, steps=5_000, learning_rate=2e-4, precision="bf16-mixed"
        )
    return RivalRecipe(rival=rival, steps=STEPS[kind] if size == "small" else 100)


def list_rival_recipes() -> list[str]:
    """Names that ``cranpm train --recipe`` knows besides those of CRAN-PM's own recipes."""
    sized = [f"{PREFIX}{kind}{end}" for kind in KINDS for end in ("", "-paper", "-tiny")]
    return [*sized, LEAST_SQUARES]


def get_rival_recipe(name: str) -> RivalRecipe | LeastSquaresRecipe:
    """The recipe of that name, such as ``rival-convlstm`` or ``rival-convlstm-paper``.

    Raises
    ------
    ValueError
        Naming the known ones.
    """
    if name not in list_rival_recipes():
        raise ValueError(f"Unknown recipe {name!r}; expected one of {', '.join(list_rival_recipes())}.")
    if name == LEAST_SQUARES:
        return LeastSquaresRecipe()
    kind, _, size = name.removeprefix(PREFIX).partition("-")
    return rival_recipe(kind, size or "small")
