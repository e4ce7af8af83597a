"""Datasets and checkpoints by name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cranpm.registry import (
    NotFoundError,
    find_checkpoint,
    find_dataset,
    list_checkpoints,
    list_datasets,
)


@pytest.fixture(autouse=True)
def machine(tmp_path, monkeypatch):
    for variable in ("CRANPM_DATA", "CRANPM_CHECKPOINTS"):
        monkeypatch.setenv(variable, str(tmp_path / variable))
    monkeypatch.setattr("cranpm.paths.assets_dir", lambda: tmp_path / "assets")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def dataset(root: Path, name: str, text: str | None = None) -> Path:
    folder = root / "CRANPM_DATA" / name
    folder.mkdir(parents=True)
    (folder / "dataset.json").write_text(
        json.dumps({"simulated": name == "testbed"}) if text is None else text
    )
    return folder


def checkpoint(root: Path, name: str) -> Path:
    folder = root / name
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"where": str(root)}))
    (folder / "model.safetensors").touch()
    return folder


def test_without_a_name_the_testbed_else_the_only_one(machine):
    with pytest.raises(
        NotFoundError, match=r"No dataset called 'testbed' \(found: none\).*cranpm testbed build"
    ):
        find_dataset()
    dataset(machine, "europe")
    assert find_dataset().name == "europe"
    dataset(machine, "testbed")
    assert find_dataset().simulated
    assert [entry.name for entry in list_datasets()] == ["europe", "testbed"]


def test_the_data_folder_may_be_a_dataset_itself(machine):
    folder = dataset(machine, "")
    assert [entry.path for entry in list_datasets()] == [folder]


def test_a_folder_is_found_wherever_it_lies(machine):
    folder = dataset(machine, "elsewhere").rename(machine / "here")
    assert find_dataset(folder).path == find_dataset("here").path.resolve() == folder


def test_a_damaged_description_is_told_not_passed_over(machine):
    dataset(machine, "testbed", text="{")
    assert [entry.damaged for entry in list_datasets()] == [True]
    for name in (None, "testbed", machine / "CRANPM_DATA" / "testbed"):
        with pytest.raises(
            NotFoundError, match=r"testbed/dataset\.json is not readable JSON; the dataset is damaged"
        ):
            find_dataset(name)


def test_of_two_checkpoints_with_one_name_the_users_own_counts(machine):
    own = checkpoint(machine / "CRANPM_CHECKPOINTS", "demo")
    checkpoint(machine / "assets" / "checkpoints", "demo")
    shipped = checkpoint(machine / "assets" / "checkpoints", "other")
    assert [entry.path for entry in list_checkpoints()] == [own, shipped]
    assert find_checkpoint().path == own


def test_half_a_checkpoint_and_hidden_folders_are_not_listed(machine):
    root = machine / "CRANPM_CHECKPOINTS"
    (checkpoint(root, "half") / "model.safetensors").unlink()
    checkpoint(root, ".demo-being-written")
    assert list_checkpoints() == []
    with pytest.raises(NotFoundError, match=r"No checkpoint called 'demo' \(found: none\).*cranpm train"):
        find_checkpoint()
