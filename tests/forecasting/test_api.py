"""`cranpm.forecast` of a region, and of changed inputs."""

from __future__ import annotations

import numpy as np
import pytest

from cranpm.domain.regions import Region
from cranpm.forecasting.api import forecast
from cranpm.forecasting.intervention_names import UnknownInterventionError

DAY = "2022-01-11"
CORNER = Region(name="corner", title="Corner", south=47.0, north=47.5, west=6.5, east=7.5)
ACROSS = Region(name="across", title="Across", south=43.0, north=46.0, west=8.0, east=12.0)


@pytest.fixture(scope="module")
def ask(scene, drawn, tmp_path_factory):
    folder = tmp_path_factory.mktemp("machine")
    scene.write_scene(folder / "testbed", domain=scene.SMALL, days=3)
    scene.write_checkpoint(folder / "demo", drawn)

    def ask(**request):
        return forecast(DAY, 1, checkpoint=folder / "demo", data=folder / "testbed", **request)

    return ask


@pytest.fixture(scope="module")
def whole(ask):
    return ask()


@pytest.mark.parametrize(("region", "tiles"), [(CORNER, 1), (ACROSS, 4)])
def test_a_region_has_the_values_that_it_has_in_the_whole_map(ask, whole, region, tiles):
    """Across the seams too: a cell is a blend of all tiles that hold it."""
    part = ask(region=region)
    assert part.attrs["tiles"] == tiles
    assert part.attrs["region"] == region.name
    same = whole.pm2p5.sel(latitude=part.latitude, longitude=part.longitude)  # exactly these coordinates
    np.testing.assert_allclose(part.pm2p5, same, atol=1e-4)
    assert region.contains(*np.meshgrid(part.latitude, part.longitude)).all()
    # all of the box is there, to half a cell on each side
    assert part.sizes["longitude"] == round((region.east - region.west) / 0.01)


def test_a_change_is_told_and_makes_a_difference(ask, whole):
    changed = ask(region=CORNER, interventions={"wind_turn": 180, "hide_cams": 1})
    assert changed.attrs["interventions"] == "wind_turn=180, hide_cams=1"
    assert "interventions" not in whole.attrs
    assert float(abs(changed.pm2p5 - whole.pm2p5).max()) > 0.01


def test_the_network_is_as_it_was_after_a_change(ask, whole):
    ask(region=CORNER, interventions=[("bridge_off", 1)])
    np.testing.assert_array_equal(
        ask(region=CORNER).pm2p5, ask(region=CORNER, interventions={"wind_scale": 1}).pm2p5
    )


@pytest.mark.parametrize(
    ("request_", "error", "message"),
    [
        ({"region": "mars"}, ValueError, "No region 'mars'; known: po_valley"),
        (
            {"region": "malmo"},
            ValueError,
            "Region 'Malmö' has no cells in this domain, which covers 41.*48 N",
        ),
        ({"interventions": {"rain": 1}}, UnknownInterventionError, "'rain'; expected one of wind_turn"),
        ({"interventions": {"hide_cams": 2}}, UnknownInterventionError, "a share from 0 to 1, got 2"),
    ],
)
def test_what_there_is_not_is_refused(ask, request_, error, message):
    with pytest.raises(error, match=message):
        ask(**request_)
