"""What a page shows, as typed parameters; and the same as the query of a link.

A link carries every parameter, defaults included, so that it restores the identical view after defaults change.
A query is read as untrusted text: unknown names are ignored with a notice, bad values fall back with a notice.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn
from urllib.parse import urlencode

import param

from cranpm.domain.regions import REGIONS

from .changes import read_steps, write_steps
from .layers import BESIDE, LAYERS, WHATIF_BESIDE, Layer, layer_of

SCALES: dict[str, str] = {"continuous": "Continuous", "eaqi": "EAQI classes"}
STATION_TYPES: tuple[str, ...] = ("background", "traffic", "industrial")
STATION_AREAS: tuple[str, ...] = ("urban", "suburban", "rural")
TERRAINS: dict[str, str] = {"": "Any terrain", "flat": "σz < 50 m", "complex": "σz ≥ 50 m"}
"""By the standard deviation of elevation around a station."""

Query = Mapping[str, str | bytes | Sequence[str | bytes]]
"""Arguments of a request as Tornado or Panel gives them; of several the last counts."""

LEADS: tuple[int, ...] = (1, 2, 3)

OVERLAYS: dict[str, str] = {
    "": "Nothing",
    "attention": "Attention",
    "wind_bias": "Wind bias",
    "elevation_bias": "Elevation bias",
    "height_damping": "Height damping",
}
"""What the footprint of the picked place may show on the map."""

COMPARISONS: dict[str, str] = {
    "": "Off",
    "swipe": "Swipe",
    "side": "Side by side",
    "difference": "Difference",
}
"""How a second map B is shown with the one on the map, A: right of a handle, in a half of its own, or as B minus A."""

MARKS: dict[str, str] = {"arrows": "Wind", "path": "Path of the air", "scan": "Scan order"}
"""Drawn over the map with it."""

MOVED = "moved"
"""Stands for "no region" after the view was moved by hand."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
MAX_IDENTIFIER = 80
MAX_QUERY_VALUE = 200  # characters; a longer value is not one that this page wrote


