"""What a person gets who installs, cites or runs this project."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.version import Version

import cranpm

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PINS = dict(
    line.split("==")
    for line in (ROOT / "constraints.txt").read_text().split("\n")
    if line and not line.startswith("#")
)


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_constraints_hold_only_plain_names_and_versions() -> None:
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+", name) for name in PINS)
    # a local suffix such as +cpu names one build: nobody else could install it
    assert all(re.fullmatch(r"[0-9][0-9A-Za-z.]*", version) for version in PINS.values())
    assert canonical(PROJECT["name"]) not in {canonical(name) for name in PINS}


def test_every_direct_requirement_is_pinned_inside_its_range() -> None:
    pins = {canonical(name): Version(version) for name, version in PINS.items()}
    extras = [text for group in PROJECT["optional-dependencies"].values() for text in group]
    requirements = [Requirement(text) for text in PROJECT["dependencies"] + extras]
    for requirement in requirements:
        if canonical(requirement.name) != canonical(PROJECT["name"]):
            assert pins[canonical(requirement.name)] in requirement.specifier, requirement


def test_python_311_is_supported_and_the_command_is_named_cranpm() -> None:
    assert PROJECT["requires-python"] == ">=3.11"
    assert PROJECT["scripts"] == {"cranpm": "cranpm.cli.app:app"}


def test_one_version_everywhere() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == cranpm.__version__


def test_the_citation_names_the_paper_and_its_six_authors() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    paper = citation["preferred-citation"]
    assert citation["license"] == PROJECT["license"] == "BSD-3-Clause"
    assert "2603.11725" in paper["url"]
    assert [
        author["family-names"] for author in paper["authors"]
    ] == "Kheder Toropainen Peng Antão Liu Boy".split()


def test_ci_runs_the_same_command_as_a_person() -> None:
    script = (ROOT / ".ci" / "run").read_text()
    assert script.startswith("#!/usr/bin/env bash")
    assert "make test" in script


@pytest.mark.parametrize("target", ["dashboard", "lab", "test", "lint", "notebooks", "demo", "clean"])
def test_make_knows_the_target(target: str) -> None:
    result = subprocess.run(
        ["make", "--dry-run", target], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert result.returncode == 0, result.stderr


def test_the_grib_library_leaves_map_projections_and_the_exit_whole() -> None:
    """Builds of ecCodes with a PROJ of their own took pyproj's database away and crashed Python as it ended."""
    pytest.importorskip("eccodes")
    script = "import eccodes, pyproj; print(pyproj.Transformer.from_crs(4326, 3035).transform(52, 10))"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr
    assert "(3210000.0, 4321000.0)" in result.stdout
