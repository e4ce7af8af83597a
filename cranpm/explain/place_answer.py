"""“How far can I trust this picture?” of one place of a run: the question and the answer.

Torch stays in the worker: whoever asks and reads imports this alone.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from cranpm._files import write_atomically
from cranpm._json import JsonObject
from cranpm.forecasting.service.request import RunRequest
from cranpm.forecasting.service.run import Run
from cranpm.forecasting.service.run_folder import RunFolder

TEST_VERSION = 1

_ANSWER = "faithfulness.json"


@dataclass(frozen=True, kw_only=True)
class PlaceRequest:
    """Which place of which forecast: a token of a tile at a lead time [days].

    The test computes in float32, whatever the run did: what is hidden may change a forecast of 20 ug m-3 by 0.003, and
    by bfloat16 a rounding of 0.001 turned the order of the sets and half of the rank correlation.
    """

    forecast: RunRequest
    lead: int
    tile: int
    token: int

    @classmethod
    def of_run(cls, run: Run, *, lead: int, tile: int, token: int) -> PlaceRequest:
        """Of a run that is done; tile and token are those that `cranpm.forecasting.attention.read_attention` names."""
        return cls(forecast=run.request, lead=lead, tile=tile, token=token)

    @property
    def id(self) -> str:
        """Names the place within its run."""
        return f"faithfulness_T{self.lead}_tile{self.tile}_token{self.token}_v{TEST_VERSION}"

    def to_dict(self) -> JsonObject:
        """Plain values, for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: JsonObject) -> PlaceRequest:
        """Inverse of `to_dict`."""
        return cls(**{**values, "forecast": RunRequest.from_dict(values["forecast"])})


@dataclass(frozen=True, kw_only=True)
class Effect:
    """What it does to hide one set of coarse patches at the bridge, as absolute change of the mean forecast [ug m-3].

    ``place`` is the change of the place's token, ``tile`` the mean of the changes of all tokens of its tile. Of a set
    that is drawn at random, all are means over draws, and ``low``, ``high`` the least and largest change of the place.
    ``mass`` is the share of the place's attention that is hidden, ``patches`` how many hold it.
    """

    patches: float
    mass: float
    place: float
    tile: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class PlaceAnswer:
    """What hiding did at one place; see `cranpm.explain.place_faithfulness.ask_place`.

    ``counts`` are numbers of patches hidden together; ``most_attended``, ``nearest`` and ``elsewhere`` the effects
    of each, ``shared`` how many of the most attended are among the nearest. ``rank_attention`` and ``rank_distance``
    are Spearman's correlations of attention, and of nearness, with the change when each of ``tried`` patches is hidden
    alone; NaN where there is no spread. ``forecast`` is the mean forecast [ug m-3] of the token, which is ``cells``
    cells wide; ``bridge_off`` its change without the bridge, ``bridge_off_tile`` that of the tile.
    """

    lead: int
    tile: int
    token: int
    cells: int
    forecast: float
    counts: tuple[int, ...]
    most_attended: tuple[Effect, ...]
    nearest: tuple[Effect, ...]
    elsewhere: tuple[Effect, ...]
    shared: tuple[int, ...]
    bridge_off: float
    bridge_off_tile: float
    rank_attention: float
    rank_distance: float
    tried: int
    draws: int

    def write(self, folder: RunFolder) -> None:
        """Keep it in a job's folder."""
        write_atomically(folder.path / _ANSWER, json.dumps(asdict(self)), sync=False, parents=False)

    @classmethod
    def read(cls, folder: RunFolder) -> PlaceAnswer:
        """Inverse of `write`.

        Raises
        ------
        OSError, ValueError, KeyError, TypeError
            If there is none, or one of another version.
        """
        values = json.loads((folder.path / _ANSWER).read_text(encoding="utf-8"))
        for name in ("most_attended", "nearest", "elsewhere"):
            values[name] = tuple(Effect(**effect) for effect in values[name])
        for name in ("counts", "shared"):
            values[name] = tuple(values[name])
        return cls(**values)
