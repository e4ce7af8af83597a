"""Gridded files are looked at before any day is made of them, and what they say of themselves is kept."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import mini_dataset as mini
import numpy as np
import pytest
import xarray as xr

from cranpm.data.audit.audit import audit_dataset
from cranpm.data.build_day import DatasetRecipe
from cranpm.data.download.fetch import NEEDED, choose_sources, fetch, make_plan
from cranpm.data.download.receipts import receipt_path
from cranpm.data.errors import DataFileError, NotThisProductError
from cranpm.data.manifest import load_manifest
from cranpm.data.mock_providers.server import MockProviders
from cranpm.data.prepare import prepare_dataset
from cranpm.data.store.dataset import Dataset

FIRST, LAST = "2021-01-01", "2021-01-02"


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root, period = tmp_path_factory.mktemp("raw"), (np.datetime64(FIRST), np.datetime64(LAST))
    with MockProviders(mini.DOMAIN, FIRST, LAST, queue=0):
        for name in NEEDED:
            (source,) = choose_sources(load_manifest(), name)
            plan = make_plan(source, *period, domain=mini.DOMAIN, root=root, estimate=False)
            fetch(plan, patience=0.01)
    return root


def prepared(raw: Path, out: Path) -> list[str]:
    return prepare_dataset(DatasetRecipe(raw=raw, domain=mini.DOMAIN), FIRST, LAST, out, workers=0)


def rewritten(raw: Path, folder: Path, pattern: str, change: Callable[[xr.Dataset], xr.Dataset]) -> Path:
    """A copy of the downloads in which one file is another, with a receipt that says so."""
    copy = Path(shutil.copytree(raw, folder / "raw"))
    (path,) = copy.rglob(pattern)
    with xr.open_dataset(path, engine="h5netcdf") as held:
        changed = change(held.load())
    changed.to_netcdf(path, engine="h5netcdf")
    receipt = receipt_path(path)
    receipt.write_text(json.dumps(json.loads(receipt.read_text()) | {"bytes": path.stat().st_size}))
    return copy


def preliminary_from_noon(dataset: xr.Dataset) -> xr.Dataset:
    early = dataset["valid_time"].values >= np.datetime64("2021-01-02T12")
    return dataset.assign_coords(expver=("valid_time", np.where(early, "0005", "0001")))


def test_preliminary_weather_is_told_after_preparing_in_provenance_and_by_the_check(
    raw: Path, tmp_path: Path
) -> None:
    copy = rewritten(raw, tmp_path, "20210101*surface.nc", preliminary_from_noon)
    out = tmp_path / "set"
    said = prepared(copy, out)
    assert "Preliminary: ERA5T from 2021-01-02 12:00 UTC on, which ECMWF may still revise." in said
    entries = {k: v for k, v in json.loads((out / "provenance.json").read_text()).items() if "/" in k}
    marked = {k: v["preliminary"] for k, v in entries.items() if "preliminary" in v}
    assert list(marked.values()) == [{"from": "2021-01-02 12:00"}] and "surface" in next(iter(marked))
    found = {f.what: f for f in audit_dataset(out).findings}
    assert found["preliminary weather"].level == "warning"
    assert "from 2021-01-02 12:00 UTC on" in found["preliminary weather"].found


def test_final_weather_is_told_as_such(raw: Path, tmp_path: Path) -> None:
    assert not [line for line in prepared(raw, tmp_path / "set") if line.startswith("Preliminary: ERA5T")]
    found = {f.what: f for f in audit_dataset(tmp_path / "set").findings}
    weather = found["preliminary weather"]
    assert (weather.level, weather.found) == ("ok", "none is marked so")


def test_what_a_file_does_not_state_is_kept(raw: Path, tmp_path: Path) -> None:
    def silent(dataset: xr.Dataset) -> xr.Dataset:
        dataset.attrs = {}
        for variable in dataset.data_vars.values():
            variable.attrs = {"units": variable.attrs["units"]}
        return dataset

    copy = rewritten(raw, tmp_path, "20210101*surface.nc", silent)
    prepared(copy, tmp_path / "set")
    entries = json.loads((tmp_path / "set" / "provenance.json").read_text())
    left = {k: v["not_stated"] for k, v in entries.items() if v.get("not_stated")}
    assert [v for k, v in left.items() if "surface" in k] == [["stream", "type", "step type", "level type"]]
    found = {f.what: f.found for f in audit_dataset(tmp_path / "set").findings}
    assert (
        "stream, type, step type, level type (1 of era5-single-levels)"
        in found["what gridded files do not tell"]
    )


def test_a_file_of_something_else_stops_before_anything_is_written(raw: Path, tmp_path: Path) -> None:
    def monthly(dataset: xr.Dataset) -> xr.Dataset:
        return dataset.assign_attrs(history='"filter_by_keys": {"stream": ["mnth"]}')

    copy = rewritten(raw, tmp_path, "20210101*surface.nc", monthly)
    with pytest.raises(NotThisProductError, match="20210101.*surface.nc is a monthly mean by hour"):
        prepared(copy, tmp_path / "set")
    (levels,) = copy.rglob("20210101*levels.nc")
    content = bytearray(levels.read_bytes())
    content[:4096] = b"\x89HDF\r\n\x1a\n" + b"\xff" * 4088
    levels.write_bytes(content)
    with pytest.raises(
        DataFileError, match=r"2 files are not what is needed. \(1\) .*monthly.*\(2\) .*damaged"
    ):
        prepared(copy, tmp_path / "set")
    assert not (tmp_path / "set").exists()


def test_a_composition_that_is_none_is_refused(raw: Path) -> None:
    with pytest.raises(
        ValueError, match="No composition can be made of 'ghap-pm25-d1k'; known: cams-global-fore"
    ):
        DatasetRecipe(raw=raw, domain=mini.DOMAIN, composition="ghap-pm25-d1k")


@pytest.mark.slow
def test_four_threads_of_one_worker_make_the_days_of_one_process(raw: Path, tmp_path: Path) -> None:
    from distributed import LocalCluster

    recipe = DatasetRecipe(raw=raw, domain=mini.DOMAIN)
    alone, together = tmp_path / "alone", tmp_path / "together"
    prepare_dataset(recipe, FIRST, LAST, alone, workers=0)
    with LocalCluster(n_workers=1, threads_per_worker=4, dashboard_address=None) as cluster:
        prepare_dataset(recipe, FIRST, LAST, together, scheduler=cluster.scheduler_address)
    for day in Dataset.open(alone).days:
        for name in ("pm2p5_raw", "era5", "cams", "cams_forecast"):
            held, made = (getattr(Dataset.open(root), name)(day) for root in (alone, together))
            np.testing.assert_array_equal(held, made)
