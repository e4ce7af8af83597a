"""The table of layers holds every input of the network, and what a layer shows is what the dataset says."""

from __future__ import annotations

import datetime as dt
from types import ModuleType

import numpy as np
import pytest
from cranpm.dashboard.data.fields import FieldKey
from cranpm.dashboard.data.layer_fields import FieldUnavailableError
from cranpm.dashboard.data.pictures import layer_scale, make_picture
from cranpm.dashboard.data.store import Store
from cranpm.dashboard.layers import LAYERS, MAIN, layer_of
from cranpm.dashboard.server.routes import describe_cell
from cranpm.dashboard.state import State
from cranpm.dashboard.views.controls import MORE, LayerControls

from cranpm.domain import COARSE_CHANNELS, LOCAL_CHANNELS, get_domain

INIT = dt.date(2022, 1, 12)


def test_every_input_channel_is_a_layer_with_a_scale_in_its_own_unit():
    coarse = {layer.field + "@" + layer.input_day for layer in LAYERS.values() if layer.input_day != "change"}
    assert {channel.name for channel in COARSE_CHANNELS} <= coarse
    local = {"pm2p5@t": "fine_pm2p5", "pm2p5@t-1": "fine_pm2p5"}
    fields = {layer.field for layer in LAYERS.values()}
    assert {local.get(channel.name, channel.name) for channel in LOCAL_CHANNELS} <= fields
    assert len(COARSE_CHANNELS) + len(LOCAL_CHANNELS) == 75
    for layer in LAYERS.values():
        scale = layer_scale(layer, "continuous")
        assert scale.units
        assert scale.low < scale.high
        if layer.input_day == "change":
            assert (scale.kind, scale.low) == ("diverging", -scale.high)
    assert layer_scale(layer_of("input.sp.t"), "eaqi").units == "Pa"


def test_a_coarse_field_is_drawn_at_its_own_resolution_about_its_nodes(store: Store, scene: ModuleType):
    """A cell of 0.25 degrees reaches half of it to each side of its node, and one beyond the domain's edge."""
    key = FieldKey(dataset="testbed", layer="cams", init_time=INIT, lead_time=2)
    field = store.fields.field(store.fields.announce(key))
    assert field.pyramid.grid.shape == get_domain("alps").coarse_box.shape
    box = get_domain("alps").coarse_box
    for lat, lon in [(47.0, 9.0), (47.12, 9.12), (46.88, 8.88)]:
        cell = describe_cell(field, lat, lon)
        assert (cell["lat"], cell["lon"]) == (47.0, 9.0)
        assert cell["value"] == 13.0 + 2 + 1  # scene: 13 + day + lead - 1
    assert describe_cell(field, 47.13, 9.0)["lat"] == 47.25
    assert box.lat[16] == 47.0
    assert not describe_cell(field, 80.0, 9.0)["inside"]


def test_a_change_is_day_t_minus_the_day_before(store: Store, scene: ModuleType):
    """The scene's composition grows by one a day, its 1-km field by two and, at Milan, three more."""
    for layer, expected in [
        ("input.no2.change", 1.0),
        ("input.fine_pm2p5.change", 5.0),
        ("input.u10.change", 0),
    ]:
        key = FieldKey(dataset="testbed", layer=layer, init_time=INIT)
        cell = describe_cell(store.fields.field(store.fields.announce(key)), *scene.MILAN)
        assert cell["value"] == pytest.approx(expected, abs=0.11)


def test_small_numbers_keep_their_digits(store: Store, scene: ModuleType):
    """Humidity of 0.004 kg/kg is not 0.00."""
    key = FieldKey(dataset="testbed", layer="input.q_850.t", init_time=INIT)
    assert describe_cell(store.fields.field(store.fields.announce(key)), *scene.MILAN)["text"] == "0.0040"


def test_gaps_stay_gaps_in_a_change(store: Store, scene: ModuleType):
    key = FieldKey(dataset="testbed", layer="input.fine_pm2p5.change", init_time=INIT)
    field = store.fields.field(store.fields.announce(key))
    assert describe_cell(field, *scene.GAP)["value"] is None
    assert np.isnan(field.pyramid.levels[3]).any()


def test_a_missing_day_is_named(store: Store):
    first = dt.date(2022, 1, 10)
    for layer in ("input.u10.t-1", "input.u10.change", "input.fine_pm2p5.t-1"):
        with pytest.raises(FieldUnavailableError, match="No field for 09 Jan 2022"):
            store.fields.announce(FieldKey(dataset="testbed", layer=layer, init_time=first))


def test_a_baseline_that_cannot_be_fitted_says_why_instead_of_a_map(store: Store):
    state = State(dataset="testbed", layer="damped", init_time=INIT)
    picture = make_picture(store, state, None)
    assert picture.field_id == ""
    assert "needs training days" in picture.note


def test_stations_are_drawn_on_pm2p5_and_on_nothing_else(store: Store):
    for layer, drawn in [("persistence", True), ("input.fine_pm2p5.t", True), ("input.t2m.t", False)]:
        picture = make_picture(store, State(dataset="testbed", layer=layer, init_time=INIT), None)
        assert (picture.stations is not None) is drawn


def test_the_picker_and_the_state_follow_each_other():
    state = State(layer="input.u10.t-1", init_time=INIT)
    controls = LayerControls(state)
    assert (controls.layer.value, controls.picker.value, controls.day.value) == (MORE, "input.u10", "t-1")
    assert controls.day.visible
    controls.picker.value = "input.sp"
    assert state.layer == "input.sp.t-1"
    controls.day.value = "change"
    assert state.layer == "input.sp.change"
    controls.picker.value = "cams"
    assert state.layer == "cams"
    assert not controls.day.visible
    assert controls.colours.visible  # PM2.5: the reader chooses its colours
    controls.layer.value = "today"
    assert state.layer == "today"
    assert not controls.picker.visible
    controls.layer.value = MORE
    assert state.layer == "cams"  # what was picked last
    assert set(MAIN).isdisjoint(v for group in controls.picker.groups.values() for v in group.values())
