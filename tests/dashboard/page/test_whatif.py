"""A what-if on the page: asked, shown, taken back; looked at without a browser."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from cranpm.dashboard.page.explorer import Explorer
from cranpm.dashboard.server.routes import describe_cell

from cranpm.domain import plan_tiles

Open = Callable[..., Explorer]


def whatif(page: Explorer, **values: float) -> None:
    """As a person sets switches and lets sliders go."""
    for name, value in values.items():
        control = page.controls.whatif.controls[name]
        if isinstance(value, bool):
            control.value = value
        else:
            control.param.update(value=value, value_throttled=value)


def test_a_what_if_waits_for_the_forecast_then_shows_the_difference(
    explorer: Open, checkpoint: str, runs: list[Any], scene: ModuleType
):
    page = explorer(extent=(9.0, 45.3, 9.4, 45.6))
    whatif(page, wind_turn=90.0, hide_cams=True)
    assert page.state.layer == "whatif"
    assert len(runs) == 1  # the forecast itself
    assert "forecast comes first" in page.controls.whatif.text.object
    runs[0].finish_tiles(9)
    page.run.poll()
    changed = runs[1]
    assert changed.question["interventions"] == (("wind_turn", 90.0), ("hide_cams", 1.0))
    assert changed.question["leads"] == (1,)
    assert changed.question["tiles"] == page.where.tiles()
    assert "Forecast T+1" in page.title.object  # what was there stays until there is something new
    changed.finish_tiles(9)
    for values in changed.values.values():
        values += 2.5
    page.whatif.poll()
    assert f"_whatif_2022-01-12_T1_{changed.id}.{runs[0].id}/" in page.map._picture.data["url"][0]
    assert "wind turned by 90°, CAMS hidden" in page.title.object
    assert "What if, minus forecast" in page.legend.object
    field = page.store.fields.field(page.shown.field_id)
    assert describe_cell(field, *scene.MILAN)["value"] == 2.5


def test_cells_of_tiles_that_are_still_missing_have_no_difference(
    explorer: Open, checkpoint: str, runs: list[Any]
):
    page = explorer()
    runs[0].finish_tiles(9)
    page.run.poll()
    whatif(page, transport=True)
    runs[1].finish_tiles(2)  # the first two of the upper row: rows 0..511, columns 0..511 and 440..951
    page.whatif.poll()
    values = page.whatif.current.map(1).read(slice(0, 600), slice(0, 1000))
    plan = plan_tiles((1392, 1392))
    third, below = plan.tiles[2].cols.start, plan.tiles[3].rows.start
    assert np.isfinite(values[:below, :third]).all()
    assert np.isnan(values[below:]).all()
    assert np.isnan(values[:, third:]).all()


def test_undo_and_reset_lead_back(explorer: Open, checkpoint: str, runs: list[Any]):
    page = explorer()
    runs[0].finish_tiles(9)
    page.run.poll()
    whatif(page, wind_scale=0.5)
    whatif(page, terrain_flatten=1.0)
    assert [run.question["interventions"] for run in runs[1:]] == [
        (("wind_scale", 0.5),), (("wind_scale", 0.5), ("terrain_flatten", 1.0)),
    ]  # fmt: skip
    page.controls.whatif._undo()
    assert page.state.whatif == (("wind_scale", 0.5),)
    assert page.controls.whatif.controls["terrain_flatten"].value == 0
    assert runs[2].state == "cancelled"  # nobody asks for it any more
    page.controls.whatif._reset()
    assert (page.state.whatif, page.state.layer) == ((), "forecast")
    page.controls.whatif._undo()
    assert page.state.layer == "whatif"


def test_a_what_if_is_in_the_link(explorer: Open, checkpoint: str, runs: list[Any]):
    page = explorer(layer="whatif", whatif=(("bridge_off", 1.0),))
    runs[0].finish_tiles(9)
    page.run.poll()
    assert page.controls.whatif.controls["bridge_off"].value is True
    assert runs[1].question["interventions"] == (("bridge_off", 1.0),)
    assert "whatif=bridge_off:1" in page.state.to_query()


def beside(page: Explorer) -> str:
    return page.map._other.data["url"][0]


def test_as_b_the_what_if_is_a_forecast_where_its_tiles_are_whole(
    explorer: Open, checkpoint: str, runs: list[Any], scene: ModuleType
):
    page = explorer(layer="forecast", compare="swipe", against="whatif_forecast")
    (base,) = runs
    base.finish_tiles(9)
    page.run.poll()
    assert "Nothing is changed yet: choose something" in page.controls.compare.text.object
    assert beside(page).startswith("data:")
    whatif(page, hide_cams=True)
    assert page.state.layer == "forecast", "A stays what it is"
    assert "The forecast comes first" in page.controls.compare.text.object
    changed = runs[1]
    changed.finish_tiles(2)
    for values in changed.values.values():
        values += 2.5
    page.whatif.poll()
    assert f"_whatif_forecast_2022-01-12_T1_{changed.id}.{base.id}/2/" in beside(page)
    assert "B is there for 2 of 9 tiles" in page.controls.compare.text.object
    assert page.map._other.data["b"] == ["What if T+1"]
    assert "· random · CAMS hidden" in page.title.object
    fields = page.store.fields
    there, missing = (47.5, 8.0), (44.0, 17.0)
    field = fields.field(page.shown.comparison.field.field_id)
    assert describe_cell(field, *there)["value"] == 12.5
    assert describe_cell(field, *missing)["value"] is None

    page.state.compare = "difference"
    field = fields.field(page.shown.comparison.field.field_id)
    assert describe_cell(field, *there)["value"] == 2.5
    assert describe_cell(field, *missing)["value"] is None
    assert "B is there for 2 of 9 tiles" in page.controls.compare.text.object
    link = page.state.to_query()
    assert "against=whatif_forecast" in link and "whatif=hide_cams:1" in link and "layer=forecast" in link
    page.state.compare = ""
    assert changed.state == "cancelled", "nobody looks at it any more"


def test_a_what_if_on_the_map_becomes_b_beside_the_forecast(explorer: Open, checkpoint: str, runs: list[Any]):
    page = explorer(layer="whatif", whatif=(("bridge_off", 1.0),))
    runs[0].finish_tiles(9)
    page.run.poll()
    runs[1].finish_tiles(9)
    page.whatif.poll()
    page.state.compare = "swipe"
    assert (page.state.layer, page.state.against) == ("forecast", "whatif_forecast")
    assert f"_forecast_2022-01-12_T1_{runs[0].id}/" in page.map._picture.data["url"][0]
    assert f"_{runs[1].id}.{runs[0].id}/" in beside(page)
    assert "B is there" not in page.controls.compare.text.object, "it is whole"
    assert len(runs) == 2 and runs[1].watchers


def test_a_what_if_beside_today_starts_the_forecast_that_it_changes(
    explorer: Open, checkpoint: str, runs: list[Any]
):
    page = explorer(layer="today", compare="swipe", against="persistence", whatif=(("hide_cams", 1.0),))
    assert runs == []
    page.state.against = "whatif_forecast"
    runs[0].finish_tiles(9)
    page.run.poll()
    runs[1].finish_tiles(9)
    page.whatif.poll()
    assert "_whatif_forecast_" in beside(page)


def test_b_of_another_lead_is_the_what_ifs_own(explorer: Open, checkpoint: str, runs: list[Any]):
    """Lead time, day and checkpoint of B are not asked for: a what-if has those of the forecast that it changes."""
    page = explorer(compare="swipe", against="whatif_forecast", against_lead=3, whatif=(("hide_cams", 1.0),))
    panel = page.controls.compare
    assert not (panel.day.visible or panel.checkpoint.visible or panel._lead_part.visible)
    runs[0].finish_tiles(9)
    page.run.poll()
    runs[1].finish_tiles(9)
    page.whatif.poll()
    assert "_whatif_forecast_2022-01-12_T1_" in beside(page)


def test_switches_are_those_of_the_network(explorer: Open, machine: Path, checkpoint: str, runs: list[Any]):
    folder = machine / "checkpoints" / "random"
    (folder / "config.json").write_text(
        '{"model": {"transport": false, "wind_bias": true, "fusion": "film"}}'
    )
    controls = explorer().controls.whatif.controls
    shown = {name for name in ("transport", "wind_bias", "bridge_off", "hide_cams") if controls[name].visible}
    assert shown == {"wind_bias", "hide_cams"}
