"""The tile grid of a forecast on the page: switched on, measured when the run has ended, kept in the link."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from cranpm.dashboard.page.explorer import Explorer

Open = Callable[..., Explorer]


def drawn(page: Explorer) -> tuple[int, int]:
    layers = page.map.seams
    return len(layers.tiles.data["left"]), len(layers.strips.data["left"])


def test_tiles_are_drawn_as_they_come_and_measured_in_the_end(
    explorer: Open, checkpoint: str, runs: list[Any]
):
    page = explorer(seams=True)
    assert drawn(page) == (0, 0) and "Tile seams" not in page.legend.object
    (run,) = runs
    run.finish_tiles(2)
    page.run.poll()
    assert drawn(page) == (2, 1)
    assert "2 tiles of 512" in page.legend.object and "measured when" in page.legend.object
    for values in run.values.values():
        values[:] = np.add.outer(
            np.arange(values.shape[0]), np.arange(values.shape[1])
        )  # one higher at every step
        for start in (448, 880):  # where the second and third row and column of tiles begin: five more
            values[start:] += 5.0
            values[:, start:] += 5.0
    run.become("done", done_list=tuple(range(9)), done_tiles=9)
    page.run.poll()
    assert drawn(page) == (9, 12)
    # steps of 6 where tiles begin and of 1 where those before them end: as many of these as of those
    assert "3.5 µg/m³ across tile edges, 1 µg/m³ between ordinary neighbours" in page.legend.object
    assert "3.50 times" in page.legend.object


def test_the_switch_is_there_where_tiles_may_show_and_is_in_the_link(
    explorer: Open, checkpoint: str, runs: list[Any]
):
    page = explorer(layer="change")
    runs[0].finish_tiles(9)
    page.run.poll()
    switch = page.controls.layers.seams
    assert switch.visible and drawn(page) == (0, 0)
    switch.value = True
    assert page.state.seams and "seams=1" in page.state.to_query()
    assert drawn(page) == (9, 12)
    assert "across tile edges" in page.legend.object
    page.state.layer = "today"
    assert not switch.visible
    assert drawn(page) == (0, 0) and "Tile seams" not in page.legend.object
    page.state.layer = "forecast"
    assert drawn(page) == (9, 12)
    switch.value = False
    assert drawn(page) == (0, 0) and "seams=0" in page.state.to_query()


def test_without_a_forecast_nothing_is_drawn(explorer: Open, machine: Path, runs: list[Any]):
    page = explorer(seams=True)
    assert drawn(page) == (0, 0)
    assert "Tile seams" not in page.legend.object


def test_a_difference_of_two_maps_has_no_tiles_of_its_own(explorer: Open, checkpoint: str, runs: list[Any]):
    page = explorer(seams=True, compare="difference", against="persistence")
    runs[0].finish_tiles(9)
    page.run.poll()
    assert drawn(page) == (0, 0)
    page.state.compare = "side"
    assert drawn(page) == (9, 12)
