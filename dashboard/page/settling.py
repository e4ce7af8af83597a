"""What a link asks for, made possible: what is not on this machine is replaced, and told."""

from __future__ import annotations

from ..data.store import Store
from ..state import MOVED, State
from .map import region_box, shows


def settle_state(state: State, store: Store, notices: list[str]) -> None:
    """Replace what is not there in a state whose dataset is.

    Parameters
    ----------
    state : State
        Changed in place.
    store : Store
    notices : list of str
        Gets a sentence for everything that is replaced.
    """
    _settle_days(state, store, notices)
    _settle_checkpoints(state, store, notices)
    _settle_places(state, store, notices)


def _settle_days(state: State, store: Store, notices: list[str]) -> None:
    days = store.days(state.dataset)
    if state.init_time not in days:
        if state.init_time is not None:
            notices.append(
                f"{state.init_time:%d %b %Y} is not in this dataset; the last day with a target is shown."
            )
        # the last day whose T+1 target is there: forecast, target and error can all be looked at
        state.init_time = days[-2] if len(days) > 1 else days[-1]
    if state.against_day is not None and state.against_day not in days:
        notices.append(f"{state.against_day:%d %b %Y} is not in this dataset; B is of A’s day.")
        state.against_day = None


def _settle_checkpoints(state: State, store: Store, notices: list[str]) -> None:
    checkpoints = list(store.checkpoints())
    if state.checkpoint not in checkpoints:
        if state.checkpoint:
            notices.append(f"There is no checkpoint “{state.checkpoint}” on this machine.")
        state.checkpoint = "demo" if "demo" in checkpoints else next(iter(checkpoints), "")
    if state.against_checkpoint and state.against_checkpoint not in checkpoints:
        notices.append(f"There is no checkpoint “{state.against_checkpoint}” on this machine.")
        state.against_checkpoint = ""


def _settle_places(state: State, store: Store, notices: list[str]) -> None:
    grid = store.dataset(state.dataset).domain.fine
    if state.place is not None and not grid.contains(*state.place):
        notices.append("The link's place lies outside this dataset and was ignored.")
        state.place = None
    if state.extent is not None and not shows(state.extent, region_box(state.region, grid)):
        state.region = MOVED
    if state.station and state.station not in set(store.stations(state.dataset)["station_id"]):
        notices.append(f"There is no station “{state.station}” in this dataset.")
        state.station = ""
