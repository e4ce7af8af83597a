"""Every layer that the map can show: what it is called, which day it belongs to, what it is drawn from.

A layer's key stands in links and in tile addresses, so it is one of this table or nothing: forecast and what it is
compared with, baselines by name, and inputs as ``input.<field>.<day>`` with the day ``t``, ``t-1`` or ``change``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from cranpm.domain.channels import DAY_CHANNELS, LOCAL_CHANNELS

FINE = "fine_pm2p5"
"""PM2.5 at 1 km among the input fields: there is a coarse ``pm2p5`` of CAMS as well."""

INPUT_DAYS: dict[str, str] = {"t": "Day t", "t-1": "Day t−1", "change": "Change"}
"""Days of an input field, key to title; the change is day t minus day t-1."""


@dataclass(frozen=True, kw_only=True)
class Layer:
    """One layer.

    ``day`` says which day it is of: the init day, the day before it, or the valid day. ``field`` is an input's own name
    and empty for others; ``scale`` names its own colour scale and is empty where the reader chooses one for PM2.5.
    """

    key: str
    title: str
    help: str
    group: str
    day: Literal["init", "before", "valid"]
    needs_run: bool = False
    field: str = ""
    scale: str = ""

    @property
    def is_concentration(self) -> bool:
        """Whether it shows PM2.5 itself, on whose scale stations may be drawn."""
        return not self.scale

    @property
    def input_day(self) -> str:
        """``t``, ``t-1`` or ``change`` of an input; empty for a fixed field and for what is no input."""
        return self.key.rsplit(".", 1)[-1] if self.key.count(".") == 2 else ""


def _layer(
    key: str, title: str, help: str, group: str, day: Literal["init", "valid"], **more: object
) -> Layer:
    return Layer(key=key, title=title, help=help, group=group, day=day, **more)  # type: ignore[arg-type]


_MAIN = (
    _layer(
        "forecast", "Forecast", "What the network expects on the valid day", "Map", "valid", needs_run=True
    ),
    _layer("today", "Today", "The field on the init day, from which the forecast starts", "Map", "init"),
    _layer("target", "Target", "The GHAP-like field of the valid day", "Map", "valid"),
    _layer("change", "Change", "Forecast minus today", "Map", "valid", needs_run=True, scale="change"),
    _layer("error", "Error", "Forecast minus target", "Map", "valid", needs_run=True, scale="change"),
)

_BASELINES = "Baselines"
_RIVALS = (
    _layer("persistence", "Persistence", "Tomorrow like today", _BASELINES, "valid"),
    _layer("blurred", "Blurred persistence", "Today, smoothed over 3 km", _BASELINES, "valid"),
    _layer("climatology", "Climatology", "What is usual in the season, from training days", _BASELINES, "valid"),
    _layer("damped", "Damped persistence", "Today's departure from what is usual, fading", _BASELINES, "valid"),
    _layer("cams", "CAMS forecast", "The physical model's forecast, at its own 0.25°", _BASELINES, "valid"),
    _layer(
        "cams_on_today",
        "CAMS forecast on today's map",
        "Today's 1-km map plus the change that CAMS foretells",
        _BASELINES,
        "valid",
    ),
    _layer("cams_analysis", "CAMS analysis, persisted", "CAMS of the init day, at 0.25°", _BASELINES, "valid"),
)  # fmt: skip


_WHATIF = _layer(
    "whatif", "What if", "The forecast with changes, minus the forecast", "What if", "valid", needs_run=True,
    scale="whatif",
)  # fmt: skip

WHATIF_BESIDE = _layer(
    "whatif_forecast", "What if", "The forecast with the changes of the what-if", "What if", "valid", needs_run=True
)  # fmt: skip
"""What the network forecasts with the changes: only B shows it, so that A, B and B minus A are of one kind."""


def _input(field: str, title: str, group: str, scale: str, *, of_day: bool = True) -> list[Layer]:
    if not of_day:
        key = f"input.{field}"
        return [
            Layer(key=key, title=title, help="Fixed field", group=group, day="init", field=field, scale=scale)
        ]
    layers = []
    for day in INPUT_DAYS:
        change = day == "change"
        layers.append(
            Layer(
                key=f"input.{field}.{day}",
                title=f"{title}, day t minus t−1" if change else title,
                help="Day t minus the day before"
                if change
                else f"Input of the network, {INPUT_DAYS[day].lower()}",
                group=group,
                day="before" if day == "t-1" else "init",
                field=field,
                scale=("change" if field == FINE else f"{scale}.change") if change else scale,
            )
        )
    return layers


def _group_of(name: str, source: str) -> str:
    if source == "cams":
        return "Inputs: composition (CAMS)"
    return "Inputs: weather aloft (ERA5)" if "_" in name else "Inputs: weather (ERA5)"


def _first_large(text: str) -> str:
    return text[:1].upper() + text[1:]


_INPUTS = [
    *_input(FINE, "PM2.5 at 1 km", "Inputs: 1 km", ""),
    *(
        layer
        for channel in LOCAL_CHANNELS
        if channel.source == "static"
        for layer in _input(
            channel.name, _first_large(channel.long_name), "Inputs: 1 km", channel.name, of_day=False
        )
    ),
    *(
        layer
        for channel in DAY_CHANNELS
        for layer in _input(
            channel.name,
            _first_large(channel.long_name),
            _group_of(channel.name, channel.source),
            channel.name,
        )
    ),
]

LAYERS: dict[str, Layer] = {layer.key: layer for layer in (*_MAIN, *_RIVALS, _WHATIF, *_INPUTS)}
"""All layers by key."""

MAIN: tuple[str, ...] = tuple(layer.key for layer in _MAIN)
"""Those that have a button of their own."""


TILED: tuple[str, ...] = ("forecast", "change", "error")
"""Those in which the tiles of a forecast may leave a trace."""

BESIDE: dict[str, Layer] = {layer.key: layer for layer in (*_MAIN, *_RIVALS, WHATIF_BESIDE)}
"""Those that may stand beside the layer on the map, by key."""

DIFFERENCE = _layer("difference", "Difference", "B minus A", "Compare", "valid", scale="change")
"""What two maps differ by. It is no layer that a link may name: the two maps are."""


def layer_of(key: str) -> Layer:
    """A layer by its key."""
    return LAYERS.get(key) or BESIDE[key]
