"""Imports point down only. The contracts stand in ``.importlinter``; here they are run, and seen to bite."""

from __future__ import annotations

import ast
import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LINT = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as run; run()", "--no-cache"]


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(LINT, cwd=folder, capture_output=True, text=True, timeout=300)


def test_every_contract_is_kept() -> None:
    result = lint(ROOT)
    assert result.returncode == 0, result.stdout
    assert " 0 broken" in result.stdout


def test_upward_indirect_and_circular_imports_are_found(tmp_path: Path) -> None:
    """An import inside a function of the lowest floor, torch reached through another module, a circle in one room."""
    for folder in ("cranpm", "dashboard"):
        shutil.copytree(
            ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("assets", "__pycache__")
        )
    shutil.copy(ROOT / ".importlinter", tmp_path)
    splits = tmp_path / "cranpm" / "domain" / "splits.py"
    splits.write_text(splits.read_text() + "\n\ndef f():\n    import cranpm.data.samples\n")
    days = tmp_path / "cranpm" / "domain" / "days.py"
    days.write_text(days.read_text() + "\n\ndef f():\n    import cranpm.domain.splits\n")
    splits.write_text(splits.read_text() + "\n\ndef g():\n    import cranpm.domain.days\n")
    (tmp_path / "cranpm" / "attic.py").write_text("")
    result = lint(tmp_path)
    assert result.returncode == 1
    assert "No circle anywhere, between files of one room either BROKEN" in result.stdout
    assert "cranpm.attic" in result.stdout  # a module that no floor lists
    assert "cranpm.domain is not allowed to import cranpm.data" in result.stdout
    assert "cranpm.domain is not allowed to import torch" in result.stdout


@pytest.mark.parametrize("module", ["cranpm", "cranpm.cli.app"])
def test_importing_the_package_or_its_command_line_stays_light(module: str) -> None:
    heavy = (
        "torch holoviews geoviews panel bokeh datashader numba matplotlib lightning dask.distributed".split()
    )
    code = f"import sys, {module}; print(*[m for m in {heavy!r} if m in sys.modules])"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert result.stdout.split() == []


@pytest.mark.parametrize("folder", ["cranpm", "dashboard"])
def test_a_room_holds_about_a_dozen_files(folder: str) -> None:
    rooms = [ROOT / folder, *(path for path in (ROOT / folder).rglob("*") if path.is_dir())]
    full = {
        room.relative_to(ROOT).as_posix(): len([p for p in room.glob("*.py") if p.name != "__init__.py"])
        for room in rooms
    }
    assert max(full.values()) <= 14, full


def _project_imports(path: Path) -> set[str]:
    """Modules of the project that a file imports, at the top or inside functions."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.add(node.module)
    return {name for name in found if name.split(".")[0] == "cranpm"}


@pytest.mark.parametrize("folder", ["cranpm", "dashboard", "scripts", "tests"])
def test_every_module_that_is_imported_is_there(folder: str) -> None:
    """An import inside a function fails only when it is called; a renamed module is found here."""
    files = sorted((ROOT / folder).rglob("*.py"))
    asked = {name: path for path in files for name in _project_imports(path)}
    assert asked or folder == "dashboard"  # which imports relatively
    absent = {name: str(path) for name, path in asked.items() if not _is_there(name)}
    assert not absent


def _is_there(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:  # its parent is not there
        return False
