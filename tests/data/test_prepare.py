"""From downloads to a dataset, on files of mock providers whose every value can be derived."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import mini_dataset as mini
import numpy as np
import pytest
import xarray as xr

from cranpm.data.build_day import DatasetRecipe
from cranpm.data.download.fetch import NEEDED, choose_sources, fetch, make_plan
from cranpm.data.download.receipts import receipt_path
from cranpm.data.errors import DataFileError, MissingSourceError, OutsideDomainError, UnfinishedError
from cranpm.data.manifest import load_manifest
from cranpm.data.mock_providers.files import plane
from cranpm.data.mock_providers.server import MockProviders
from cranpm.data.prepare import prepare_dataset, training_days
from cranpm.data.regrid.density import air_density, to_concentration
from cranpm.data.store.dataset import Dataset
from cranpm.data.store.source import DatasetSource, init_times
from cranpm.domain import DAY_CHANNELS, ERA5_CHANNELS
from cranpm.domain.splits import Splits

FIRST, LAST = "2020-12-30", "2021-01-02"
"""Across the end of the training years."""


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("raw")
    first, last = np.datetime64(FIRST), np.datetime64(LAST)
    manifest = load_manifest()
    with MockProviders(mini.DOMAIN, FIRST, LAST, queue=0):
        for name in NEEDED:
            (source,) = choose_sources(manifest, name)
            fetch(
                make_plan(source, first, last, domain=mini.DOMAIN, root=root, estimate=False), patience=0.01
            )
    return root


@pytest.fixture(scope="module")
def made(raw: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("prepared") / "set"
    recipe = DatasetRecipe(raw=raw, domain=mini.DOMAIN)
    seen: list[tuple[int, int, float | None]] = []
    said = prepare_dataset(recipe, FIRST, LAST, out, workers=0, progress=lambda *step: seen.append(step))
    assert said[0].startswith("4 days prepared, 0 were there")
    assert [step[:2] for step in seen] == [(1, 4), (2, 4), (3, 4), (4, 4)]
    return out


def channel(name: str) -> int:
    return [c.name for c in DAY_CHANNELS].index(name)


def at(day: str, lat: float, lon: float) -> float:
    return plane(np.array([lat]), np.array([lon]), float(np.datetime64(day).astype(int))).item()


def test_weather_is_the_daily_mean_in_house_units(made: Path) -> None:
    dataset, day = Dataset.open(made), "2020-12-31"
    box = mini.DOMAIN.coarse_box
    field = dataset.coarse(day).values
    lat, lon = box.lat[3], box.lon[5]
    # of four steps one, at noon, is 3 K warmer: 3 / 4 = 0.75
    assert field[channel("t2m"), 3, 5] == pytest.approx(280 * at(day, lat, lon) + 0.75, abs=2e-3)
    assert field[channel("u10"), 3, 5] == pytest.approx(2 * at(day, lat, lon), rel=1e-5)
    # ln(1010 / 500) / ln(1010 / 850) = 4.0767 times the 12,500 m2 s-2 at 850 hPa
    assert field[channel("z_500"), 3, 5] == pytest.approx(12.5e3 * 4.07665 * at(day, lat, lon), rel=1e-4)
    assert not np.isnan(field[: len(ERA5_CHANNELS)]).any()


def test_rain_is_the_sum_of_the_24_hours_that_end_in_the_day(made: Path) -> None:
    dataset = Dataset.open(made)
    for day in dataset.days:
        # odd days have 24 hours of 1e-4 m = 2.4 mm, even days are dry; the last day's 24th hour came by itself
        expected = 2.4 if day.astype(int) % 2 else 0.0
        assert dataset.era5(day)[channel("tp")] == pytest.approx(expected, abs=1e-5)


def test_gases_are_weighed_with_the_air_of_the_place(made: Path) -> None:
    dataset, day = Dataset.open(made), "2020-12-30"
    box = mini.DOMAIN.coarse_box
    factor = at(day, box.lat[8], box.lon[9])
    # 95 kPa f and 280 K f (+3 at noon): density 95e3 / (287.05 * 280) = 1.1820 kg m-3 wherever f is
    density = 95e3 / (287.05 * 280)
    no2 = dataset.cams(day)[2, 8, 9]
    assert no2 == pytest.approx(8e-9 * factor * density * 1e9, rel=3e-3), "within what 3 K at noon change"
    assert dataset.cams(day)[0, 8, 9] == pytest.approx(12 * factor, rel=1e-4), "PM2.5 is kg m-3 already"


def test_the_forecast_of_a_day_is_its_own_run(made: Path) -> None:
    dataset, box = Dataset.open(made), mini.DOMAIN.coarse_box
    forecast = dataset.cams_forecast("2020-12-30")
    for index, valid in enumerate(("2020-12-31", "2021-01-01", "2021-01-02")):
        expected = 12 * at(valid, box.lat[4], box.lon[4])
        assert forecast[index, 4, 4] == pytest.approx(expected, rel=1e-4)


def test_fine_maps_are_the_archives_numbers_and_sea_stays_missing(made: Path) -> None:
    dataset, fine, day = Dataset.open(made), mini.DOMAIN.fine, "2021-01-01"
    raw = dataset.pm2p5_raw(day)
    expected = np.rint(120 * plane(fine.lat, fine.lon, float(np.datetime64(day).astype(int)))).astype(
        np.uint16
    )
    sea = np.asarray(dataset.static["land"]) == 0
    expected[sea] = 65535
    np.testing.assert_array_equal(raw, expected)
    assert sea.any() and np.isnan(dataset.pm2p5(day).values[sea]).all(), "NaN, not 0"


def test_terrain_follows_the_elevation_file_and_land_the_mask(made: Path) -> None:
    static, fine = Dataset.open(made).static, mini.DOMAIN.fine
    # sea at and north of 46.7 N, then 200 m a degree: (46.7 - 44.005) * 200 = 539 m, if land
    row = fine.index_of(44.005, 8.0)[0]
    land = np.asarray(static["land"])[row] == 1
    assert np.asarray(static["elevation"])[row][land] == pytest.approx(539, abs=1)
    assert (np.asarray(static["elevation"])[~np.asarray(static["land"]).astype(bool)] == 0).all()
    # a plane of 200 m a degree has, in a disc of 25 km = 0.2248 degrees, s.d. slope * r / 2 = 200 * .2248 / 2 = 22.5
    row, col = fine.index_of(45.2, 9.0)  # the Po valley: no sea within 25 km
    inland = np.asarray(static["terrain_complexity"])[row - 5 : row + 5, col - 5 : col + 5]
    assert inland.mean() == pytest.approx(22.5, abs=0.7)


def test_stations_lie_on_their_cells_with_utc_daily_means(made: Path) -> None:
    dataset = Dataset.open(made)
    stations, observations = dataset.stations(), dataset.observations()
    assert len(stations) == 3
    assert observations["time"].nunique() == 4
    # level + 0, 1, 0, 1, ...; of 24 hours one odd-free hour (05, odd) is invalid: 11 / 23 = 0.478
    first = observations[observations["station_id"] == "XX0000A"]["pm2p5"]
    assert first.to_numpy() == pytest.approx(10 + 11 / 23, abs=1e-4)


def test_statistics_see_training_days_only(made: Path) -> None:
    statistics = Dataset.open(made).statistics
    assert statistics is not None
    assert statistics.period == "2020-12-30..2020-12-31"
    days = [np.datetime64("2020-12-30"), np.datetime64("2020-12-31")]
    field = np.stack([Dataset.open(made).era5(day)[channel("t2m")] for day in days])
    assert statistics.mean["t2m"] == pytest.approx(field.mean(dtype=float), rel=1e-6)


def test_no_test_day_is_reachable_from_a_training_index(made: Path) -> None:
    splits = Splits(
        train=("2020-12-01", "2020-12-31"),
        validation=("2021-01-01", "2021-01-01"),
        test=("2021-01-02", "2021-12-31"),
    )
    source = DatasetSource(Dataset.open(made))
    for lead in (1, 2, 3):
        starts = init_times(source, "train", splits, [lead])
        touched = {d for day in starts for d in (day - 1, day, day + lead)}
        assert all(day <= np.datetime64("2020-12-31") for day in touched)
    assert init_times(source, "train", splits, [1]) == [], "30 needs the 29th, 31 needs January"
    wide = np.arange("2016-06-01", "2023-06-01", dtype="datetime64[D]")
    assert {str(d)[:4] for d in training_days(wide)} == {"2017", "2018", "2019", "2020"}


def test_preparing_again_does_nothing_and_more_days_are_added(raw: Path, made: Path, tmp_path: Path) -> None:
    out = Path(shutil.copytree(made, tmp_path / "set"))
    before = {p: p.stat().st_mtime_ns for p in (out / "pm2p5.zarr").rglob("*") if p.is_file()}
    recipe = DatasetRecipe(raw=raw, domain=mini.DOMAIN)
    said = prepare_dataset(recipe, FIRST, LAST, out, workers=0)
    assert said[0].startswith("0 days prepared, 4 were there")
    assert before == {p: p.stat().st_mtime_ns for p in before}, "not a byte of the maps was written"


def test_a_dataset_says_that_its_providers_were_mocks_and_where_every_byte_came_from(
    raw: Path, made: Path
) -> None:
    dataset = Dataset.open(made)
    assert dataset.simulated
    assert dataset.source == "mock providers (simulated)"
    assert (
        "ECMWF" in dataset.meta["attribution"]
        and "European Environment Agency" in dataset.meta["attribution"]
    )
    provenance = json.loads((made / "provenance.json").read_text())
    assert "ghap-pm25-d1k/GHAP_PM2.5_D1K_202012_V1.zip" in provenance
    receipts = {name: entry for name, entry in provenance.items() if "/" in name}
    assert all(len(entry["sha256"]) == 71 for entry in receipts.values())
    assert "eea-stations/DataExtract.csv.zip" in receipts
    # one hour a day of three points is invalid; no other row is left out
    assert list(provenance["stations"]["left_out"]["rows"]) == ["values marked invalid by the network"]


def test_what_is_missing_is_named_with_the_command_and_nothing_is_written(raw: Path, tmp_path: Path) -> None:
    copy = tmp_path / "raw"
    shutil.copytree(raw, copy)
    (levels,) = (copy / "era5-pressure-levels" / "mini").glob("20210101*levels.nc")
    receipt_path(levels).unlink()
    recipe = DatasetRecipe(raw=copy, domain=mini.DOMAIN)
    match = r"levels. for 2 days, 2021-01-01 to 2021-01-02: cranpm data fetch era5-pressure-levels --start 2021-01-01"
    with pytest.raises(MissingSourceError, match=match):
        prepare_dataset(recipe, FIRST, LAST, tmp_path / "set", workers=0)
    assert not (tmp_path / "set").exists()
    with pytest.raises(ValueError, match="Unknown source 'era6'"):
        DatasetRecipe(raw=raw, domain=mini.DOMAIN, composition="era6")


def test_what_belongs_to_the_days_is_written_whatever_one_part_of_it_meets(raw: Path, tmp_path: Path) -> None:
    copy, out = Path(shutil.copytree(raw, tmp_path / "raw")), tmp_path / "set"
    table = copy / "eea-stations" / "DataExtract.csv.zip"
    right = table.read_bytes()
    table.write_bytes(bytes(len(right)))  # as long as its receipt says, and no archive
    recipe = DatasetRecipe(raw=copy, domain=mini.DOMAIN)
    with pytest.raises(
        UnfinishedError, match=r"All 4 days are in .* stations: .* run the same command again"
    ):
        prepare_dataset(recipe, FIRST, LAST, out, workers=0)
    half = Dataset.open(out)
    assert half.days.size == 4 and half.statistics is not None
    receipts = json.loads((out / "provenance.json").read_text())
    assert "ghap-pm25-d1k/GHAP_PM2.5_D1K_202012_V1.zip" in receipts
    table.write_bytes(right)
    (out / "provenance.json").unlink()  # as after a kill between the last day and the end
    said = prepare_dataset(recipe, FIRST, LAST, out, workers=0)
    assert said[0].startswith("0 days prepared, 4 were there")
    assert len(Dataset.open(out).stations()) == 3
    assert json.loads((out / "provenance.json").read_text()).items() >= receipts.items()


def test_a_day_that_fails_leaves_the_days_before_it_complete(raw: Path, tmp_path: Path) -> None:
    copy, out = Path(shutil.copytree(raw, tmp_path / "raw")), tmp_path / "set"
    january = copy / "ghap-pm25-d1k" / "GHAP_PM2.5_D1K_202101_V1.zip"
    content = bytearray(january.read_bytes())
    middle = slice(len(content) // 4, len(content) * 3 // 4)
    content[middle] = bytes(len(content[middle]))  # its list of members is whole: only reading a map tells
    january.write_bytes(content)
    with pytest.raises(DataFileError, match="GHAP_PM2.5_D1K_202101"):
        prepare_dataset(DatasetRecipe(raw=copy, domain=mini.DOMAIN), FIRST, LAST, out, workers=0)
    dataset = Dataset.open(out)
    assert [str(day) for day in dataset.days] == ["2020-12-30", "2020-12-31"]
    assert dataset.statistics is not None and dataset.observations()["time"].nunique() == 2
    assert "ghap-pm25-d1k/GHAP_PM2.5_D1K_202012_V1.zip" in json.loads((out / "provenance.json").read_text())


def test_statistics_that_are_not_there_are_missed_before_anything_is_made(
    raw: Path, made: Path, tmp_path: Path
) -> None:
    other = Path(shutil.copytree(made, tmp_path / "other"))
    (other / "statistics.json").unlink()
    recipe = DatasetRecipe(raw=raw, domain=mini.DOMAIN)
    with pytest.raises(ValueError, match="has no statistics to take over"):
        prepare_dataset(recipe, FIRST, LAST, tmp_path / "set", workers=0, statistics_of=other)
    assert not (tmp_path / "set").exists()


def test_another_recipe_does_not_continue_a_dataset(raw: Path, made: Path, tmp_path: Path) -> None:
    out = Path(shutil.copytree(made, tmp_path / "set"))
    with pytest.raises(ValueError, match="prepared from other sources"):
        prepare_dataset(
            DatasetRecipe(raw=raw, domain=mini.DOMAIN, composition="cams-eac4"), FIRST, LAST, out, workers=0
        )


@pytest.mark.slow
def test_dask_workers_give_the_same_bytes(raw: Path, made: Path, tmp_path: Path) -> None:
    out = tmp_path / "set"
    prepare_dataset(DatasetRecipe(raw=raw, domain=mini.DOMAIN), FIRST, "2020-12-31", out, workers=1)
    for day in Dataset.open(out).days:
        for name in ("pm2p5_raw", "era5", "cams", "cams_forecast"):
            np.testing.assert_array_equal(
                getattr(Dataset.open(out), name)(day), getattr(Dataset.open(made), name)(day)
            )


def test_density_is_that_of_the_standard_atmosphere_and_falls_with_height() -> None:
    assert float(air_density(np.float64(101325.0), np.float64(288.15))) == pytest.approx(1.225, abs=1e-3)
    # 850 hPa and 8.5 degrees, a mountain town: 85000 / (287.05 * 281.65) = 1.0514
    assert float(air_density(np.float64(85000.0), np.float64(281.65))) == pytest.approx(1.0514, abs=1e-3)


def test_air_that_does_not_reach_the_composition_is_refused() -> None:
    times = np.arange("2022-01-01T00", "2022-01-02T00", 6, dtype="datetime64[h]").astype("datetime64[ns]")
    lat, lon = np.array([46.0, 45.0]), np.array([8.0, 9.0])

    def field(value: float, shift: float = 0.0, days: int = 0) -> xr.DataArray:
        when = times + np.timedelta64(days, "D")
        coords = {"time": when, "latitude": lat + shift, "longitude": lon}
        return xr.DataArray(np.full((4, 2, 2), value), coords, ("time", "latitude", "longitude"), name="no2")

    ratio, pressure, temperature = field(1e-8), field(95e3), field(280.0)
    assert to_concentration(ratio, pressure, temperature).max().item() == pytest.approx(11.82, abs=0.01)
    with pytest.raises(OutsideDomainError, match="weather ends 5.0 degrees before"):
        to_concentration(field(1e-8, shift=5.0), pressure, temperature)
    with pytest.raises(DataFileError, match="Air density is needed"):
        to_concentration(field(1e-8, days=3), pressure, temperature)
