from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest


def load(name: str) -> ModuleType:
    """A helper module that lies beside this file; test folders are no packages."""
    spec = importlib.util.spec_from_file_location(f"dashboard_{name}", Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def scene() -> ModuleType:
    return load("scene")


@pytest.fixture(scope="session")
def serving() -> ModuleType:
    return load("serving")


@pytest.fixture(scope="session")
def data_folder(scene: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one small dataset, "testbed"."""
    folder = tmp_path_factory.mktemp("data")
    scene.write_scene(folder / "testbed", days=4)
    return folder


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
    from dashboard.store import Store

    return Store()
