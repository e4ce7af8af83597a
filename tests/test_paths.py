"""Where things lie: the same place from every folder of a checkout."""

from __future__ import annotations

from pathlib import Path

import pytest

from cranpm import paths

ROOT = Path(__file__).resolve().parents[1]
PLACES = {
    "CRANPM_DATA": (paths.data_dir, "data"),
    "CRANPM_RUNS": (paths.runs_dir, "runs"),
    "CRANPM_CHECKPOINTS": (lambda: paths.checkpoint_roots()[0], "checkpoints"),
}


@pytest.fixture(autouse=True)
def nothing_is_set(monkeypatch):
    for variable in PLACES:
        monkeypatch.delenv(variable, raising=False)


@pytest.mark.parametrize("variable", PLACES)
def test_a_notebook_finds_what_the_dashboard_made(variable, monkeypatch, tmp_path):
    place, name = PLACES[variable]
    for folder in (ROOT, ROOT / "notebooks"):
        monkeypatch.chdir(folder)
        assert place() == ROOT / name
    monkeypatch.chdir(tmp_path)  # outside the checkout
    assert place() == tmp_path / name


@pytest.mark.parametrize("variable", PLACES)
def test_a_variable_moves_the_place(variable, monkeypatch, tmp_path):
    monkeypatch.setenv(variable, str(tmp_path / "elsewhere"))
    assert PLACES[variable][0]() == tmp_path / "elsewhere"
