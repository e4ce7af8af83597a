"""Checkpoints: whole or refused, and the refusal says why."""

from __future__ import annotations

import json
import pickle
import subprocess
import time
from typing import Any

import numpy as np
import pytest
import torch

from cranpm.domain.channels import DAY_CHANNELS
from cranpm.domain.normalise import Statistics
from cranpm.model.checkpoint import (
    CheckpointError,
    _identity,
    load_checkpoint,
    read_info,
    replace_card,
    save_checkpoint,
)

FILES = ["SHA256SUMS", "card.md", "config.json", "model.safetensors"]

STATISTICS = Statistics(
    mean={channel.name: 1.0 / 3 for channel in DAY_CHANNELS},
    std={channel.name: 2.0 for channel in DAY_CHANNELS},
    period="2017-01-01..2020-12-31",
    source="test",
)


@pytest.fixture
def folder(tmp_path, build):
    """A good checkpoint of the tiny network."""
    save_checkpoint(
        tmp_path / "demo", build(), STATISTICS, card="# Demo\n", meta={"title": "Demo", "seed": 1}
    )
    return tmp_path / "demo"


def edit_config(folder, change):
    """Apply a change to config.json as a careless hand would."""
    path = folder / "config.json"
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


def test_a_checkpoint_comes_back_as_it_was(folder, build, coarse, tiles, run):
    loaded = load_checkpoint(folder)
    assert loaded.statistics == STATISTICS
    assert loaded.config == build().config
    assert (loaded.title, loaded.card, loaded.meta["seed"]) == ("Demo", "# Demo\n", 1)
    assert not loaded.network.training
    assert torch.equal(run(loaded.network, coarse(), tiles()), run(build(), coarse(), tiles()))


def test_the_hash_names_weights_architecture_and_statistics(folder, tmp_path, build):
    same = save_checkpoint(tmp_path / "again", build(), STATISTICS, meta={"title": "another"})
    assert same.hash == read_info(folder).hash
    assert same.short_hash == same.hash[:12]
    other = save_checkpoint(tmp_path / "other", build(scan="raster"), STATISTICS)
    assert other.hash != same.hash
    assert save_checkpoint(tmp_path / "bare", build()).hash != same.hash


def test_channels_are_written_with_units(folder):
    channels = json.loads((folder / "config.json").read_text())["channels"]
    assert len(channels) == 75
    assert channels[0] == {"name": "u10@t", "units": "m s-1"}


def test_saving_again_replaces_and_leaves_nothing_behind(folder, build):
    save_checkpoint(folder, build(), None, card="# Second")
    assert load_checkpoint(folder).statistics is None
    assert [path.name for path in folder.parent.iterdir()] == ["demo"]
    assert sorted(path.name for path in folder.iterdir()) == FILES


def test_a_checkpoint_without_statistics_is_refused_where_they_are_needed(folder, build):
    assert load_checkpoint(folder).require_statistics() == STATISTICS
    save_checkpoint(folder, build(), None)
    with pytest.raises(CheckpointError, match="holds no channel statistics, .* Save it again with them"):
        load_checkpoint(folder).require_statistics()


def test_a_save_that_fails_leaves_the_old_one_standing(folder, build):
    before = read_info(folder).hash
    with pytest.raises(ValueError, match="Out of range float"):
        save_checkpoint(folder, build(), None, meta={"rmse": float("nan")})
    assert read_info(folder).hash == before
    assert [path.name for path in folder.parent.iterdir()] == ["demo"]


def test_a_folder_of_something_else_is_not_overwritten(tmp_path, build):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter1.tex").write_text("precious")
    with pytest.raises(CheckpointError, match="exists and is not a checkpoint; it is left alone"):
        save_checkpoint(tmp_path / "thesis", build())
    assert (tmp_path / "thesis" / "chapter1.tex").read_text() == "precious"


