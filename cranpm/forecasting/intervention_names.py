"""What can be changed in a forecast, by name: read by the dashboard's process too, so no torch here.

A *step* is a name and a number, such as ``("wind_turn", 180.0)``; a run's interventions are a tuple of them, done in
order. Wind and terrain steps take one of three forms after a slash: ``wind_turn/priors`` changes what scan, biases,
transport and height see, ``wind_turn/channels`` the input channels alone, ``wind_turn/both`` (the default) all of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

Steps = Mapping[str, float] | Iterable[tuple[str, float]]
"""Names and numbers, as a mapping or as pairs."""

FORMS = ("priors", "channels", "both")
"""Which way a changed field reaches the network: through its physical priors, its input channels, or both."""

HIDDEN_GROUPS: dict[str, tuple[str, ...]] = {
    "surface_wind": ("u10", "v10"),
    "t2m": ("t2m",),
    "sp": ("sp",),
    "tp": ("tp",),
    "t": ("t_",),
    "u": ("u_",),
    "v": ("v_",),
    "q": ("q_",),
    "z": ("z_",),
    "cams": ("pm2p5", "pm10", "no2", "o3", "co"),
}
"""Coarse channels that ``hide_<group>`` hides: names, or the beginning of the names of all levels."""

WITH_FORM: dict[str, str] = {
    "wind_turn": "turn the wind anticlockwise by so many degrees (180: reverse it)",
    "wind_scale": "multiply the wind (0: calm)",
    "wind_random": "turn the wind by an angle of its own in every block of 2 degrees; the number is the seed",
    "terrain_scale": "multiply elevation (0: everything at sea level)",
    "terrain_flatten": "move land towards its mean elevation (1: all of it there)",
    "terrain_scramble": "move blocks of 1 degree of terrain to other places; the number is the seed",
}
"""Steps that come in the three forms."""

PLAIN: dict[str, str] = {
    **{
        f"hide_{group}": f"move {group} (days t and t-1) to its mean (1: entirely)" for group in HIDDEN_GROUPS
    },
    "previous_day": "move day t-1 to day t, in all inputs (1: entirely)",
    "place_random": "give the rows and columns of tiles the latitude and longitude of others; the number is the seed",
}
"""Steps that change input channels only."""

SWITCHES: dict[str, str] = {
    "elevation_bias": "multiply the strength of the elevation bias (0: off)",
    "wind_bias": "multiply the strength of the wind bias (0: off)",
    "coarse_forecast": "multiply the coarse branch's own forecast, where it makes one (0: none)",
    "bridge_reach": "multiply the reach of the bridge, where it has one (0: no penalty on distance)",
    "transport": "multiply the length of the paths that air comes by (0: it stays where it is)",
    "height_damping": "multiply the strength of what keeps change from summits (0: off)",
    "scan_raster": "1: read groups row by row, whatever the wind",
    "bridge_off": "1: tiles read nothing of the continent through the bridge's attention",
}
"""Steps that change the network while it runs."""

SHARES = {name for name in PLAIN if name != "place_random"} | {"terrain_flatten", "scan_raster", "bridge_off"}
"""Steps whose number is a share from 0 to 1."""


_FACTORS = ("elevation_bias", "coarse_forecast", "bridge_reach", "height_damping")
"""Switches whose factor has no meaning below zero."""


class UnknownInterventionError(ValueError):
    """A step that nobody knows, in a form it does not have, or with a number that means nothing."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """One change: ``form`` is empty where there is only one."""

    name: str
    value: float
    form: str = ""

    @property
    def priors(self) -> bool:
        """Whether what the scan and the biases see is changed."""
        return self.form in ("priors", "both")

    @property
    def channels(self) -> bool:
        """Whether input channels are changed."""
        return self.form in ("channels", "both")


def parse_steps(steps: Iterable[tuple[str, float]]) -> tuple[Step, ...]:
    """Check steps and take their names apart.

    Raises
    ------
    UnknownInterventionError
        With what is known.

    Examples
    --------
    >>> parse_steps([("wind_turn/priors", 180), ("hide_cams", 1)])  # doctest: +NORMALIZE_WHITESPACE
    (Step(name='wind_turn', value=180.0, form='priors'), Step(name='hide_cams', value=1.0, form=''))
    """
    return tuple(_parse(str(name), float(value)) for name, value in steps)


def list_steps(steps: Steps) -> tuple[tuple[str, float], ...]:
    """Steps as people give them, checked.

    Raises
    ------
    UnknownInterventionError
        With what is known.
    TypeError
        For something that holds no names with numbers.

    Examples
    --------
    >>> list_steps({"wind_turn": 180})
    (('wind_turn', 180.0),)
    """
    try:
        pairs = steps.items() if isinstance(steps, Mapping) else steps
        found = tuple((str(name), float(value)) for name, value in pairs)
    except (TypeError, ValueError):
        raise TypeError(
            f"Interventions are names with numbers, such as {{'wind_turn': 180}}; got {steps!r}."
        ) from None
    parse_steps(found)
    return found


def steps_in_words(steps: Iterable[tuple[str, float]]) -> str:
    """For titles and attributes.

    Examples
    --------
    >>> steps_in_words([("wind_turn", 180.0), ("hide_cams", 1.0)])
    'wind_turn=180, hide_cams=1'
    """
    return ", ".join(f"{name}={value:g}" for name, value in steps)


def _parse(text: str, value: float) -> Step:
    name, slash, form = text.partition("/")
    if name not in WITH_FORM and name not in PLAIN and name not in SWITCHES:
        known = ", ".join([*(f"{n}[/{'|'.join(FORMS)}]" for n in WITH_FORM), *PLAIN, *SWITCHES])
        raise UnknownInterventionError(f"Unknown intervention {text!r}; expected one of {known}.")
    if slash and (name not in WITH_FORM or form not in FORMS):
        forms = f"the forms {', '.join(FORMS)}" if name in WITH_FORM else "no forms"
        raise UnknownInterventionError(f"Intervention {text!r}: {name!r} has {forms}, got {form!r}.")
    if value != value or abs(value) == float("inf") or (name in SHARES and not 0 <= value <= 1):
        wanted = "a share from 0 to 1" if name in SHARES else "a finite number"
        raise UnknownInterventionError(f"Intervention {text!r} needs {wanted}, got {value}.")
    if value < 0 and name in _FACTORS:
        raise UnknownInterventionError(f"Intervention {text!r} needs a factor of zero or more, got {value}.")
    return Step(name=name, value=value, form=(form or "both") if name in WITH_FORM else "")
