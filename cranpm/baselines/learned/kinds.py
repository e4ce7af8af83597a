"""The learned rivals by name: what each is made of, and in which sizes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from cranpm._json import JsonObject
from cranpm.baselines.learned import climax, convlstm, earthformer, simvp, topoflow
from cranpm.baselines.learned.blocks import Rival


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One architecture."""

    title: str
    """As tables name it."""
    network: Callable[[Any], Rival]
    sizes: Mapping[str, Any]
    """"paper": the parameters of the CRAN-PM paper's Table 1; "small": trains on two cores; "tiny": for tests."""

    @property
    def config(self) -> type:
        """The dataclass of its fields."""
        return type(self.sizes["paper"])


KINDS: dict[str, Kind] = {
    "convlstm": Kind(title="ConvLSTM", network=convlstm.ConvLSTM, sizes=convlstm.SIZES),
    "simvp": Kind(title="SimVP", network=simvp.SimVP, sizes=simvp.SIZES),
    "earthformer": Kind(title="Earthformer", network=earthformer.Earthformer, sizes=earthformer.SIZES),
    "climax": Kind(title="ClimaX", network=climax.ClimaX, sizes=climax.SIZES),
    "topoflow": Kind(title="TopoFlow", network=topoflow.TopoFlow, sizes=topoflow.SIZES),
}
"""In the order of the paper's tables."""


@dataclass(frozen=True, kw_only=True)
class RivalConfig:
    """A learned rival: which one, and how large."""

    kind: str
    size: str
    """Which preset this started from; for people."""
    network: Any
    """The architecture's own fields."""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"Unknown rival {self.kind!r}; expected one of {', '.join(KINDS)}.")
        if not isinstance(self.network, KINDS[self.kind].config):
            raise ValueError(f"A {self.kind} needs fields of {KINDS[self.kind].config.__name__}.")

    @property
    def title(self) -> str:
        """As tables name it."""
        return KINDS[self.kind].title

    def build(self) -> Rival:
        """A network with weights drawn from torch's generator; untrained it is persistence."""
        return KINDS[self.kind].network(self.network)

    def to_dict(self) -> JsonObject:
        """Plain values, for JSON."""
        return {"kind": self.kind, "size": self.size, "network": dataclasses.asdict(self.network)}

    @classmethod
    def from_dict(cls, values: JsonObject) -> RivalConfig:
        """Inverse of `to_dict`.

        Raises
        ------
        ValueError
            If the kind, or a field of it, is not known.
        """
        kind = values.get("kind")
        if kind not in KINDS:
            raise ValueError(f"Unknown rival {kind!r}; expected one of {', '.join(KINDS)}. Update cranpm.")
        known = {f.name for f in dataclasses.fields(KINDS[kind].config)}
        unknown = sorted(set(values["network"]) - known)
        if unknown:
            raise ValueError(f"Unknown field(s) {', '.join(unknown)} of a {kind}; update cranpm.")
        return cls(kind=kind, size=str(values["size"]), network=KINDS[kind].config(**values["network"]))


def get_rival(kind: str, size: str = "small") -> RivalConfig:
    """A learned rival in one of its sizes.

    Examples
    --------
    >>> get_rival("convlstm", "paper").network.hidden
    128
    """
    if kind not in KINDS:
        raise ValueError(f"Unknown rival {kind!r}; expected one of {', '.join(KINDS)}.")
    if size not in KINDS[kind].sizes:
        raise ValueError(f"Unknown size {size!r}; expected one of {', '.join(KINDS[kind].sizes)}.")
    return RivalConfig(kind=kind, size=size, network=KINDS[kind].sizes[size])
