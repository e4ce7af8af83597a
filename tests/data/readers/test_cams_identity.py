"""The products of CAMS are told apart by what their files say, and refused where another one was asked for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from siblings import COMPOSITION_SIBLINGS, DAY, EUROPEAN_SIBLINGS, eac4, european, forecasts, written

from cranpm.data.errors import DataFileError, NotThisProductError, TimeAxisError
from cranpm.data.live import live_map
from cranpm.data.readers.cams import open_cams, open_cams_run
from cranpm.data.readers.cams_europe import read_ensemble_run
from cranpm.data.readers.products import EAC4, EUROPE_ANALYSIS, GLOBAL_FORECASTS
from cranpm.domain import EUROPE, domain_from_corner


def test_the_composition_products_are_told_apart(tmp_path: Path) -> None:
    near, reanalysis = written(tmp_path, forecasts(), "near.nc"), written(tmp_path, eac4(), "eac4.nc")
    assert open_cams(near).attrs["product"] == GLOBAL_FORECASTS.title
    assert open_cams(reanalysis).attrs["product"] == EAC4.title
    with pytest.raises(DataFileError, match=r"eac4\.nc .*expected the CAMS global forecasts"):
        open_cams(reanalysis, product=GLOBAL_FORECASTS)
    with pytest.raises(DataFileError, match=r"near\.nc .*expected the CAMS reanalysis EAC4"):
        open_cams(near, product=EAC4)
    with pytest.raises(DataFileError, match=r"near\.nc .*expected the hourly analysis of the CAMS European"):
        open_cams(near, product=EUROPE_ANALYSIS)


@pytest.mark.parametrize("sibling", COMPOSITION_SIBLINGS)
def test_siblings_of_the_composition_are_refused_by_name(sibling: str, tmp_path: Path) -> None:
    make, match = COMPOSITION_SIBLINGS[sibling]
    with pytest.raises(DataFileError, match=match):
        open_cams(written(tmp_path, make()))


@pytest.mark.parametrize(("first", "level"), [("2019-07-08", 60), ("2019-07-09", 137)])
def test_the_surface_is_the_lowest_level_of_its_time(first: str, level: int, tmp_path: Path) -> None:
    dataset = forecasts(GRIB_typeOfLevel="hybrid").rename(pm2p5="co")
    dataset["co"].attrs["GRIB_paramId"] = 210123
    shift = np.datetime64(first) - DAY
    dataset = dataset.assign_coords(
        forecast_reference_time=dataset["forecast_reference_time"] + shift,
        valid_time=dataset["valid_time"] + shift,
    )
    both = xr.concat(
        [dataset, dataset * 2], dim=pd.Index([60.0, 137.0], name="model_level"), combine_attrs="override"
    )
    both["co"].attrs = dataset["co"].attrs
    opened = open_cams(written(tmp_path, both))
    expected = (dataset["co"] * (1 if level == 60 else 2) * 1e9).mean().item()
    assert opened["co"].mean().item() == pytest.approx(expected, rel=1e-6)


def test_steps_of_another_day_and_runs_that_overlap_are_refused(tmp_path: Path) -> None:
    far = written(tmp_path, forecasts(tuple(range(24, 48, 3)), (0,)), "far.nc")
    assert open_cams(far).attrs["lead"] == "24 to 45 h"
    with pytest.raises(
        TimeAxisError, match="holds steps 24 to 45 h ahead of their runs; expected at most 12"
    ):
        open_cams(far, longest_lead=12)
    overlapping = written(tmp_path, forecasts(tuple(range(0, 24, 3))), "overlap.nc")
    with pytest.raises(
        TimeAxisError, match="its runs overlap, so that time 2022-01-10 12:00:00 stands there twice"
    ):
        open_cams(overlapping)
    assert open_cams_run(overlapping, DAY).sizes["time"] == 8, "one run is one run"
    with pytest.raises(NotThisProductError, match="is an analysis|expected the CAMS global forecasts"):
        open_cams_run(written(tmp_path, forecasts(GRIB_dataType="es"), "spread.nc"), DAY)


def test_the_european_ensemble_is_read_as_what_it_is(tmp_path: Path) -> None:
    domain = domain_from_corner("m", "M", north=47.0, west=7.0, coarse_rows=8, coarse_cols=8)
    tenths, _ = live_map([written(tmp_path, european(), "analysis.nc")], DAY, domain)
    assert set(np.unique(tenths)) <= set(range(120, 131))
    run = read_ensemble_run(written(tmp_path, european("FORECAST"), "forecast.nc"), DAY)
    assert run.values.shape[0] == 4


@pytest.mark.parametrize("sibling", EUROPEAN_SIBLINGS)
def test_siblings_of_the_european_analysis_do_not_make_a_live_map(sibling: str, tmp_path: Path) -> None:
    make, match = EUROPEAN_SIBLINGS[sibling]
    with pytest.raises(NotThisProductError, match=match):
        live_map([written(tmp_path, make())], DAY, EUROPE)


@pytest.mark.parametrize(
    ("name", "match"),
    [
        ("cams.eaq.vra.ENSa.pm2p5.l0.2022-01.nc", "is a validated reanalysis"),
        ("cams.eaq.ira.ENSa.pm2p5.l0.2022-01.nc", "is an interim reanalysis"),
        ("CHIMERE_ANALYSIS.nc", "is of model CHIMERE"),
        ("ENS_FORECAST.nc", "is a forecast"),
    ],
)
def test_names_of_the_european_product_count(name: str, match: str, tmp_path: Path) -> None:
    dataset = european(globals={"title": "", "source": "", "history": "", "ANALYSIS": ""})
    dataset["time"].attrs["long_name"] = "time from 20220110"
    with pytest.raises(NotThisProductError, match=match):
        live_map([written(tmp_path, dataset, name)], DAY, EUROPE)


@pytest.mark.real_data
def test_cases_of_the_european_product(real_data: Path) -> None:
    def case(name: str) -> Path:
        return real_data / "cases" / f"cams_eu_{name}.nc"

    with pytest.raises(TimeAxisError, match="is of run 2020-06-09 to 2020-06-12"):
        read_ensemble_run(case("four_runs_lead0"), np.datetime64("2020-06-09"))
    with pytest.raises(NotThisProductError, match="is a forecast"):
        live_map([case("forecast_lead72")], np.datetime64("2020-06-12"), EUROPE)
    with pytest.raises(NotThisProductError, match="holds level 50 m, not the surface"):
        open_cams(case("level50_only"))
    # Warsaw, by the case's description
    surface = (
        open_cams(case("2levels"))["pm2p5"]
        .isel(time=0)
        .sel(latitude=52.25, longitude=21.05, method="nearest")
    )
    assert surface.item() == pytest.approx(24.2375, abs=1e-4)
    for read in (
        lambda p: read_ensemble_run(p, np.datetime64("2020-01-01")),
        lambda p: live_map([p], DAY, EUROPE),
    ):
        with pytest.raises(NotThisProductError, match="no surface concentration of pm2p5, but no2, pm10"):
            read(case("no_pm25"))
