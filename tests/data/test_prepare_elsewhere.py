"""The same commands for a region in India, and for days after the satellite product ends: from nothing to a dataset."""

from __future__ import annotations

import json
from pathlib import Path

import mini_dataset as mini
import numpy as np
import pytest

from cranpm.data.build_day import DatasetRecipe
from cranpm.data.download.fetch import NEEDED, choose_sources, fetch, make_plan
from cranpm.data.live import LIVE_TARGET, SHIFT
from cranpm.data.manifest import load_manifest
from cranpm.data.mock_providers.cams import LEVEL
from cranpm.data.mock_providers.files import plane
from cranpm.data.mock_providers.server import MockProviders
from cranpm.data.prepare import _label, prepare_dataset
from cranpm.data.store.dataset import Dataset
from cranpm.domain import CAMS_CHANNELS, Domain, domain_from_corner

DELHI = domain_from_corner("delhi", "Delhi", north=30.0, west=76.0, coarse_rows=8, coarse_cols=8)


def fetched(
    domain: Domain, names: list[str], root: Path, first: str, last: str, zone: str = "Etc/UTC"
) -> None:
    manifest = load_manifest()
    with MockProviders(domain, first, last, queue=0, zone=zone):
        for name in names:
            for source in choose_sources(manifest, name, domain):
                days = np.datetime64(first, "D"), np.datetime64(last, "D")
                fetch(make_plan(source, *days, domain=domain, root=root, estimate=False), patience=0.01)


def test_a_region_in_india_needs_openaq_and_no_european_agency() -> None:
    manifest = load_manifest()
    needed = [source.id for source in choose_sources(manifest, "needed", DELHI)]
    assert needed[-1] == "openaq-archive" and not any(name.startswith("eea") for name in needed)
    assert [source.id for source in choose_sources(manifest, "needed", mini.DOMAIN)] == list(NEEDED)


def test_a_region_in_india_is_prepared_like_europe(tmp_path: Path) -> None:
    first, last, raw = "2022-03-17", "2022-03-18", tmp_path / "raw"
    fetched(DELHI, ["needed"], raw, first, last, zone="Asia/Kolkata")
    said = prepare_dataset(DatasetRecipe(raw=raw, domain=DELHI), first, last, tmp_path / "delhi", workers=0)
    # two of the mock provider's three places lie in the region, 28 to 30 N
    assert said[0].startswith("2 days prepared") and said[1] == "2 stations with 4 daily means."
    dataset = Dataset.open(tmp_path / "delhi")
    fine, day = DELHI.fine, np.datetime64(last)
    expected = 12 * plane(fine.lat, fine.lon, float(day.astype(int)))
    np.testing.assert_allclose(dataset.pm2p5(last).values, expected, atol=0.051)
    assert (
        "OpenAQ" in dataset.meta["attribution"] and "European Environment" not in dataset.meta["attribution"]
    )
    assert _label(DatasetRecipe(raw=raw, domain=DELHI)).endswith("OpenAQ")
    # each hour of the second UTC day is one more than on the first
    by_day = dataset.observations().groupby("time")["pm2p5"].mean()
    assert by_day.diff().iloc[1] == pytest.approx(1.0)


def test_a_live_day_comes_from_the_analysis_and_up_to_date_stations_with_the_reanalysis_as_composition(
    tmp_path: Path,
) -> None:
    first, last, raw = "2024-06-10", "2024-06-11", tmp_path / "raw"
    fetched(mini.DOMAIN, ["live", "cams-eac4"], raw, first, last)
    recipe = DatasetRecipe(raw=raw, domain=mini.DOMAIN, target=LIVE_TARGET, composition="cams-eac4")
    said = prepare_dataset(recipe, first, last, tmp_path / "live", workers=0)
    assert said[0].startswith("2 days prepared") and "stations with" in said[1]
    dataset = Dataset.open(tmp_path / "live")
    assert json.loads((tmp_path / "live" / "dataset.json").read_text())["shift"] == SHIFT
    assert _label(recipe).startswith("live: ")
    fine, box, number = mini.DOMAIN.fine, mini.DOMAIN.coarse_box, float(np.datetime64(last).astype(int))
    found, land = dataset.pm2p5(last).values, np.asarray(dataset.static["land"]) == 1
    assert np.isnan(found[~land]).all()
    # far from the three stations (they lie within 46.5 N, 10.8 E; 200 km are exp(-5.6)) it is the analysis
    row, col = fine.index_of(43.5, 7.5)
    assert land[row, col] or np.isnan(found[row, col])
    far = land & (fine.lat[:, None] < 43.8) & (fine.lon[None, :] < 8.0)
    assert far.any()
    analysis = LEVEL * plane(fine.lat, fine.lon, number)
    assert np.abs(found - analysis)[far].max() < 0.5
    # PM2.5 of the reanalysis: 12 ug m-3 times the plane, interpolated from 0.75 degrees without loss
    pm = [c.name for c in CAMS_CHANNELS].index("pm2p5")
    np.testing.assert_allclose(dataset.cams(last)[pm], 12 * plane(box.lat, box.lon, number), rtol=1e-4)
    assert np.isnan(dataset.cams_forecast(last)).all(), (
        "the reanalysis has no forecasts, and none is invented"
    )
