"""The drawer's tab “Where does this place look?”: what is drawn on the map, in numbers and words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import panel as pn
import panel_material_ui as pmui

from cranpm.domain.grid import KM_PER_DEGREE
from cranpm.plot.overlays.shapes import shown_layer

from ...data.forecasts import Forecasts
from ...data.pictures import Picture
from ...data.trust import CAVEAT
from ...markup import Html, Markup, without_paths
from ...state import MARKS, OVERLAYS, State
from ...theme import SOFT
from ..controls import heading
from .reader import FootprintReader, Look
from .trust import TrustView

if TYPE_CHECKING:
    from cranpm.forecasting.attention import Footprint

COMPASS = ("north", "north-east", "east", "south-east", "south", "south-west", "west", "north-west")

_TEXT = Markup(f"<div class='cranpm-attention' style='font-size:12px;line-height:1.5;{SOFT}'>{{}}{{}}</div>")
_PROVENANCE = Markup(
    "<br><br>These are the tensors of run <code>{run}</code>, the one on the map ({checkpoint}, T+{lead}). "
    "<b>{caveat}</b>"
)
_SMALL = {"& .MuiToggleButton-root": {"paddingX": "5px", "paddingY": "4px", "fontSize": "12px"}}


class AttentionView:
    """The tab's contents.

    Parameters
    ----------
    state : State
        Holds what is drawn.
    reader : FootprintReader
    forecasts : Forecasts
        Whom to ask how far the picture can be trusted.
    """

    def __init__(self, state: State, reader: FootprintReader, forecasts: Forecasts) -> None:
        self._state, self._reader = state, reader
        self._picture: Picture | None = None
        self._opened = self._settling = False
        self.on = pmui.Switch(label="Draw on the map", value=bool(state.overlay), margin=(8, 14, 0, 14))
        self.what = pmui.RadioButtonGroup(
            options={title: key for key, title in OVERLAYS.items() if key},
            value=state.overlay or "attention",
            size="small",
            sizing_mode="stretch_width",
            margin=(6, 14, 4, 14),
            sx=_SMALL,
        )
        self.layer = pmui.Select(label="Layer", options={"mean": -1}, value=-1, size="small", width=110)
        self.head = pmui.Select(label="Head", options={"mean": -1}, value=-1, size="small", width=110)
        self.opacity = pmui.FloatSlider.from_param(
            state.param.opacity, label="Opacity", description="", step=0.05, size="small", width=130,
            margin=(6, 10, 0, 16),
        )  # fmt: skip
        self.marks = pmui.CheckButtonGroup.from_param(
            state.param.marks,
            label="",
            description="",
            options={title: key for key, title in MARKS.items()},
            size="small",
            sizing_mode="stretch_width",
            margin=(6, 14, 4, 14),
            sx=_SMALL,
        )
        self.text = Html("", sizing_mode="stretch_width", margin=(8, 16, 10, 16))
        self.trust = TrustView(state, forecasts)
        self.bridge = pn.Row(self.layer, self.head, margin=(4, 4, 0, 4))
        self.root = pn.Column(
            self.on, self.what, pn.Row(self.bridge, self.opacity, margin=0), heading("Also"), self.marks, self.text,
            self.trust.root,
            sizing_mode="stretch_width", margin=0,
        )  # fmt: skip
        for widget in (self.on, self.what, self.layer, self.head):
            widget.param.watch(lambda _event: self._choose(), "value")
        state.param.watch(lambda _event: self._follow(), ["overlay", "bridge_layer", "bridge_head"])
        reader.listeners.append(self._told)

    def show(self, picture: Picture) -> None:
        """Write what is known of a picture's place; the first look at this tab draws it on the map."""
        self._picture = picture
        if not self._opened:
            self._opened = True
            if not self._state.overlay:
                self._state.overlay = "attention"
        self._reader.ask(picture)
        self._told(self._reader.look)

    def _choose(self) -> None:
        if not self._settling:
            self._state.param.update(
                overlay=self.what.value if self.on.value else "",
                bridge_layer=int(self.layer.value),
                bridge_head=int(self.head.value),
            )
            self._told(self._reader.look)

    def _follow(self) -> None:
        self._settling = True
        self.on.value = bool(self._state.overlay)
        if self._state.overlay:
            self.what.value = self._state.overlay
        for widget, value in ((self.layer, self._state.bridge_layer), (self.head, self._state.bridge_head)):
            if value in widget.options.values():
                widget.value = value
        self._settling = False

    def _told(self, look: Look) -> None:
        if self._picture is None:  # nobody has looked at this tab yet
            return
        footprint, what = look.footprint, str(self.what.value)
        self.trust.show(look, dark=bool(self._picture.state.dark))
        self.bridge.visible = what in ("attention", "wind_bias")
        if footprint is None:
            self._say(look.message, look, provenance=False)
            return
        layers, heads = footprint["attention"].shape[:2]
        self._settling = True
        self.layer.options = {"mean": -1} | {str(i + 1): i for i in range(layers)}
        self.head.options = {"mean": -1} | {str(i + 1): i for i in range(heads)}
        self._settling = False
        self._follow()
        self._say(_words(footprint, what, int(self.layer.value), int(self.head.value)), look)

    def _say(self, text: str, look: Look, *, provenance: bool = True) -> None:
        """Sentences, and whose tensors they are about."""
        whose: str | Markup = ""
        if provenance and look.picture is not None and look.picture.run is not None:
            state = look.picture.state
            whose = _PROVENANCE.format(
                run=look.picture.run.id, checkpoint=state.checkpoint, lead=state.lead_time, caveat=CAVEAT
            )
        self.text.object = _TEXT.format(without_paths(text), whose)