class State(param.Parameterized):
    """Parameters of one page."""

    dataset = param.String(default="", doc="Name of the dataset's folder")
    # None only until a dataset is chosen, after which nobody asks
    init_time: Any = param.CalendarDate(
        default=None, allow_None=True, doc="Day on which the forecast starts (UTC)"
    )
    lead_time: param.Selector[int] = param.Selector(default=1, objects=list(LEADS), doc="Days ahead")
    layer: param.Selector[str] = param.Selector(
        default="forecast", objects=[*LAYERS, WHATIF_BESIDE.key], doc="Links name those of `LAYERS`"
    )
    whatif = param.ClassSelector(class_=tuple, default=(), doc="Changes of a what-if: (name, number) pairs")
    scale: param.Selector[str] = param.Selector(default="continuous", objects=list(SCALES))
    region: param.Selector[str] = param.Selector(
        default="", objects=["", *REGIONS, MOVED], doc="Regional zoom; empty is the whole domain"
    )
    checkpoint = param.String(default="", doc="Name of the checkpoint's folder")
    place = param.Tuple(
        default=None, length=2, allow_None=True, doc="Picked place (latitude, longitude) [degrees]"
    )
    overlay: param.Selector[str] = param.Selector(
        default="", objects=list(OVERLAYS), doc="What the place's footprint shows"
    )
    marks = param.ListSelector(
        default=["arrows", "path"], objects=list(MARKS), instantiate=True, doc="Drawn with the footprint"
    )
    bridge_layer = param.Integer(default=-1, bounds=(-1, 31), doc="Of the bridge; -1 for the mean")
    bridge_head = param.Integer(default=-1, bounds=(-1, 63), doc="Of the bridge; -1 for the mean")
    opacity = param.Number(default=0.7, bounds=(0.0, 1.0), doc="Of the footprint")
    stations = param.Boolean(default=True)
    # a list of its own: a default is otherwise one list for all pages
    station_types = param.ListSelector(
        default=list(STATION_TYPES), objects=list(STATION_TYPES), instantiate=True
    )
    station_areas = param.ListSelector(
        default=list(STATION_AREAS), objects=list(STATION_AREAS), instantiate=True
    )
    terrain: param.Selector[str] = param.Selector(
        default="", objects=list(TERRAINS), doc="Terrain around stations"
    )
    station = param.String(default="", doc="Id of the picked station; its place is `place`")
    station_file = param.String(default="", doc="Name of an external station file shown over the map")
    seams = param.Boolean(default=False, doc="Whether the tiles of the forecast are drawn")
    extent = param.Tuple(
        default=None, length=4, allow_None=True, doc="View (west, south, east, north) [degrees]"
    )
    box = param.Tuple(
        default=None,
        length=4,
        allow_None=True,
        doc="Box drawn on the map (west, south, east, north) [degrees]",
    )
    numbers = param.Boolean(default=False, doc="Whether statistics of the area are shown")
    compare: param.Selector[str] = param.Selector(
        default="", objects=list(COMPARISONS), doc="How B is shown beside A"
    )
    against: param.Selector[str] = param.Selector(
        default="", objects=["", *BESIDE], doc="Layer of B; empty for A's own"
    )
    against_lead = param.Integer(default=0, bounds=(0, max(LEADS)), doc="Days ahead of B; 0 for A's own")
    against_day: Any = param.CalendarDate(
        default=None, allow_None=True, doc="Init day of B; None for A's own"
    )
    against_checkpoint = param.String(default="", doc="Checkpoint of B; empty for A's own")
    swipe = param.Number(
        default=0.5, bounds=(0.0, 1.0), doc="Where the handle stands, share of the map's width"
    )
    dark = param.Boolean(default=False)

    @property
    def other(self) -> dict[str, Any]:
        """What B shows, as parameters of a state: A's own but for what is said of B.

        A what-if is asked of A's forecast, so as B it has A's day, lead time and checkpoint.
        """
        own = self.against == WHATIF_BESIDE.key
        return {
            "dataset": self.dataset,
            "layer": self.against or self.layer,
            "whatif": self.whatif,
            "lead_time": (not own and self.against_lead) or self.lead_time,
            "init_time": (not own and self.against_day) or self.init_time,
            "checkpoint": (not own and self.against_checkpoint) or self.checkpoint,
            "scale": self.scale,
        }

    @property
    def asks_whatif(self) -> bool:
        """Whether A, or B beside it, shows the answer of the what-if."""
        return self.layer == "whatif" or (bool(self.compare) and self.against == WHATIF_BESIDE.key)

    @property
    def needs_own_run(self) -> bool:
        """Whether A, or B beside it, is made of the forecast of A's day and checkpoint."""
        if self.shown_layer.needs_run:
            return True
        other = self.other
        own = (other["init_time"], other["checkpoint"]) == (self.init_time, self.checkpoint)
        return bool(self.compare) and own and layer_of(other["layer"]).needs_run

    @property
    def valid_time(self) -> Any:
        """Day for which the forecast holds: init_time + lead_time."""
        return None if self.init_time is None else self.init_time + dt.timedelta(days=int(self.lead_time))

    @property
    def shown_time(self) -> Any:
        """Day that the layer on the map belongs to."""
        day = self.shown_layer.day
        if day == "valid" or self.init_time is None:
            return self.valid_time
        return self.init_time - dt.timedelta(days=1) if day == "before" else self.init_time

    @property
    def shown_layer(self) -> Layer:
        """The layer on the map."""
        return layer_of(self.layer)

    @property
    def what(self) -> str:
        """“Target of Wednesday 12 January 2022”."""
        return f"{self.shown_layer.title} of {long_date(self.shown_time)}"

    def copy(self) -> State:
        """The same parameters, which no longer change with these."""
        values = {name: value for name, value in self.param.values().items() if name != "name"}
        lists = {name: list(values[name]) for name in ("station_types", "station_areas", "marks")}
        return State(**values | lists)

    def to_query(self) -> str:
        """The query of a link to this view, without the question mark."""
        return urlencode(
            {name: write(getattr(self, name)) for name, (write, _) in _CODECS.items()}, safe=",:"
        )

    @classmethod
    def from_query(cls, query: Query) -> tuple[State, list[str]]:
        """A state from the arguments of a request.

        Parameters
        ----------
        query : mapping of str to str, bytes or a list of these
            As Tornado or Panel gives it; of a list the last value counts.

        Returns
        -------
        tuple of State and list of str
            The state, and one sentence for everything that was ignored.
        """
        state, notices = cls(), []
        for raw_name, raw_value in query.items():
            name, value = _text(raw_name), _text(raw_value)
            if name not in _CODECS:
                if not name.startswith("bokeh-"):
                    notices.append(f"The link's part “{name[:30]}” is not known and was ignored.")
                continue
            try:
                if len(value) > MAX_QUERY_VALUE:
                    raise ValueError("too long")
                setattr(state, name, _CODECS[name][1](value))
            except (ValueError, TypeError):
                notices.append(f"The link's “{name}” cannot be “{value[:40]}”; the default is used.")
        return state, notices


