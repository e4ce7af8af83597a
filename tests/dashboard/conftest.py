from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="session")
def data_folder(scene: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one small dataset, "testbed"."""
    folder = tmp_path_factory.mktemp("data")
    scene.write_scene(folder / "testbed", days=4)
    return folder


@pytest.fixture(scope="session")
def fake_run(load_file: Callable[[str], ModuleType]) -> ModuleType:
    """The module with `FakeRun`."""
    return load_file("tests/dashboard/fake_run.py")


@pytest.fixture
def machine(data_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with the small dataset, without checkpoints and runs."""
    monkeypatch.setenv("CRANPM_DATA", str(data_folder))
    monkeypatch.setenv("CRANPM_CHECKPOINTS", str(tmp_path / "checkpoints"))
    monkeypatch.setenv("CRANPM_RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr("cranpm.paths.assets_dir", lambda: tmp_path / "assets")
    monkeypatch.delenv("CRANPM_REAL_DATA", raising=False)
    return tmp_path


@pytest.fixture
def store(machine: Path):
    from cranpm.dashboard.data.store import Store

    return Store()
