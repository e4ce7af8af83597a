"""“Where does this place look?” on the map: follows the state, draws what the run recorded, with a legend."""

from __future__ import annotations

from collections.abc import Callable

from cranpm.plot.overlays.shapes import Shown, shown_layer

from ...data.pictures import Picture
from ...markup import Markup
from ...state import State
from ..legend import bar_html
from .layers import OverlayLayers
from .reader import FootprintReader

NOTES: dict[str, str] = {
    "attention": "What the network read, not where the particles came from.",
    "wind_bias": "Added to the attention's logits: tokens upwind attract.",
    "elevation_bias": "Added to the attention's logits inside the tile: higher ground costs.",
    "height_damping": "Inside the tile: summits follow less of what their region does.",
}
"""Under the bar, by what is drawn."""

PARAMETERS = ["overlay", "marks", "bridge_layer", "bridge_head", "opacity"]


class Overlay:
    """The overlay of one page.

    Parameters
    ----------
    state : State
    layers : OverlayLayers
        On the map.
    reader : FootprintReader
    on_legend : callable
        Called when `legend` has changed.
    """

    def __init__(
        self, state: State, layers: OverlayLayers, reader: FootprintReader, *, on_legend: Callable[[], None]
    ) -> None:
        self._state, self._layers, self._reader, self._on_legend = state, layers, reader, on_legend
        self._picture: Picture | None = None
        self.legend: str | Markup = ""
        reader.listeners.append(lambda _look: self._draw())
        state.param.watch(lambda _event: self._follow(), PARAMETERS)

    def show(self, picture: Picture) -> None:
        """Draw the footprint of a picture's place, if the state asks for one."""
        self._picture = picture
        self._follow()

    def _follow(self) -> None:
        if self._state.overlay and self._picture is not None and self._picture.place is not None:
            self._reader.ask(self._picture)
        self._draw()

    def _draw(self) -> None:
        state, look, picture = self._state, self._reader.look, self._picture
        placed = picture is not None and picture.place is not None
        footprint = look.footprint if placed and state.overlay else None
        shown: Shown | None = None
        if footprint is not None:
            shown = shown_layer(footprint, state.overlay, int(state.bridge_layer), int(state.bridge_head))
        self._layers.draw(state, footprint, look.wind, shown)
        legend = "" if shown is None else bar_html(shown.scale, NOTES[state.overlay])
        if legend != self.legend:
            self.legend = legend
            self._on_legend()
