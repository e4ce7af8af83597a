"""A test lies where the code lies that it tests: ``tests/data/readers`` for ``cranpm/data/readers``."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TESTS = ROOT / "tests"
ELSEWHERE = {
    "browser": "the page and JupyterLab in a real browser, by what a user does",
    "data/corrupt_inputs": "every way in which data can be wrong, through all rooms of data",
    "docs": "pages and docstrings",
    "wheel": "the built wheel in an empty environment",
}
"""Folders of tests that mirror no room, and what they are about."""
BY_PROCESS = {
    "dashboard/server/test_crowds.py": "asks a server that runs in another process",
    "dashboard/server/test_doors.py": "asks a server that runs in another process",
}
"""Files that import nothing of the room they test, and how they reach it."""
MIRRORING = sorted(
    path
    for path in TESTS.rglob("test_*.py")
    if path.parent != TESTS and path.parent.relative_to(TESTS).as_posix() not in ELSEWHERE
)
"""All but those that guard the repository as a whole, or the modules at the top of the package."""


def room_of(test: Path) -> Path:
    """The folder that a folder of tests stands for."""
    place = test.parent.relative_to(TESTS)
    return ROOT / place if place.parts[0] in ("dashboard", "scripts") else ROOT / "cranpm" / place


def named_in(test: Path) -> set[Path]:
    """Modules and packages of the project that a test imports or, scripts, loads by their path."""
    found: set[Path | None] = set()
    for node in ast.walk(ast.parse(test.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {file_of(name.name) for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            for name in node.names:
                found.add(file_of(f"{node.module}.{name.name}") or file_of(node.module))
        elif isinstance(node, ast.Constant) and str(node.value).endswith(".py"):
            found.add(path if (path := ROOT / str(node.value)).is_file() else None)
    return {path for path in found if path is not None}


def file_of(module: str) -> Path | None:
    """Where a dotted name of the project lies; the page is imported as ``cranpm.dashboard``."""
    path = ROOT.joinpath(*module.replace("cranpm.dashboard", "dashboard", 1).split("."))
    if path.is_dir():
        return path / "__init__.py"
    return file if (file := path.with_suffix(".py")).is_file() else None


def misplaced(test: Path, named: set[Path]) -> str | None:
    """Why a test lies in the wrong folder, or None."""
    room = room_of(test)
    if not room.is_dir():
        return f"there is no {room.relative_to(ROOT)}"
    inside = {path.relative_to(room).parts for path in named if room in path.parents}
    if not inside:
        return f"it names nothing of {room.relative_to(ROOT)}"
    sub_rooms = {parts[0] if len(parts) > 1 else "" for parts in inside}
    if len(sub_rooms) == 1 and "" not in sub_rooms:
        return f"of {room.relative_to(ROOT)} it names only the room {sub_rooms.pop()}"
    return None


@pytest.mark.parametrize("test", MIRRORING, ids=lambda path: path.relative_to(TESTS).as_posix())
def test_a_test_lies_with_the_code_that_it_tests(test: Path) -> None:
    if test.relative_to(TESTS).as_posix() in BY_PROCESS:
        assert room_of(test).is_dir()
        return
    assert misplaced(test, named_in(test)) is None


def test_misplaced_tests_are_found() -> None:
    era5, network = ROOT / "cranpm/data/readers/era5.py", ROOT / "cranpm/model/network.py"
    assert misplaced(TESTS / "data/readers/test_x.py", {era5, network}) is None
    assert (
        misplaced(TESTS / "data/test_x.py", {era5, network})
        == "of cranpm/data it names only the room readers"
    )
    assert misplaced(TESTS / "data/stations/test_x.py", {era5}) == "it names nothing of cranpm/data/stations"
    assert misplaced(TESTS / "attic/test_x.py", {era5}) == "there is no cranpm/attic"


def test_every_exception_is_still_one() -> None:
    assert all((TESTS / name).is_dir() and not room_of(TESTS / name / "x").is_dir() for name in ELSEWHERE)
    assert all(misplaced(TESTS / name, named_in(TESTS / name)) for name in BY_PROCESS)
