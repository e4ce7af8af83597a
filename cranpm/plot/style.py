"""Colour scales: how a value becomes a colour, in tiles, circles, legends and figures alike."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Literal

import colorcet
import numpy as np
import numpy.typing as npt

from cranpm.domain.eaqi import EAQI_CLASSES, EAQI_NOTE, NO_DATA_COLOUR, eaqi_class

UNITS = "µg/m³"
INK = "#243444"
LINE = "#0b6180"
"""Curves and intervals of our own forecast."""

NUM_COLOURS = 253
"""Colours of a continuous scale; "no value" and two colours of bare land fill the 256 entries of a palette picture."""

LAND_INDEX, HATCH_INDEX = 254, 255
"""Palette entries for land without a value and for the hatching on it."""


def _sampled(names: list[str] | tuple[str, ...]) -> tuple[str, ...]:
    """A colour list resampled to :data:`NUM_COLOURS` entries."""
    index = np.round(np.linspace(0, len(names) - 1, NUM_COLOURS)).astype(int)
    return tuple(names[i] for i in index)


@dataclass(frozen=True, kw_only=True)
class ColourScale:
    """A mapping from values to a palette.

    Parameters
    ----------
    name : str
        Key in :data:`SCALES` and in tile addresses.
    title, units : str
        Shown beside the legend.
    kind : {"continuous", "diverging", "classes"}
    low, high : float
        Values at the ends of the palette; values beyond take the end colour.
    colours : tuple of str
        Hex colours from low to high.
    ticks : tuple of float
        Values to label.
    gamma : float
        Position on the palette is ``((v - low) / (high - low)) ** gamma``; below 1 it spends more colours on low
        values, where most of Europe is.
    note : str
        A sentence for the legend.
    """

    name: str
    title: str
    units: str = UNITS
    kind: Literal["continuous", "diverging", "classes"]
    low: float
    high: float
    colours: tuple[str, ...] = field(repr=False)
    ticks: tuple[float, ...]
    gamma: float = 1.0
    note: str = ""

    def position(self, values: npt.ArrayLike) -> np.ndarray:
        """Position on the palette in 0..1, NaN where there is no value."""
        share = np.clip((np.asarray(values, dtype=np.float32) - self.low) / (self.high - self.low), 0.0, 1.0)
        return share if self.gamma == 1.0 else share**self.gamma

    @property
    def even_colours(self) -> list[str]:
        """Colours of evenly spaced values, for plots that know no gamma."""
        last = len(self.colours) - 1
        return [self.colours[round((i / last) ** self.gamma * last)] for i in range(last + 1)]

    def index(self, values: npt.ArrayLike) -> np.ndarray:
        """Palette index: 0 where there is no value, else 1..len(colours); uint8, shape of ``values``."""
        if self.kind == "classes":
            return eaqi_class(values)
        position = self.position(values)
        valid = np.isfinite(np.asarray(values, dtype=np.float32))
        scaled = np.where(valid, position, 0.0) * (len(self.colours) - 1) + 1.5
        return np.where(valid, scaled, 0).astype(np.uint8)

    def colours_of(self, values: npt.ArrayLike) -> list[str]:
        """Hex colour of each value of a sequence; grey where there is none."""
        palette = (NO_DATA_COLOUR, *self.colours)
        return [palette[i] for i in np.atleast_1d(self.index(values))]

    def palette(self, land: tuple[str, str] = ("#dfe3e6", "#c9ced3")) -> bytes:
        """768 bytes of RGB for a palette picture; entry 0 is transparent there, ``land`` is plain land and hatching."""
        entries = [NO_DATA_COLOUR, *self.colours]
        entries += [NO_DATA_COLOUR] * (LAND_INDEX - len(entries)) + [*land]
        return b"".join(bytes.fromhex(colour.lstrip("#")[:6]) for colour in entries)


_BALANCE = _sampled(colorcet.CET_D1A)


def _continuous(name: str, colours: Any) -> ColourScale:
    return ColourScale(
        name=name,
        title="PM2.5, 24-h mean",
        kind="continuous",
        low=0.0,
        high=60.0,
        colours=_sampled(colours),
        ticks=(0, 5, 10, 15, 25, 40, 60),
        gamma=0.6,
    )


def _viridis() -> tuple[str, ...]:
    from bokeh.palettes import viridis

    return tuple(viridis(NUM_COLOURS))


SCALES: dict[str, ColourScale] = {
    "continuous": _continuous("continuous", _viridis()),
    "eaqi": ColourScale(
        name="eaqi",
        title="PM2.5, 24-h mean, EAQI classes",
        kind="classes",
        low=0.0,
        high=140.0,
        colours=tuple(item.colour for item in EAQI_CLASSES),
        ticks=tuple(float(item.low) for item in EAQI_CLASSES),
        note=EAQI_NOTE,
    ),
    "change": ColourScale(
        name="change",
        title="Change of PM2.5",
        kind="diverging",
        low=-15.0,
        high=15.0,
        colours=_BALANCE,
        ticks=(-15, -10, -5, 0, 5, 10, 15),
    ),
    "whatif": ColourScale(
        name="whatif",
        title="What if, minus forecast",
        kind="diverging",
        low=-5.0,
        high=5.0,
        colours=_BALANCE,
        ticks=(-5, -2.5, 0, 2.5, 5),
    ),
}
"""The scales of the map: PM2.5 continuous, PM2.5 in index classes, and signed differences."""
_DIFFERENCES = {
    "change": SCALES["change"],
    "error": replace(SCALES["change"], title="Forecast minus target"),
    "whatif": SCALES["whatif"],
    "difference": replace(SCALES["change"], title="Difference, B minus A"),
}
"""By layer: these have no index classes."""


def scale_for(layer: str, scale: str) -> ColourScale:
    """The colour scale of a layer: differences are diverging, concentrations follow the reader's choice."""
    return _DIFFERENCES.get(layer, SCALES["eaqi" if scale == "eaqi" else "continuous"])