def long_date(day: dt.date | None) -> str:
    """“Wednesday 12 January 2022”."""
    return "no day" if day is None else f"{day:%A} {day.day} {day:%B %Y}"


def _text(value: object) -> str:
    if isinstance(value, (list, tuple)):
        value = value[-1] if value else b""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _name(text: str) -> str:
    if text and not _NAME.fullmatch(text):
        raise ValueError("not a plain name")
    return text


def _numbers(count: int, check: Callable[..., bool]) -> Callable[[str], tuple[float, ...] | None]:
    def read(text: str) -> tuple[float, ...] | None:
        if not text:
            return None
        values = tuple(float(part) for part in text.split(","))
        if len(values) != count or not all(map(math.isfinite, values)) or not check(*values):
            raise ValueError("out of bounds")
        return values

    return read


def _write_numbers(digits: int) -> Callable[[Any], str]:
    return lambda values: "" if values is None else ",".join(f"{v:.{digits}f}" for v in values)


def _flag(text: str) -> bool:
    """0 or 1, as the page writes it, or a word as people do."""
    known = _FLAGS.get(text.lower())
    if known is None:
        _refuse()
    return known


_FLAGS = {
    "1": True,
    "true": True,
    "yes": True,
    "on": True,
    "0": False,
    "false": False,
    "no": False,
    "off": False,
}


def _refuse() -> NoReturn:
    raise ValueError("not one of the choices")


def _is_place(lat: float, lon: float) -> bool:
    return -85 <= lat <= 85 and -180 <= lon <= 180


def _is_box(west: float, south: float, east: float, north: float) -> bool:
    return _is_place(south, west) and _is_place(north, east) and west < east and south < north


def _some_of(known: tuple[str, ...]) -> Callable[[str], list[str]]:
    def read(text: str) -> list[str]:
        return [name if name in known else _refuse() for name in text.split(",") if name]

    return read


def _identifier(text: str) -> str:
    """An id as networks give them, such as “IT0477A@45.46_9.19”; whether it is known, the dataset tells."""
    return text if text.isprintable() and len(text) <= MAX_IDENTIFIER else _refuse()


def _share(text: str) -> float:
    value = float(text)  # bounds let pass what is no number
    return value if math.isfinite(value) else _refuse()


def _marks(text: str) -> list[str]:
    return [name if name in MARKS else _refuse() for name in text.split(",") if name]


_Codec = tuple[Callable[[Any], str], Callable[[str], Any]]

_DAY: _Codec = (
    lambda day: "" if day is None else day.isoformat(),
    lambda text: dt.date.fromisoformat(text) if text else None,
)

_CODECS: dict[str, _Codec] = {
    "dataset": (str, _name),
    "init_time": _DAY,
    "lead_time": (str, int),
    "layer": (str, lambda text: text if text in LAYERS else _refuse()),
    "whatif": (write_steps, read_steps),
    "scale": (str, str),
    "region": (str, str),
    "checkpoint": (str, _name),
    "place": (_write_numbers(4), _numbers(2, _is_place)),
    "overlay": (str, str),
    "marks": (",".join, _marks),
    "bridge_layer": (str, int),
    "bridge_head": (str, int),
    "opacity": (lambda share: f"{share:g}", _share),
    "stations": (lambda on: str(int(on)), _flag),
    "station_types": (",".join, _some_of(STATION_TYPES)),
    "station_areas": (",".join, _some_of(STATION_AREAS)),
    "terrain": (str, str),
    "station": (str, _identifier),
    "station_file": (str, _name),
    "seams": (lambda on: str(int(on)), _flag),
    "extent": (_write_numbers(3), _numbers(4, _is_box)),
    "box": (_write_numbers(3), _numbers(4, _is_box)),
    "numbers": (lambda on: str(int(on)), _flag),
    "compare": (str, str),
    "against": (str, str),
    "against_lead": (str, int),
    "against_day": _DAY,
    "against_checkpoint": (str, _name),
    "swipe": (lambda share: f"{share:.3f}", _share),
    "dark": (lambda on: str(int(on)), _flag),
}
