"""Siblings of the satellite product are refused by their names, their variables and their times."""

from __future__ import annotations

import logging
import zipfile
from pathlib import Path

import pytest
from siblings import DAY, FINE, satellite, written

from cranpm.data.errors import DataFileError, NotThisProductError, TimeAxisError, WrongGridError
from cranpm.data.readers.ghap import read_ghap_day


@pytest.mark.parametrize(
    ("name", "error", "match"),
    [
        ("GHAP_PM2.5_M1K_202201_V1.nc", NotThisProductError, "is of monthly means"),
        ("GHAP_PM2.5_Y1K_2022_V1.nc", NotThisProductError, "is of annual means"),
        ("GHAP_PM10_D1K_20220110_V1.nc", NotThisProductError, "holds pm10"),
        ("GHAP_O3_D1K_20220110_V1.nc", NotThisProductError, "holds o3"),
        ("CHAP_PM2.5_D1K_20220110_V4.nc", NotThisProductError, "is CHAP, the product of China"),
        ("GHAP_PM2.5_D10K_20220110_V1.nc", WrongGridError, "is of spacing 10K"),
        ("GHAP_PM2.5_D1K_20220111_V1.nc", TimeAxisError, "is of day 2022-01-11.*expected.*day 2022-01-10"),
    ],
)
def test_siblings_of_the_satellite_product_are_refused(
    name: str, error: type[Exception], match: str, tmp_path: Path
) -> None:
    path = written(tmp_path, satellite(), name)
    with pytest.raises(error, match=match):
        read_ghap_day(path, DAY, FINE)
    with zipfile.ZipFile(tmp_path / "archive.zip", "w") as archive:
        archive.write(path, name)
    with pytest.raises(DataFileError, match=match.split(".*")[0].replace("is of day 2022-01-11", "20220111")):
        read_ghap_day(tmp_path / "archive.zip", DAY, FINE)


def test_an_archive_of_another_product_or_month_is_refused_by_its_name(tmp_path: Path) -> None:
    path = written(tmp_path, satellite(), "GHAP_PM2.5_D1K_20220110_V1.nc")
    assert read_ghap_day(path, DAY, FINE).shape == FINE.shape
    for name, match in (
        ("GHAP_PM2.5_M1K_2022_V1.zip", "monthly means"),
        ("GHAP_PM2.5_D1K_202202_V1.zip", "2022-02"),
    ):
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            archive.write(path, path.name)
        with pytest.raises(DataFileError, match=match):
            read_ghap_day(tmp_path / name, DAY, FINE)


def test_a_time_of_its_own_must_be_the_day(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    right = written(tmp_path, satellite(time=DAY.astype("datetime64[ns]")), "day.nc")
    with caplog.at_level(logging.INFO, "cranpm.data"):
        assert read_ghap_day(right, DAY, FINE).shape == FINE.shape
    assert "says nothing of its archive, quantity, period." in caplog.text, "its day it says"
    with pytest.raises(TimeAxisError, match="is of day 2022-01-10 .*expected.* day 2022-01-11"):
        read_ghap_day(right, DAY + 1, FINE)


@pytest.mark.real_data
def test_the_case_of_an_annual_mean(real_data: Path) -> None:
    with pytest.raises(NotThisProductError, match="is of annual means"):
        read_ghap_day(real_data / "cases" / "GHAP_PM2.5_Y1K_2017_V1.nc", DAY, FINE)