def round_up(value: float) -> float:
    """The next number of 1, 2, 2.5, 5 or 10 times a power of ten, for the end of a scale.

    Examples
    --------
    >>> round_up(0.31), round_up(2.5), round_up(61.0)
    (0.5, 2.5, 100.0)
    """
    power = 10.0 ** np.floor(np.log10(value))
    return float(next(step * power for step in (1, 2, 2.5, 5, 10) if step * power >= value * (1 - 1e-9)))


GROUNDS: dict[bool, dict[str, str]] = {
    False: {"ground": "#ffffff", "ink": "#17222c", "soft": "#56646f", "rule": "#dde3e8"},
    True: {"ground": "#161e26", "ink": "#e9eff4", "soft": "#9fb0bd", "rule": "#3a4855"},
}
"""Paper, text, quiet text and rules of charts on a light (False) and a dark ground (True)."""


def ground_options(*, dark: bool) -> dict[str, object]:
    """HoloViews ``backend_opts`` that make a chart's text and rules legible on its ground."""
    colours = GROUNDS[dark]
    options: dict[str, object] = {
        "plot.background_fill_alpha": 0,
        "plot.border_fill_alpha": 0,
        "plot.outline_line_color": colours["rule"],
    }
    for axis in ("xaxis", "yaxis"):
        options |= {
            f"{axis}.axis_label_text_color": colours["ink"],
            f"{axis}.major_label_text_color": colours["soft"],
            f"{axis}.axis_line_color": colours["soft"],
            f"{axis}.major_tick_line_color": colours["soft"],
            f"{axis}.minor_tick_line_color": colours["soft"],
        }
    for grid in ("xgrid", "ygrid"):
        options[f"{grid}.grid_line_color"] = colours["rule"]
    return options
