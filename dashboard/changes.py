"""What may be asked as "what if": the switches and sliders of the panel, and how they stand in a link.

A link carries the changes as ``wind_turn:90,hide_cams:1``: names of this table and numbers within its bounds, nothing
else. What each does is `cranpm.forecasting.intervention_names`'s business.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cranpm.forecasting.intervention_names import parse_steps

Steps = tuple[tuple[str, float], ...]
"""Names and numbers, in the order of the table."""


@dataclass(frozen=True, kw_only=True)
class Change:
    """One thing to change: a slider from ``low`` to ``high``, or a switch that sets ``low`` or ``high``.

    ``neutral`` is the value that changes nothing. ``needs`` names the part of the network without which the change
    would do nothing; empty for inputs.
    """

    name: str
    title: str
    group: str
    low: float
    high: float
    neutral: float
    step: float = 0.0
    units: str = ""
    needs: str = ""

    @property
    def is_switch(self) -> bool:
        """Whether there are two values only."""
        return not self.step

    @property
    def switched(self) -> float:
        """The value of a switch that is not neutral."""
        return self.high if self.neutral == self.low else self.low

    def words(self, value: float) -> str:
        """What a value means, for a title."""
        title = self.title if self.title.startswith("CAMS") else self.title[:1].lower() + self.title[1:]
        return title if self.is_switch else f"{title} {value:g}{self.units}"


def _off(name: str, title: str, needs: str) -> Change:
    return Change(name=name, title=title, group="Network", low=0, high=1, neutral=1, needs=needs)


def _on(name: str, title: str, group: str, needs: str = "") -> Change:
    return Change(name=name, title=title, group=group, low=0, high=1, neutral=0, needs=needs)


CHANGES: dict[str, Change] = {
    change.name: change
    for change in (
        Change(name="wind_turn", title="Wind turned by", group="Inputs", low=-180, high=180, neutral=0, step=15,
               units="°"),
        Change(name="wind_scale", title="Wind times", group="Inputs", low=0, high=3, neutral=1, step=0.25),
        Change(name="terrain_flatten", title="Terrain flattened by", group="Inputs", low=0, high=1, neutral=0,
               step=0.25),
        _on("hide_cams", "CAMS hidden", "Inputs"),
        _on("previous_day", "Day t−1 held at t", "Inputs"),
        _off("elevation_bias", "Elevation bias off", "elevation_bias"),
        _off("wind_bias", "Wind bias off", "wind_bias"),
        _on("scan_raster", "Wind scan off", "Network", "scan"),
        _on("bridge_off", "Bridge off", "Network", "fusion"),
        _off("bridge_reach", "Reach of the bridge off", "bridge_reach"),
        _off("transport", "Transport off", "transport"),
        _off("coarse_forecast", "Coarse forecast off", "coarse_forecast"),
        _off("height_damping", "Height damping off", "height_damping"),
    )
}  # fmt: skip
"""By name, in the order of the panel."""


def steps_of(values: Mapping[str, float]) -> Steps:
    """Changes that are not neutral, in the order of the table: the same question has the same steps.

    Raises
    ------
    ValueError
        For an unknown name, or a number beyond its bounds.
    """
    for name, value in values.items():
        if name not in CHANGES or not CHANGES[name].low <= value <= CHANGES[name].high:
            raise ValueError(f"{name}={value} is not among the changes that can be asked for.")
    steps = tuple(
        (name, float(values[name]))
        for name, change in CHANGES.items()
        if values.get(name, change.neutral) != change.neutral
    )
    parse_steps(steps)
    return steps


def write_steps(steps: Steps) -> str:
    """For a link.

    Examples
    --------
    >>> write_steps((("wind_turn", 90.0), ("hide_cams", 1.0)))
    'wind_turn:90,hide_cams:1'
    """
    return ",".join(f"{name}:{value:g}" for name, value in steps)


def read_steps(text: str) -> Steps:
    """Inverse of `write_steps`, for untrusted text.

    Raises
    ------
    ValueError
        For anything that this page would not write.
    """
    pairs = [part.split(":") for part in text.split(",") if part]
    if any(len(pair) != 2 for pair in pairs) or len({pair[0] for pair in pairs}) != len(pairs):
        raise ValueError("not a list of changes")
    return steps_of({name: float(value) for name, value in pairs})


def describe(steps: Steps) -> str:
    """In words, for the title.

    Examples
    --------
    >>> describe((("wind_turn", 90.0), ("hide_cams", 1.0)))
    'wind turned by 90°, CAMS hidden'
    """
    return ", ".join(CHANGES[name].words(value) for name, value in steps)
