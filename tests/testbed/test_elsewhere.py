"""The simulated world beyond Europe: terrain that is known or refused, boxes of its own, no silent zero and no NaN."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml

from cranpm.data.domains import find_domain
from cranpm.data.store.dataset import Dataset
from cranpm.domain import EUROPE, Domain, domain_from_corner, get_domain
from cranpm.testbed.build import build_testbed
from cranpm.testbed.geography import terrain
from cranpm.testbed.geography.terrain import GeographySourceError
from cranpm.testbed.simulation.place import EUROPE_PLACE, PlaceError, place_of

LHASA = {"name": "lhasa", "title": "Lhasa", "north": 34.0, "west": 86.0, "coarse_rows": 24, "coarse_cols": 32}


def domain_at(north: float, west: float) -> Domain:
    return domain_from_corner("there", "There", north=north, west=west, coarse_rows=8, coarse_cols=8)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """A day of a user's own region, from its file."""
    folder = tmp_path_factory.mktemp("elsewhere")
    (folder / "lhasa.yaml").write_text(yaml.safe_dump(LHASA))
    out = build_testbed(folder / "data", "2022-01-03", 1, folder / "lhasa.yaml", cache_dir=folder / "cache")
    return Dataset.open(out)


def test_a_users_region_gets_finite_weather_and_pm25_on_all_land(built: Dataset) -> None:
    (day,) = built.days
    land = np.asarray(built.static["land"]).astype(bool)
    pm2p5 = built.pm2p5(day).values
    assert np.isfinite(pm2p5[land]).mean() > 0.95  # the product leaves out clouds, about 0.3 % of land
    assert 1 < np.nanmean(pm2p5) < 200
    assert np.isfinite(built.coarse(day).values).all()


def test_terrain_east_of_90_degrees_is_that_of_the_next_source(built: Dataset) -> None:
    """Potala hill, 29.66 N 91.12 E, stands in a valley at 3,650 m; NOAA GLOBE as packed ends at 90 E."""
    elevation = np.asarray(built.static["elevation"])
    fine = built.domain.fine
    row, col = fine.index_of(29.66, 91.12)
    assert 3500 < elevation[row, col] < 4300
    # no cliff where one source fades into the next, 89.6 to 90 E: steps between columns are those of the finer source
    steps = np.abs(np.diff(elevation, axis=1)).mean(0)
    seam = slice(fine.index_of(29.66, 89.5)[1], fine.index_of(29.66, 90.5)[1])
    assert steps[seam].max() < 1.5 * steps[: seam.start].max()


def test_every_country_has_stations_where_europes_network_ends(built: Dataset) -> None:
    stations = built.stations()
    assert len(stations) > 0 and set(stations["country"]) & {"CN", "IN", "BT", "NP", "BD"}


def test_land_that_no_source_knows_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    grid = domain_at(34.0, 90.5).fine
    nothing = lambda grid: (np.zeros(grid.shape, np.float32), np.zeros(grid.shape, bool))  # noqa: E731
    monkeypatch.setattr(terrain, "_pvlib", nothing)
    with pytest.raises(
        GeographySourceError, match=r"there-fine: no installed source knows the terrain of \d+ land"
    ):
        terrain.blended_elevation(grid, np.ones(grid.shape, bool))
    # all sea needs no terrain
    assert not terrain.blended_elevation(grid, np.zeros(grid.shape, bool)).any()


@pytest.mark.parametrize(
    ("north", "where"), [(21.0, "from 19 N to 21 N"), (-30.0, "from 32 S to 30 S"), (83.0, "to 83 N")]
)
def test_latitudes_without_balanced_winds_are_refused_before_anything_is_computed(
    north: float, where: str, tmp_path: Path
) -> None:
    with pytest.raises(PlaceError, match=where):
        build_testbed(tmp_path / "data", "2022-01-03", 1, domain_at(north, 90.0))
    assert not (tmp_path / "data").exists()


def test_the_shipped_regions_are_named_where_they_cannot_be_simulated() -> None:
    assert place_of(find_domain("north-america").coarse_box).desert is None
    with pytest.raises(PlaceError, match="from 8 N to 36 N"):
        place_of(find_domain("india").coarse_box)


def test_domains_in_europe_share_europes_constants() -> None:
    for domain in (EUROPE, get_domain("alps"), get_domain("central-europe")):
        assert place_of(domain.coarse_box) is EUROPE_PLACE
    # desert begins at 35.2 N and is complete 2.5 degrees south of it: 33.95 N is halfway
    assert EUROPE_PLACE.desert_share(np.array([36.0, 33.95, 30.0])) == pytest.approx([0, 0.5, 1])


def test_noise_boxes_reach_beyond_every_domain_on_all_sides() -> None:
    for domain in (domain_at(50.0, -130.0), domain_at(24.0, 100.0), find_domain("north-america")):
        box, place = domain.coarse_box, place_of(domain.coarse_box)
        assert place.noise.south <= box.lat.min() - 3 and place.noise.north >= box.lat.max() + 3
        assert place.noise.west <= box.lon.min() - 3 and place.noise.east >= box.lon.max() + 3


def test_a_region_has_fires_in_proportion_to_its_size() -> None:
    share = place_of(domain_at(46.0, 60.0).coarse_box).fire_share
    # 2 (sin 46 - sin 44) / (54 (sin 66 - sin 35)) = 2 x 0.02468 / (54 x 0.33997)
    assert share == pytest.approx(0.002689, rel=0.01)
