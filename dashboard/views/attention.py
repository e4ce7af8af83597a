"""“Where does this place look?”: attention, wind bias and elevation bias of the very run on the map."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import numpy as np
import panel as pn
import panel_material_ui as pmui
import xarray as xr

from cranpm.domain.grid import KM_PER_DEGREE
from cranpm.plot.attention import footprint_field, footprint_map, footprint_mesh, outline_path, wind_arrows

from ..background import Latest
from ..data.outlines import OutlinesMissingError, outline
from ..data.pictures import Picture
from ..data.store import Store
from ..markup import Html, Markup, without_paths
from ..theme import SOFT

if TYPE_CHECKING:
    import holoviews as hv

log = logging.getLogger(__name__)

WIDTH = 400
LAYERS = {"Attention": "attention", "Wind bias": "wind_bias", "Elevation bias": "elevation_bias"}
COMPASS = ("north", "north-east", "east", "south-east", "south", "south-west", "west", "north-west")
TOKEN_NODES = 8  # a coarse token is a patch of 8 x 8 nodes

CAVEAT = "Attention is not source apportionment: it shows what the network read, not where the particles came from."


_TEXT = Markup(f"<div class='cranpm-attention' style='font-size:12px;line-height:1.5;{SOFT}'>{{}}{{}}</div>")
_PROVENANCE = Markup(
    "<br><br>These are the tensors of run <code>{run}</code>, the one on the map ({checkpoint}, T+{lead}). "
    "<b>{caveat}</b>"
)


class AttentionView:
    """The tab's contents."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._questions = Latest(pn.state.curdoc)
        self._picture: Picture | None = None
        self._asked: tuple[Any, ...] = ()
        self._footprint: dict[str, Any] | None = None
        self._wind = np.zeros((2, 0, 0), np.float32)
        self.what = pmui.RadioButtonGroup(
            options=LAYERS,
            value="attention",
            size="small",
            sizing_mode="stretch_width",
            margin=(10, 14, 4, 14),
        )
        self.layer = pmui.Select(
            label="Layer", options={"mean": -1}, value=-1, size="small", width=120, margin=(8, 4, 0, 14)
        )
        self.head = pmui.Select(
            label="Head", options={"mean": -1}, value=-1, size="small", width=120, margin=(8, 4, 0, 4)
        )
        for widget in (self.what, self.layer, self.head):
            widget.param.watch(lambda _event: self._draw(), "value")
        self.figure = pn.pane.HoloViews(margin=(6, 6, 0, 8), sizing_mode="fixed")
        self.text = Html("", sizing_mode="stretch_width", margin=(4, 16, 16, 16))
        self.root = pn.Column(
            self.what, pn.Row(self.layer, self.head, margin=0), self.figure, self.text,
            sizing_mode="stretch_width", margin=0,
        )  # fmt: skip

    def show(self, picture: Picture) -> None:
        """Ask the run of a picture where its place attended, unless that is what is shown."""
        before, self._picture = self._picture, picture
        state, run = picture.state, picture.run
        if state.place is None:
            return
        if run is None or run.state != "done":
            self._asked, self._footprint = (), None
            self.figure.object = None
            self._say("Attention is there when the forecast is done.")
            return
        question = (run.id, int(state.lead_time), state.place)
        if question == self._asked:
            if before is not None and before.state.dark != state.dark:
                self._draw()
            return
        self._asked = question
        self._say("Reading the run's tensors …")
        lat, lon = state.place

        def read() -> tuple[dict[str, Any], np.ndarray]:
            wind = self._store.dataset(state.dataset).era5(np.datetime64(state.init_time, "D"))[:2]
            return run.attention(int(state.lead_time), lat, lon), wind

        self._questions.ask(read, lambda answer, error: self._answered(question, answer, error))

    def _answered(
        self,
        question: tuple[Any, ...],
        answer: tuple[dict[str, Any], np.ndarray] | None,
        error: BaseException | None,
    ) -> None:
        if question != self._asked:  # somebody has clicked elsewhere meanwhile
            return
        if answer is None:
            self._footprint = None
            self.figure.object = None
            log.warning("No attention", exc_info=error)
            self._say(str(error) or type(error).__name__)
            return
        self._footprint, self._wind = answer
        footprint = self._footprint
        layers, heads = footprint["attention"].shape[:2]
        self.layer.options = {"mean": -1} | {str(i + 1): i for i in range(layers)}
        self.head.options = {"mean": -1} | {str(i + 1): i for i in range(heads)}
        self._draw()

    def _draw(self) -> None:
        footprint, picture = self._footprint, self._picture
        if footprint is None or picture is None:
            return
        what = self.what.value
        self.layer.visible = self.head.visible = what != "elevation_bias"
        if what == "elevation_bias":
            self._draw_elevation(picture, footprint)
            return
        dataset = self._store.dataset(picture.state.dataset)
        layer, head = int(self.layer.value), int(self.head.value)
        drawn = footprint_mesh(footprint, what, layer, head)
        place = float(footprint["token_latitude"]), float(footprint["token_longitude"])
        self.figure.object = footprint_map(
            drawn,
            place=place,
            outlines=self._outlines(0),
            arrows=_arrows(self._wind, footprint),
            path=footprint.get("path"),
            extent=dataset.domain.fine.extent,
            width=WIDTH,
            dark=bool(picture.state.dark),
        )
        self._say(
            _sentence(
                footprint, footprint_field(footprint, what, layer, head) if what == "attention" else None
            ),
            provenance=True,
        )

    def _draw_elevation(self, picture: Picture, footprint: dict[str, Any]) -> None:
        if footprint.get("elevation_bias") is None:
            self.figure.object = None
            self._say("This network has no elevation bias.")
            return
        place = float(footprint["token_latitude"]), float(footprint["token_longitude"])
        self.figure.object = footprint_map(
            footprint_mesh(footprint, "elevation_bias"),
            place=place,
            outlines=self._outlines(1),
            width=WIDTH,
            dark=bool(picture.state.dark),
        )
        alpha = footprint.get("alpha")
        strength = f" Learned strength α = {alpha:.2f}." if alpha is not None else ""
        self._say(
            "What higher ground costs inside this tile: 0 for keys no higher than the place, negative above it."
            + strength,
            provenance=True,
        )

    @staticmethod
    def _outlines(detail: int) -> Any:
        try:
            return outline_path(outline("coast", detail))
        except OutlinesMissingError:
            return None

    def _say(self, text: str, *, provenance: bool = False) -> None:
        """A sentence under the picture, and whose tensors these are."""
        whose: str | Markup = ""
        if provenance and self._picture is not None and self._picture.run is not None:
            state = self._picture.state
            whose = _PROVENANCE.format(
                run=self._picture.run.id, checkpoint=state.checkpoint, lead=state.lead_time, caveat=CAVEAT
            )
        self.text.object = _TEXT.format(without_paths(text), whose)


