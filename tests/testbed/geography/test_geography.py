"""The testbed stands on the real Europe: places lie where they are, and regions are windows of the whole."""

from __future__ import annotations

import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest

from cranpm.domain import EUROPE, FINE, domain_from_corner, get_domain
from cranpm.testbed.geography.geography import Geography, GeographyFileError, export_geography, load_geography

# place, latitude, longitude, altitude [m] as printed on maps
TOWNS = [
    ("Milan", 45.4642, 9.19, 120),
    ("Madrid", 40.4168, -3.7038, 657),
    ("Innsbruck", 47.2692, 11.4041, 574),
    ("Bern", 46.948, 7.4474, 540),
    ("Krakow", 50.0647, 19.945, 219),
    ("Sofia", 42.6977, 23.3219, 580),
    ("Ankara", 39.9334, 32.8597, 900),
    ("Munich", 48.1351, 11.582, 520),
    ("Malmo", 55.605, 13.0038, 10),
    ("Granada", 37.1773, -3.5986, 700),
    ("Edinburgh", 55.9533, -3.1883, 60),
    ("Grenoble", 45.1885, 5.7245, 213),
    ("Reykjavik", 64.1466, -21.9426, 20),
    ("Lviv", 49.8397, 24.0297, 290),
]
PEAKS = [
    ("Mont Blanc", 45.8326, 6.8652, 4806),
    ("Grossglockner", 47.0742, 12.6939, 3798),
    ("Etna", 37.751, 14.9934, 3357),
    ("Musala", 42.1793, 23.5853, 2925),
    ("Ararat", 39.7019, 44.2983, 5137),
    ("Puy de Sancy", 45.5283, 2.8142, 1886),
    ("Aneto", 42.6311, 0.6567, 3404),
    ("Mulhacen", 37.0533, -3.3114, 3479),
    ("Galdhopiggen", 61.6365, 8.3125, 2469),
    ("Toubkal", 31.0597, -7.9153, 4167),
]
AT_SEA = [("Adriatic", 43.0, 15.0), ("North Sea", 56.0, 3.0), ("Biscay", 45.0, -5.0), ("Baltic", 58.0, 20.0)]


@pytest.mark.parametrize(("name", "lat", "lon", "altitude"), TOWNS)
def test_towns_lie_on_their_cell(geography_europe, name, lat, lon, altitude):
    row, col = FINE.index_of(lat, lon)
    assert geography_europe.land[row, col]
    assert geography_europe.elevation[row, col] == pytest.approx(altitude, abs=50)
    # a town's centre is far denser than the countryside (about 1 km2 a cell, at most 150 country people)
    assert geography_europe.population[row, col] > 1000


@pytest.mark.parametrize(("name", "lat", "lon", "altitude"), PEAKS)
def test_peaks_lie_on_their_cell(geography_europe, name, lat, lon, altitude):
    row, col = FINE.index_of(lat, lon)
    around = geography_europe.elevation[row - 6 : row + 7, col - 6 : col + 7]
    peak = np.array(np.unravel_index(around.argmax(), around.shape)) - 6
    assert np.abs(peak).max() <= 2  # two cells: the width of one pixel of the coarser source
    # a cell's mean lies below its summit, by less than a fifth in these massifs
    assert 0.8 * altitude < around.max() < altitude


@pytest.mark.parametrize(("name", "lat", "lon"), AT_SEA)
def test_sea_is_sea(geography_europe, name, lat, lon):
    cell = FINE.index_of(lat, lon)
    assert not geography_europe.land[cell]
    assert geography_europe.elevation[cell] == 0
    assert geography_europe.population[cell] == 0


def test_half_of_the_domain_is_land(geography_europe):
    assert geography_europe.land.mean() == pytest.approx(0.480, abs=0.003)


