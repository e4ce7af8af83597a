"""A place's footprint from one tile is that of the whole map."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cranpm.domain import OutsideGridError, plan_tiles
from cranpm.forecasting.attention import AttentionNotRecordedError, AttentionRecorder, read_attention
from cranpm.forecasting.day import load_day
from cranpm.forecasting.engine import run_forecast
from cranpm.forecasting.footprint import footprint_at
from cranpm.forecasting.intervention_names import UnknownInterventionError
from cranpm.model import tiny
from cranpm.model.checkpoint import load_checkpoint

DAY, PLACE = "2022-01-11", (44.9, 8.1)


@pytest.fixture(scope="module")
def folder(scene, drawn, tmp_path_factory):
    folder = tmp_path_factory.mktemp("machine")
    scene.write_scene(folder / "testbed", domain=scene.SMALL, days=3)
    scene.write_checkpoint(folder / "demo", drawn)
    return folder


@pytest.fixture
def ask(folder):
    def ask(lat=PLACE[0], lon=PLACE[1], **request):
        request = {"checkpoint": folder / "demo", "data": folder / "testbed", **request}
        return footprint_at(DAY, lat, lon, **request)

    return ask


def test_it_is_what_a_run_of_the_whole_map_records(ask, folder, tmp_path):
    checkpoint = load_checkpoint(folder / "demo")
    day = load_day(folder / "testbed", DAY, checkpoint.require_statistics())
    recorder = AttentionRecorder(tmp_path, plan_tiles(day.domain.fine.shape), day)
    run_forecast(checkpoint.network, day, (1, 2), recorder=recorder)
    recorder.close()
    whole = read_attention(tmp_path, 2, *PLACE, day.domain)
    alone = ask(lead=2)
    for name in ("attention", "wind_bias", "elevation_bias", "elevation"):
        # several tiles and leads in one pass are added up in another order; queries are kept in half precision
        np.testing.assert_allclose(alone[name].values, whole[name], rtol=5e-3, atol=1e-6, err_msg=name)
    assert (alone.attrs["when"], alone.attrs["place"]) == ("2022-01-11, T+2", "44.90° N, 8.10° E")


def test_attention_is_labelled_and_sums_to_one(ask):
    found = ask()
    assert found.attention.dims == ("layer", "head", "latitude", "longitude")
    np.testing.assert_allclose(found.attention.sum(["latitude", "longitude"]), 1, atol=1e-5)
    assert float(found.latitude[0] - found.latitude[1]) == pytest.approx(2.0)  # 8 nodes of 0.25 degrees
    # the scene's wind is the same everywhere, at the nodes that the network reads
    np.testing.assert_allclose(found.eastward_wind, 4.0, rtol=1e-5)
    np.testing.assert_allclose(found.northward_wind, 1.0, rtol=1e-5)


def test_it_is_asked_under_a_change_as_a_forecast_is(ask):
    plain, turned = ask(), ask(interventions={"wind_turn": 180})
    # the bias is the cosine of the wind and the way to a token: it changes its sign with the wind
    np.testing.assert_allclose(turned.wind_bias, -plain.wind_bias, atol=1e-5)
    assert turned.attrs["interventions"] == "wind_turn=180"
    assert float(abs(ask(interventions={"wind_bias": 0}).wind_bias).max()) == 0


@pytest.mark.parametrize(
    ("request_", "error", "message"),
    [
        ({"lat": 60.0}, OutsideGridError, "60"),
        ({"lead": 4}, ValueError, "among 1, 2, 3 days"),
        ({"interventions": {"rain": 1}}, UnknownInterventionError, "expected one of wind_turn.*bridge_off"),
        ({"interventions": 3}, TypeError, r"names with numbers, such as \{'wind_turn': 180\}; got 3"),
        ({"interventions": {"bridge_off": 1}}, AttentionNotRecordedError, "and it is switched off"),
    ],
)
def test_what_cannot_be_told_is_refused(ask, request_, error, message):
    with pytest.raises(error, match=message):
        ask(**request_)


def test_a_network_without_a_bridge_looks_nowhere(ask, scene, draw_network, tmp_path):
    alone = replace(
        tiny(),
        fusion="none",
        transport=False,
        coarse_forecast=False,
        coarse_predictors=False,
        height_damping=False,
    )
    scene.write_checkpoint(tmp_path / "alone", draw_network(alone))
    with pytest.raises(AttentionNotRecordedError, match="'alone' has none"):
        ask(checkpoint=tmp_path / "alone")