def _arrows(wind: np.ndarray, footprint: dict[str, Any]) -> hv.Element:
    """Wind of the init day, (2, rows, cols) of nodes, at the coarse tokens: mean over each token's nodes."""
    rows, cols = len(footprint["latitude"]), len(footprint["longitude"])
    step = 1 if rows * cols < 200 else 2  # all 735 arrows of Europe would hide the footprint
    parts = []
    for component in wind:
        full = np.full((rows * TOKEN_NODES, cols * TOKEN_NODES), np.nan)
        block = component[: full.shape[0], : full.shape[1]]
        full[: block.shape[0], : block.shape[1]] = block
        means = np.nanmean(full.reshape(rows, TOKEN_NODES, cols, TOKEN_NODES), axis=(1, 3))
        labelled = xr.DataArray(
            means,
            dims=("latitude", "longitude"),
            coords={"latitude": footprint["latitude"], "longitude": footprint["longitude"]},
        )
        parts.append(labelled.coarsen(latitude=step, longitude=step, boundary="trim").mean())
    # the longest arrow nearly reaches the next one's tail; a token is two degrees wide
    return wind_arrows(*parts, longest=0.9 * step * 2 * 111_320)


def _sentence(footprint: dict[str, Any], attention: xr.DataArray | None) -> str:
    u, v = (float(part) for part in footprint["wind"])
    speed = float(np.hypot(u, v))
    where_from = COMPASS[round(float(np.degrees(np.arctan2(-u, -v))) / 45) % 8]
    wind = "The air is calm here." if speed < 0.1 else f"Wind here: {speed:.1f} m/s from the {where_from}."
    if attention is None:
        return (
            f"{wind} Tokens upwind are favoured, tokens downwind are not; added to the logits of every head."
        )
    ordered = np.sort(attention.to_numpy().ravel())[::-1]
    half = int(np.searchsorted(np.cumsum(ordered), 0.5 * ordered.sum())) + 1
    patches = f"Half of the attention lies on {half} of {ordered.size} coarse patches (2° each)."
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