def test_every_field_is_finite_and_has_its_shape(geography_europe):
    for name in ("land", "elevation", "valley_depth", "terrain_complexity", "population"):
        field = getattr(geography_europe, name)
        assert field.shape == FINE.shape
        assert field.dtype == (bool if name == "land" else np.float32)
        assert np.isfinite(field).all()
        assert field.min() >= 0
    for name in vars(geography_europe):
        if name.startswith("coarse_"):
            field = getattr(geography_europe, name)
            assert field.shape == EUROPE.coarse_box.shape, name
            assert np.isfinite(field).all(), name


@pytest.mark.parametrize(
    ("axis", "north", "south", "west", "east"), [(0, 50.6, 49.4, 25.0, 33.0), (1, 49.0, 44.5, -0.6, 0.6)]
)
def test_terrain_sources_meet_without_a_step(geography_europe, axis, north, south, west, east):
    """Across the seams between sources (50 N in Ukraine, Greenwich in France) there is no step.

    One source is twice as fine-grained as the other, so single neighbours differ more there; their mean does not.
    """
    (top, left), (bottom, right) = FINE.index_of(north, west), FINE.index_of(south, east)
    elevation = geography_europe.elevation[top:bottom, left:right]
    steps = np.diff(elevation, axis=axis).mean(axis=1 - axis)
    # land rises by up to 3 m a cell here on the mean; a source 50 m too high would add 2 m a cell within its seam
    assert np.abs(steps).max() < 4


def test_people_add_up(geography_europe):
    """Europe west of 45 E with North Africa and the Levant down to 30 N: about a thousand million people."""
    assert geography_europe.population.sum() == pytest.approx(1.0e9, rel=0.1)
    # the coarse cells tile the fine grid: their people are the same people, but for the cells on the rim
    assert geography_europe.coarse_population.sum() == pytest.approx(
        geography_europe.population.sum(), rel=0.02
    )


def test_valleys_are_deep_and_plains_are_not(geography_europe):
    depth = geography_europe.valley_depth
    aosta, innsbruck, warsaw = (
        depth[FINE.index_of(*place)] for place in ((45.737, 7.32), (47.269, 11.404), (52.23, 21.01))
    )
    assert aosta > 1500
    assert innsbruck > 1000
    assert warsaw < 80
    assert depth[FINE.index_of(45.8326, 6.8652)] == 0  # Mont Blanc


def test_alps_bar_the_way_and_the_plain_does_not(geography_europe):
    box, north = EUROPE.coarse_box, geography_europe.coarse_barrier_north
    # the lowest crossings of the main crest at 9 E are the passes around 2,000 m, 1,000-1,500 m above their valleys
    crest = max(north[box.index_of(lat, 9.0)] for lat in np.arange(46.0, 47.3, 0.25))
    assert 900 < crest < 2000
    assert north[box.index_of(52.25, 19.0)] < 60
    assert north[0].max() == 0
    assert geography_europe.coarse_barrier_east[:, -1].max() == 0


def test_countries_follow_the_nearest_town(geography_europe):
    codes, index, box = geography_europe.countries, geography_europe.coarse_country, EUROPE.coarse_box
    for lat, lon, code in ((52.0, 20.0, "PL"), (45.25, 9.0, "IT"), (47.0, 2.5, "FR"), (40.0, -4.0, "ES")):
        assert codes[index[box.index_of(lat, lon)]] == code
    towns = geography_europe.towns
    assert towns.country[list(towns.name).index("Katowice")] == "PL"
    assert (np.diff(towns.population) <= 0).all()


def test_a_region_is_its_window_of_europe(geography_europe, geography_alps):
    row, col = FINE.index_of(50.995, 4.005)
    rows, cols = slice(row, row + 1392), slice(col, col + 1392)
    for name in ("land", "elevation", "valley_depth", "terrain_complexity", "population"):
        np.testing.assert_array_equal(
            getattr(geography_alps, name), getattr(geography_europe, name)[rows, cols]
        )
    node_row, node_col = EUROPE.coarse_box.index_of(51.0, 4.0)
    for name in (n for n in vars(geography_alps) if n.startswith("coarse_")):
        window = getattr(geography_europe, name)[node_row : node_row + 57, node_col : node_col + 57]
        np.testing.assert_array_equal(getattr(geography_alps, name), window, err_msg=name)
    codes = geography_alps.countries[geography_alps.coarse_country]
    assert codes[get_domain("alps").coarse_box.index_of(45.25, 9.0)] == "IT"