def _words(footprint: Footprint, what: str, layer: int, head: int) -> str:
    if what == "elevation_bias":
        if footprint.get("elevation_bias") is None:
            return "This network has no elevation bias."
        alpha = footprint.get("alpha")
        strength = f" Learned strength α = {alpha:.2f}." if alpha is not None else ""
        return (
            "What higher ground costs inside this tile: 0 for keys no higher than the place, negative above it."
            + strength
        )
    if what == "height_damping":
        damping = footprint.get("height_damping")
        if damping is None:
            return "This network has no height damping, or the run is older than its record."
        left = _range(damping)
        return (
            f"Share of the predicted change that height above the region leaves, in this tile: {left}. "
            "Summits stand above the air that fills the valleys."
        )
    shown = shown_layer(footprint, "attention", layer, head) if what == "attention" else None
    return _sentence(footprint, None if shown is None else shown.values)


def _range(values: np.ndarray) -> str:
    return f"{float(np.nanmin(values)):.0%} to {float(np.nanmax(values)):.0%}".replace("%", " %")


def _sentence(footprint: Footprint, attention: np.ndarray | None) -> str:
    u, v = (float(part) for part in footprint["wind"])
    speed = float(np.hypot(u, v))
    where_from = COMPASS[round(float(np.degrees(np.arctan2(-u, -v))) / 45) % 8]
    wind = "The air is calm here." if speed < 0.1 else f"Wind here: {speed:.1f} m/s from the {where_from}."
    if attention is None:
        return (
            f"{wind} Tokens upwind are favoured, tokens downwind are not; added to the logits of every head."
        )
    ordered = np.sort(attention[np.isfinite(attention)])[::-1]
    half = int(np.searchsorted(np.cumsum(ordered), 0.5 * ordered.sum())) + 1
    valid = footprint.get("valid")
    number = (
        ordered.size if valid is None else int(np.sum(valid))
    )  # none lies on the padding beyond the domain
    patches = f"Half of the attention lies on {half} of {number} coarse patches (2° each)."
    return f"{wind} {patches}{_way(footprint.get('path'))}"


def _way(path: np.ndarray | None) -> str:
    """Where the air comes from by the run's own transport, in words; nothing where there is none."""
    if path is None or len(path) < 2:
        return ""
    (_, lat, lon), (age, from_lat, from_lon) = path[0], path[-1]
    north = (from_lat - lat) * KM_PER_DEGREE
    east = (from_lon - lon) * KM_PER_DEGREE * np.cos(np.radians(lat))
    distance = float(np.hypot(north, east))
    if distance < 20:
        return f" The air has hardly moved in the {age:.0f} hours before."
    side = COMPASS[round(float(np.degrees(np.arctan2(east, north))) / 45) % 8]
    way = f"{age:.0f} h before it was {distance:.0f} km to the {side}"
    return f" The blue line is the air's way by the run's own transport: {way}."
