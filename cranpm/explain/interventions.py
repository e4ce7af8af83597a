"""The interventions of the physics battery by name: what is done, in which form, in which steps.

Flipping channels would hurt any network, physical or not; the claim that a prior acts rests on the form "priors", in
which the input channels stay bit for bit (`cranpm.forecasting.interventions` does the steps).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from cranpm.forecasting.intervention_names import FORMS, HIDDEN_GROUPS, parse_steps

SEED = 20260101
"""Of every intervention that draws something."""


@dataclass(frozen=True, kw_only=True)
class Intervention:
    """One named what-if.

    ``form`` is "priors", "channels" or "both"; "network" where the network is switched, not its inputs. ``regional``
    says that it matters near barriers most.
    """

    name: str
    form: str
    steps: tuple[tuple[str, float], ...]
    regional: bool = False

    def __post_init__(self) -> None:
        parse_steps(self.steps)

    @property
    def label(self) -> str:
        """Name and form, such as "wind flip, priors"."""
        return f"{self.name}, {self.form}"


_WIND = {
    "wind zero": ("wind_scale", 0.0),
    "wind flip": ("wind_turn", 180.0),
    "wind rotate 90": ("wind_turn", 90.0),
    "wind random": ("wind_random", float(SEED)),
}
_TERRAIN = {
    "terrain zero": ("terrain_scale", 0.0),
    "terrain flatten": ("terrain_flatten", 1.0),
    "terrain scrambled": ("terrain_scramble", float(SEED)),
}
_SWITCHED = {
    "elevation bias off": (("elevation_bias", 0.0),),
    "wind bias off": (("wind_bias", 0.0),),
    "scan raster": (("scan_raster", 1.0),),
    "transport off": (("transport", 0.0),),
    "height damping off": (("height_damping", 0.0),),
    "bridge off": (("bridge_off", 1.0),),
    "all priors off": (
        ("elevation_bias", 0.0),
        ("wind_bias", 0.0),
        ("scan_raster", 1.0),
        ("transport", 0.0),
        ("height_damping", 0.0),
    ),
}
_OF_TERRAIN = ("elevation_bias", "height_damping")


def _in_three_forms(steps: dict[str, tuple[str, float]], regional: bool) -> list[Intervention]:
    return [
        Intervention(name=name, form=form, steps=((f"{step}/{form}", value),), regional=regional)
        for name, (step, value) in steps.items()
        for form in FORMS
    ]


def _groups() -> list[Intervention]:
    return [
        Intervention(
            name="CAMS zero" if group == "cams" else f"{group.replace('_', ' ')} zero",
            form="channels",
            steps=((f"hide_{group}", 1.0),),
        )
        for group in ("cams", *(g for g in HIDDEN_GROUPS if g != "cams"))
    ]


CATALOGUE: tuple[Intervention, ...] = (
    *_in_three_forms(_WIND, regional=False),
    *_in_three_forms(_TERRAIN, regional=True),
    *_groups(),
    Intervention(
        name="all coarse channels zero",
        form="channels",
        steps=tuple((f"hide_{g}", 1.0) for g in HIDDEN_GROUPS),
    ),
    Intervention(name="t-1 := t", form="channels", steps=(("previous_day", 1.0),)),
    Intervention(name="latitude, longitude random", form="channels", steps=(("place_random", float(SEED)),)),
    *(
        Intervention(name=name, form="network", steps=steps, regional=steps[0][0] in _OF_TERRAIN)
        for name, steps in _SWITCHED.items()
    ),
)
"""All of the battery, in the order of its table. "Zero" of channels is their normalised mean; of wind, calm."""


def select(names: Iterable[str]) -> tuple[Intervention, ...]:
    """Interventions by name ("wind flip", all forms) or label ("wind flip, priors").

    Parameters
    ----------
    names : iterable of str
        Names and labels of `CATALOGUE`.

    Returns
    -------
    tuple of Intervention
        In the order of the names, each once.

    Raises
    ------
    LookupError
        With the known names.
    """
    chosen: list[Intervention] = []
    for wanted in names:
        found = [i for i in CATALOGUE if wanted in (i.name, i.label)]
        if not found:
            known = ", ".join(dict.fromkeys(i.name for i in CATALOGUE))
            raise LookupError(f"No intervention called {wanted!r}; expected one of {known}.")
        chosen += [i for i in found if i not in chosen]
    return tuple(chosen)