def test_a_checkpoint_of_another_program_is_left_alone_and_notes_beside_ours_are_kept(tmp_path, build):
    other = tmp_path / "transformer"
    other.mkdir()
    (other / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(CheckpointError, match="exists and is not a checkpoint; it is left alone"):
        save_checkpoint(other, build())
    assert (other / "config.json").read_text() == '{"model_type": "bert"}'
    ours = tmp_path / "ours"
    save_checkpoint(ours, build())
    (ours / "notes.txt").write_text("precious")
    (ours / "figures").mkdir()
    (ours / "figures" / "map.txt").write_text("precious")
    save_checkpoint(ours, build())
    assert (ours / "notes.txt").read_text() == (ours / "figures" / "map.txt").read_text() == "precious"
    load_checkpoint(ours)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(CheckpointError, match=f"is not a checkpoint: {name} is missing"):
        load_checkpoint(folder)


@pytest.mark.parametrize("place", [-1, -40_000, 4_000_000 // 2])
def test_a_flipped_bit_in_the_weights_is_found(folder, place):
    path = folder / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="is damaged: its sha256"):
        load_checkpoint(folder)


def test_a_flipped_bit_in_the_header_is_found(folder):
    path = folder / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[8] ^= 1  # the opening brace of the header
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="header is damaged"):
        load_checkpoint(folder)


@pytest.mark.parametrize("keep", [0, 5, 1000, -1])
def test_a_file_cut_short_is_called_so(folder, keep):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(CheckpointError, match="is cut short"):
        load_checkpoint(folder)


@pytest.mark.parametrize("name", FILES)
def test_no_flipped_bit_and_no_cut_goes_unseen(folder, name):
    """250 damages of each file: half of them one bit, half of them an end that is missing."""
    whole = (folder / name).read_bytes()
    draw = np.random.default_rng(FILES.index(name))
    for attack in range(250):
        damaged, place = bytearray(whole), int(draw.integers(len(whole)))
        if attack % 2:
            damaged[place] ^= 1 << int(draw.integers(8))
        else:
            del damaged[place:]
        (folder / name).write_bytes(damaged)
        with pytest.raises(CheckpointError):
            load_checkpoint(folder)
    (folder / name).write_bytes(whole)
    load_checkpoint(folder)


def test_the_sums_are_what_sha256sum_checks(folder):
    done = subprocess.run(["sha256sum", "-c", "SHA256SUMS"], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.count(": OK") == 3


def test_a_change_is_named_with_a_way_out(folder):
    (folder / "card.md").write_text("# Demo\n\nBest model ever.\n")
    with pytest.raises(
        CheckpointError, match=r"card\.md changed after saving.*run 'sha256sum card\.md"
    ) as told:
        load_checkpoint(folder)
    command = str(told.value).split("run '")[1].split("'")[0]
    subprocess.run(command, shell=True, cwd=folder, check=True)
    assert "Best model ever" in load_checkpoint(folder).card


def test_a_checkpoint_gets_another_card(folder):
    before = read_info(folder)
    after = replace_card(folder, "# Demo\n\nScored.\n")
    assert (after.hash, after.meta) == (before.hash, before.meta)
    assert load_checkpoint(folder).card == "# Demo\n\nScored.\n"
    assert sorted(path.name for path in folder.iterdir()) == FILES


def test_a_checkpoint_from_before_there_were_sums_is_read(folder):
    (folder / "SHA256SUMS").unlink()
    assert load_checkpoint(folder).title == "Demo"


def test_weights_of_another_network_are_refused_before_they_are_read(folder, tmp_path, build):
    for changes, message in [
        ({"wind_bias": False}, r"missing bridge\.layers\.0\.beta"),
        ({"local_depth": 3}, r"unexpected local_branch\.swin_blocks\.2"),
        (
            {"mlp_ratio": 2.0},
            r"has shape \(128, 64\), but the architecture in config\.json needs \(256, 64\)",
        ),
    ]:
        other = tmp_path / "other"
        save_checkpoint(other, build(**changes))
        weights = (other / "model.safetensors").read_bytes()
        (folder / "model.safetensors").write_bytes(weights)
        # the careless hand also mends the length
        edit_config(
            folder, lambda d: d["weights"].update(bytes=(folder / "model.safetensors").stat().st_size)
        )
        with pytest.raises(CheckpointError, match=message):
            load_checkpoint(folder)


def test_a_newer_format_is_refused_with_advice(folder):
    edit_config(folder, lambda d: d.update(format=2))
    with pytest.raises(CheckpointError, match=r"format 2; this cranpm reads up to 1\. Update cranpm"):
        load_checkpoint(folder)


def test_an_architecture_of_a_newer_version_is_refused(folder):
    edit_config(folder, lambda d: d["model"].update(mixture_of_experts=8))
    with pytest.raises(CheckpointError, match=r"Unknown ModelConfig field\(s\) mixture_of_experts"):
        load_checkpoint(folder)


@pytest.mark.parametrize("save", [torch.save, lambda obj, path: path.write_bytes(pickle.dumps(obj))])
def test_a_pickled_file_is_refused_by_its_content(folder, build, save):
    path = folder / "model.safetensors"  # the suffix lies
    save(build().state_dict(), path)
    with pytest.raises(CheckpointError, match="is a pickled file, which could run code"):
        load_checkpoint(folder)


@pytest.mark.parametrize(
    ("name", "value"),
    [("global_depth", 10**6), ("local_depth", 10**6), ("bridge_depth", 10**6), ("global_window", 10**6),
     ("local_window", 10**6), ("global_width", 10**9), ("coarse_channels", 10**8), ("num_leads", 10**9)],
)  # fmt: skip
def test_an_architecture_of_millions_with_a_hash_that_fits_is_refused_at_once(folder, name, value):
    """Its parts are not made one by one before the weights are found not to fit."""

    def enlarge(document: dict[str, Any]) -> None:
        document["model"][name] = value
        parts = document["weights"]["sha256"], document["model"], document["statistics"]
        document["hash"] = _identity(*parts)

    edit_config(folder, enlarge)
    (folder / "SHA256SUMS").unlink()
    begun = time.process_time()
    with pytest.raises(
        CheckpointError, match=rf"{name} is {value}|come from different networks|no network can be built"
    ):
        load_checkpoint(folder)
    assert time.process_time() - begun < 5


def test_changed_statistics_are_noticed(folder):
    edit_config(folder, lambda d: d["statistics"]["mean"].update(t2m=0.0))
    with pytest.raises(CheckpointError, match="was changed after saving"):
        load_checkpoint(folder)


@pytest.mark.parametrize(
    ("text", "message"),
    [("{", "is not JSON"), ("[]", "does not describe a cranpm checkpoint"), ('{"format": 1}', "kind is not")],
)
def test_a_config_that_is_none_is_refused(folder, text, message):
    (folder / "config.json").write_text(text)
    with pytest.raises(CheckpointError, match=message):
        load_checkpoint(folder)
