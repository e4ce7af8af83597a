"""Domains of users, and where Europe's numbers may stand."""

from __future__ import annotations

import io
import json
import tokenize
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from cranpm.cli.app import app
from cranpm.data.domains import DomainError, example_domains, find_domain, option_of, read_domain
from cranpm.data.download.request_templates import monthly_requests
from cranpm.data.manifest import load_manifest
from cranpm.domain import EUROPE, plan_tiles

ROOT = Path(__file__).parents[2]
GOOD = {"name": "po", "title": "Po", "north": 47.0, "west": 7.0, "coarse_rows": 24, "coarse_cols": 32}


def test_the_domains_of_the_papers_transfer_tests_ship_and_hold_their_places() -> None:
    assert set(example_domains()) == {"india", "north-america"}
    america, india = find_domain("north-america"), find_domain("india")
    # Los Angeles, New York, Edmonton; Delhi, Patna, Chennai
    for lat, lon in ((34.05, -118.24), (40.71, -74.01), (53.55, -113.49)):
        assert america.fine.contains(lat, lon)
    for lat, lon in ((28.61, 77.21), (25.59, 85.14), (13.08, 80.27)):
        assert india.fine.contains(lat, lon)
    assert america.coarse.shape == EUROPE.coarse.shape, "no padding, as in Europe"


def test_requests_follow_the_domain() -> None:
    source, day = load_manifest().source("era5-single-levels"), np.datetime64("2022-03-17")
    _, _, request = next(iter(monthly_requests(source, day, day, find_domain("india").coarse_box)))
    # 36 N, 62 E, 112 x 168 steps of 0.25 degrees: down to 8 N, over to 104 E
    assert request["area"] == [36.0, 62.0, 8.0, 104.0]


def test_yaml_and_json_make_the_same_domain(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps(GOOD))
    (tmp_path / "a.yaml").write_text("\n".join(f"{key}: {value}" for key, value in GOOD.items()))
    domain = read_domain(tmp_path / "a.json")
    assert domain == find_domain(tmp_path / "a.yaml")
    # 24 * 25 = 600 -> 592 rows, whole patches of 16; 32 * 25 = 800 columns
    assert domain.fine.shape == (592, 800)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"north": 47.1}, "multiple of 0.25"),
        ({"north": -88.0}, "beyond the South Pole"),
        ({"west": 179.0}, "crosses 180"),
        ({"name": "Po Valley"}, "name: String should match"),
        ({"name": "europe"}, "name of another domain"),
        ({"coarse_rows": 0}, "coarse_rows: Input should be greater"),
        # one tile has 512 cells: 20 * 25 = 500 are too few
        (
            {"coarse_rows": 20},
            "coarse_rows is 20, too few to be forecast.*512 cells, 21 steps of 0.25 degrees",
        ),
        ({"coarse_cols": 8}, "coarse_cols is 8, too few to be forecast"),
        ({"east": 12}, "east: Extra inputs are not permitted"),
    ],
)
def test_domains_that_cannot_be_are_refused(tmp_path: Path, change: dict, match: str) -> None:
    (tmp_path / "a.json").write_text(json.dumps(GOOD | change))
    with pytest.raises(DomainError, match=match):
        read_domain(tmp_path / "a.json")


def test_unknown_names_list_the_known_ones() -> None:
    with pytest.raises(DomainError, match="known: europe, alps, central-europe, india, north-america"):
        find_domain("atlantis")


def test_advice_names_a_domain_as_the_command_line_takes_it(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps(GOOD))
    assert [option_of(find_domain(name)) for name in ("europe", "alps")] == ["", " --domain alps"]
    assert option_of(find_domain(tmp_path / "a.json")) == " --domain FILE", (
        "its name alone would not be found"
    )


EUROPEAN = {"4192", "6992", "168", "280", "169", "281", "15500", "22491", "22492", "5991", "5992"}
"""Europe's rows, columns and places in the satellite product's grid."""

ALLOWED = {
    "domain/grid.py": "the Grid instance",
    "model/parameters.py": "counts for the paper's grid",
    "data/readers/quantities.py": "the parameter number of the dew point",
}
ALLOWED |= {"cli/info.py": "counts for the paper's grid"}
PIXELS = {"plot"}
"""Packages whose whole numbers are sizes of figures."""


def test_europes_numbers_stand_in_grid_instances_only() -> None:
    found = {}
    for path in sorted((ROOT / "cranpm").rglob("*.py")):
        if path.relative_to(ROOT / "cranpm").parts[0] in PIXELS:
            continue
        tokens = tokenize.generate_tokens(io.StringIO(path.read_text(encoding="utf-8")).readline)
        held = {token.string for token in tokens if token.type == tokenize.NUMBER} & EUROPEAN
        if held:
            found[path.relative_to(ROOT / "cranpm").as_posix()] = held
    assert set(found) <= set(ALLOWED), found
    assert "domain/grid.py" in found, "the search finds what it should"


def test_the_smallest_domain_holds_one_tile_and_a_smaller_one_is_refused_before_anything_is_fetched(
    tmp_path: Path,
) -> None:
    path = tmp_path / "small.json"
    path.write_text(json.dumps(GOOD | {"coarse_rows": 21, "coarse_cols": 21}))
    assert plan_tiles(read_domain(path).fine.shape).num_tiles == 1
    path.write_text(json.dumps(GOOD | {"coarse_rows": 20}))
    period = ["--start", "2022-01-10", "--end", "2022-01-10", "--domain", str(path)]
    for command in (["fetch", "needed"], ["prepare", "--out", str(tmp_path / "set")]):
        outcome = CliRunner().invoke(app, ["data", *command, *period, "--raw", str(tmp_path / "raw")])
        assert outcome.exit_code == 2 and "too few to be forecast" in " ".join(outcome.output.split())
    assert not (tmp_path / "raw").exists() and not (tmp_path / "set").exists()
