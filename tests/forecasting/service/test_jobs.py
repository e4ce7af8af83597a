from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from cranpm.data.store.dataset import DatasetWriter
from cranpm.forecasting.service.jobs import ForecastService
from cranpm.forecasting.service.run import RunFailedError
from cranpm.forecasting.service.run_folder import RunFolder, RunStatus, prune_runs
from cranpm.model.checkpoint import save_checkpoint

INIT = "2022-01-05"


@pytest.fixture(scope="module")
def folder(tmp_path_factory, dataset):
    """The in-memory dataset of this suite as a store."""
    root = tmp_path_factory.mktemp("data") / "corner"
    rng = np.random.default_rng(5)
    era5 = np.abs(rng.normal(1, 0.1, (30, *dataset.domain.coarse_box.shape))).astype(np.float32)
    era5[2] += 280
    era5[3] += 95e3
    era5[5:10] += 270
    era5[20:25] *= 1e-3
    era5[25:] *= 1e4
    with DatasetWriter.create(
        root,
        dataset.domain,
        name="corner",
        title="Corner",
        source="testbed (simulated)",
        simulated=True,
        version="1",
        hash="abc",
        attribution="nobody",
    ) as writer:
        static = dataset.static
        writer.write_static(
            elevation=static["elevation"],
            land=static["land"].astype(np.uint8),
            terrain_complexity=np.full(dataset.domain.fine.shape, 20.0, np.float32),
            coarse_elevation=static["coarse_elevation"],
            coarse_land=np.ones(dataset.domain.coarse_box.shape, np.float32),
        )
        for day, raw in dataset.raw.items():
            cams = np.abs(rng.normal(10, 2, (5, *dataset.domain.coarse_box.shape))).astype(np.float32)
            writer.append_day(day, pm2p5=raw, era5=era5, cams=cams, cams_forecast=cams[:3])
    return root


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory, statistics, drawn):
    path = tmp_path_factory.mktemp("checkpoints") / "drawn"
    save_checkpoint(path, drawn, statistics, "# Drawn at random", {"title": "drawn"})
    return path


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    service = ForecastService(root=tmp_path_factory.mktemp("runs"))
    yield service
    service.close()


def test_a_run_happens_in_another_process_and_can_be_looked_into(service, folder, checkpoint):
    run = service.submit(folder, checkpoint, INIT, (1, 2))
    status = run.wait(120)
    assert (status.state, status.message) == ("done", "")
    assert status.pid != os.getpid()
    assert status.done_tiles == status.total_tiles == len(status.done_list) > 0
    field = run.field(1)
    assert field.shape == (1392, 688) and np.isfinite(field).any()
    assert not np.array_equal(field, run.field(2), equal_nan=True)
    look = run.attention(1, 47.0, 8.0)
    assert np.allclose(look["attention"].sum((-2, -1)), 1, atol=1e-5)
    labelled = run.dataset()
    assert labelled.attrs["checkpoint"] == "drawn" and labelled.attrs["simulated"] == 1
    # the same question is answered by the same run, without computing again
    assert service.submit(folder, checkpoint, INIT, (2, 1)) is run
    assert ForecastService(root=service.root).find(folder, checkpoint, INIT, (1, 2)).state == "done"


def test_failures_reach_the_one_who_asked(service, folder, checkpoint):
    run = service.submit(folder, checkpoint, "2022-02-20", (1,))
    status = run.wait(60)
    assert status.state == "failed" and "2022-02-" in status.message
    assert run.error == status.message
    with pytest.raises(RunFailedError, match="failed, not done"):
        run.dataset()
    # a failed run is not an answer: asking again tries again
    assert service.find(folder, checkpoint, "2022-02-20", (1,)) is None


def test_a_queued_run_waits_its_turn_and_can_be_cancelled(service, folder, checkpoint):
    first = service.submit(folder, checkpoint, INIT, (3,))
    second = service.submit(folder, checkpoint, INIT, (2, 3))
    assert second.position <= 1
    second.cancel()
    assert first.wait(120).state == "done"
    assert second.wait(60).state == "cancelled"


def test_a_run_whose_process_is_gone_shows_as_failed_at_once(tmp_path):
    folder = RunFolder(tmp_path)
    writes = (
        "from pathlib import Path; from cranpm.forecasting.service.run_folder import RunFolder, RunStatus;"
        f"RunFolder(Path({str(tmp_path)!r})).write_status(RunStatus(state='running', done_tiles=3))"
    )
    subprocess.run([sys.executable, "-c", writes], check=True)
    assert folder.status().state == "failed"
    elsewhere = json.loads((tmp_path / "progress.json").read_text()) | {"machine": "another node"}
    (tmp_path / "progress.json").write_text(json.dumps(elsewhere))
    assert folder.status().state == "running"  # whose processes nobody here can see: told by its silence


def test_whoever_finds_a_new_map_finds_nothing_but_nan(tmp_path):
    folder, shape = RunFolder(tmp_path), (3_000, 4_000)
    seen = []

    def watch():
        while not folder.map_path(1).exists():
            time.sleep(0.0005)
        seen.append(bool(np.isnan(folder.field(1)).all()))

    watcher = threading.Thread(target=watch)
    watcher.start()
    values = folder.create_map(1, shape)
    watcher.join(60)
    assert seen == [True]
    values[5, 7] = 3.0  # what is written later is seen through the name
    assert folder.field(1)[5, 7] == 3.0
    assert [path.name for path in tmp_path.iterdir()] == ["forecast_T1.npy"]


def test_a_silent_worker_shows_as_failed(tmp_path, monkeypatch):
    folder = RunFolder(tmp_path / "run")
    folder.path.mkdir()
    folder.write_status(RunStatus(state="running", total_tiles=5))
    assert folder.status().state == "running"
    later = time.time() + 1000
    monkeypatch.setattr(time, "time", lambda: later)
    assert folder.status().state == "failed"


def test_old_runs_are_pruned_and_running_ones_kept(tmp_path):
    for index in range(5):
        folder = RunFolder(tmp_path / f"run{index}")
        folder.path.mkdir()
        folder.write_status(RunStatus(state="running" if index == 0 else "done"))
        time.sleep(0.01)
    prune_runs(tmp_path, keep=2)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["run0", "run3", "run4"]


def test_a_counterfactual_is_a_run_of_its_own_and_says_so(service, folder, checkpoint):
    plain = service.submit(folder, checkpoint, INIT, (1,), tiles=(2,))
    calm = service.submit(
        folder,
        checkpoint,
        INIT,
        (1,),
        tiles=(2,),
        interventions=[("wind_scale/priors", 0), ("scan_raster", 1)],
    )
    assert plain.id != calm.id
    assert (plain.wait(120).state, calm.wait(120).state) == ("done", "done")
    before, after = plain.field(1), calm.field(1)
    assert np.array_equal(np.isnan(before), np.isnan(after))
    assert np.nanmax(abs(before - after)) > 0
    assert calm.dataset().attrs["interventions"] == "wind_scale/priors=0, scan_raster=1"
    assert "interventions" not in plain.dataset().attrs
    with pytest.raises(ValueError, match="Unknown intervention 'wind_of_change'"):
        service.submit(folder, checkpoint, INIT, (1,), interventions=[("wind_of_change", 1)])