def test_cached_geography_opens_fast(geography_europe, geography_cache):
    start = time.process_time()
    again = load_geography(EUROPE, geography_cache)
    assert time.process_time() - start < 5  # of CPU; 0.9 s when nothing else runs
    assert again.hash == geography_europe.hash


def test_exported_file_is_small_and_needs_numpy_only(geography_alps, geography_cache, tmp_path):
    path = export_geography(tmp_path / "alps.npz", get_domain("alps"), geography_cache)
    assert path.stat().st_size < 3e6
    again = Geography.from_file(path)
    for name in (
        "land",
        "elevation",
        "valley_depth",
        "terrain_complexity",
        "population",
        "coarse_barrier_east",
    ):
        np.testing.assert_array_equal(getattr(again, name), getattr(geography_alps, name))
    assert again.hash == geography_alps.hash
    code = (
        "import sys\n"
        "for name in ('scipy', 'h5py', 'pandas', 'xarray', 'zarr', 'torch'): sys.modules[name] = None\n"
        "from cranpm.testbed.geography.geography import Geography\n"
        f"print(Geography.from_file({str(path)!r}).hash)\n"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == geography_alps.hash


def test_a_damaged_file_is_refused(geography_alps, geography_cache, tmp_path):
    path = export_geography(tmp_path / "alps.npz", get_domain("alps"), geography_cache)
    path.write_bytes(path.read_bytes()[:-5000])
    with pytest.raises(GeographyFileError, match="not a readable geography file"):
        Geography.from_file(path)
    with pytest.raises(GeographyFileError, match="No geography file"):
        Geography.from_file(tmp_path / "missing.npz")


def test_a_damaged_cache_is_made_again(geography_alps, geography_cache, tmp_path):
    (europe,) = geography_cache.glob("geography-europe-*.npz")
    (tmp_path / europe.name).symlink_to(europe)
    alps = tmp_path / next(geography_cache.glob("geography-alps-*.npz")).name
    alps.write_bytes(b"half a file")
    assert load_geography(get_domain("alps"), tmp_path).hash == geography_alps.hash
    assert alps.stat().st_size > 1e6


def test_a_region_beyond_europe_is_computed_on_its_own(tmp_path):
    """The Volga at 47-50 E lies outside Europe's grid; its land and people come from the same sources."""
    domain = domain_from_corner("volga", "Volga", north=53.0, west=46.0, coarse_rows=8, coarse_cols=8)
    geography = load_geography(domain, tmp_path)
    assert geography.land.mean() > 0.95
    assert 0 < geography.elevation.mean() < 300
    assert "Engels" in geography.towns.name
    assert load_geography(domain, tmp_path).hash == geography.hash  # from the cache


@pytest.mark.real_data
def test_terrain_agrees_with_station_altitudes(geography_europe, real_data):
    """A check by people who never saw the blended terrain."""
    stations = pd.read_csv(real_data / "eea" / "pm25_stations_europe.csv")
    stations = stations.drop_duplicates("AirQualityStationEoICode").dropna(subset=["Altitude"])
    stations = stations[FINE.contains(stations.Latitude, stations.Longitude)]
    assert len(stations) > 2500
    cells = [FINE.index_of(lat, lon) for lat, lon in zip(stations.Latitude, stations.Longitude)]
    elevation = np.array([geography_europe.elevation[cell] for cell in cells])
    # 0.979 and 11 m when the terrain was made; the difference is within-cell relief and wrong altitudes
    assert np.corrcoef(elevation, stations.Altitude)[0, 1] > 0.975
    assert np.median(np.abs(elevation - stations.Altitude)) < 15
    # stations stand on land; those the mask puts at sea stand on quays
    assert np.mean([geography_europe.land[cell] for cell in cells]) > 0.97
