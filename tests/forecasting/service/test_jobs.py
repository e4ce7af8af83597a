from __future__ import annotations

import os
import shutil
import signal
import threading
import time

import numpy as np
import psutil
import pytest

from cranpm.data.store.creation import DatasetDescription
from cranpm.data.store.dataset import DatasetWriter, encode_day
from cranpm.domain import plan_tiles
from cranpm.explain.place_answer import PlaceRequest
from cranpm.explain.place_test import PlaceTest
from cranpm.forecasting.array_file import ArrayFileError
from cranpm.forecasting.service.jobs import ForecastService
from cranpm.forecasting.service.request import make_request
from cranpm.forecasting.service.run import Run, RunFailedError
from cranpm.forecasting.service.run_folder import RunFolder, RunStatus
from cranpm.model.checkpoint import save_checkpoint

INIT = "2022-01-05"


def wait_until(condition, seconds=120.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.005)


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
    described = DatasetDescription(
        name="corner",
        title="Corner",
        source="testbed (simulated)",
        simulated=True,
        version="1",
        hash="abc",
        attribution="nobody",
    )
    with DatasetWriter.create(root, dataset.domain, described) as writer:
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
            writer.append_encoded(
                encode_day(writer.domain, day, pm2p5=raw, era5=era5, cams=cams, cams_forecast=cams[:3])
            )
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
    run = service.submit(make_request(folder, checkpoint, INIT, (1, 2)))
    status = run.wait(120)
    assert (status.state, status.message) == ("done", "")
    assert status.pid != os.getpid()
    assert status.done_tiles == status.total_tiles == len(status.done_list) > 0
    # 10 x 20 of the 1392 x 628 - 492 x 540 cells of land have no value, and no node of the coarse fields lacks one
    assert status.missing_land == pytest.approx(200 / 608_496)
    assert status.missing_coarse == 0
    assert status.cost is not None and status.cost.seconds > 0
    assert 50e6 < status.cost.memory < psutil.virtual_memory().total  # a process that has loaded PyTorch
    # q of 1e-3 for a network of 5e-3 +- 3e-4, z of 1e4 for 2e4 +- 3: five levels of each on two days
    unusual = [one["channel"].partition("_")[0] for one in status.unusual_inputs]
    assert (unusual.count("q"), unusual.count("z"), len(unusual)) == (10, 10, 20)
    field = run.field(1)
    assert field.shape == (1392, 688) and np.isfinite(field).any()
    assert not np.array_equal(field, run.field(2), equal_nan=True)
    look = run.attention(1, 47.0, 8.0)
    assert np.allclose(look["attention"].sum((-2, -1)), 1, atol=1e-5)
    labelled = run.dataset()
    assert labelled.attrs["checkpoint"] == "drawn" and labelled.attrs["simulated"] == 1
    # the same question is answered by the same run, without computing again
    assert service.submit(make_request(folder, checkpoint, INIT, (2, 1))) is run
    assert (
        ForecastService(root=service.root).find(make_request(folder, checkpoint, INIT, (1, 2))).state
        == "done"
    )
    # and tells what another day will take
    assert run.expected is None
    assert service.expected(make_request(folder, checkpoint, "2022-01-06", (1, 2))) == status.cost


def test_failures_reach_the_one_who_asked(service, folder, checkpoint):
    run = service.submit(make_request(folder, checkpoint, "2022-02-20", (1,)))
    status = run.wait(60)
    assert status.state == "failed" and "2022-02-" in status.message
    assert run.error == status.message
    with pytest.raises(RunFailedError, match="failed, not done"):
        run.dataset()
    # a failed run is not an answer: asking again tries again
    assert service.find(make_request(folder, checkpoint, "2022-02-20", (1,))) is None


@pytest.fixture
def held(service, tmp_path):
    """The worker begins no forecast before the file ``go`` in this folder is there."""

    def hold(place):
        from cranpm.forecasting.service import tasks

        with tasks.ONE_AT_A_TIME:
            (place / "holds").touch()
            while not (place / "go").exists():
                time.sleep(0.01)

    future = service.client().submit(hold, tmp_path, pure=False)
    wait_until((tmp_path / "holds").exists)
    yield tmp_path
    (tmp_path / "go").touch()
    future.result(timeout=60)


def test_a_run_that_waits_is_cancelled_at_once(service, folder, checkpoint, held):
    first = service.submit(make_request(folder, checkpoint, INIT, (3,)))
    second = service.submit(make_request(folder, checkpoint, INIT, (2, 3)))
    third = service.submit(make_request(folder, checkpoint, INIT, (1, 3)))
    assert (first.position, second.position, third.position) == (0, 1, 2)
    begun = time.monotonic()
    second.cancel()
    assert second.folder.written_status().state == "cancelled"
    assert time.monotonic() - begun < 1
    assert third.position == 1  # it moved up
    third.cancel()
    (held / "go").touch()
    assert first.wait(120).state == "done"


def test_a_run_that_has_ended_is_not_ahead_while_the_worker_still_tidies_up(
    service, folder, checkpoint, held
):
    ended = service.submit(make_request(folder, checkpoint, INIT, (1, 2, 3), tiles=(2,)))
    waiting = service.submit(make_request(folder, checkpoint, INIT, (1, 2, 3), tiles=(3,)))
    assert waiting.position == 1
    ended.folder.write_status(RunStatus(state="failed", message="No such day."))
    assert waiting.position == 0
    waiting.cancel()
    ended.cancel()


def test_a_run_belongs_to_those_who_watch_it(service, folder, checkpoint, held):
    first = service.submit(make_request(folder, checkpoint, INIT, (1, 2, 3)), watcher="somebody")
    run = service.submit(make_request(folder, checkpoint, INIT, (2, 3)), watcher="ada")
    assert service.submit(make_request(folder, checkpoint, INIT, (2, 3)), watcher="ben") is run
    run.leave("ada")
    assert run.state == "queued"  # ben still waits
    run.leave("ben")
    assert run.state == "cancelled"
    first.leave("somebody")
    assert first.state == "cancelled"  # also the one that the worker has already
    (held / "go").touch()
    wait_until(lambda: first.folder.written_status().state == "cancelled")


def test_a_running_run_is_cancelled_within_a_second_and_the_next_goes_on(service, folder, checkpoint):
    run = service.submit(
        make_request(folder, checkpoint, INIT, (1, 2, 3), interventions=[("wind_scale", 0.5)])
    )
    wait_until(lambda: run.status.done_tiles or run.status.finished)
    begun = time.monotonic()
    run.cancel()
    assert run.state == "cancelled"
    following = service.submit(make_request(folder, checkpoint, INIT, (1,), tiles=(3,)))
    assert following.wait(60).state == "done"
    assert run.folder.written_status().state == "cancelled"  # the worker noticed, and said how far it was
    assert time.monotonic() - begun < 60


def test_the_same_question_again_is_another_run(service, folder, checkpoint):
    """Two runs of one question share nothing: who shows the first does not see the second's tiles, nor its NaN."""
    steps = [("wind_scale", 0.25)]
    first = service.submit(make_request(folder, checkpoint, INIT, (1,), interventions=steps))
    wait_until(lambda: first.status.done_tiles)
    partial = first.map(1)
    first.cancel()
    second = service.submit(make_request(folder, checkpoint, INIT, (1,), interventions=steps))
    assert second.id != first.id
    assert second.wait(120).state == "done"
    assert second.map(1).read(slice(None), slice(None)).shape == partial.shape
    assert np.isfinite(second.field(1)).sum() >= np.isfinite(partial.read(slice(None), slice(None))).sum() > 0
    assert service.find(make_request(folder, checkpoint, INIT, (1,), interventions=steps)) is second


def test_a_run_that_was_removed_is_not_there(service, folder, checkpoint):
    run = service.submit(make_request(folder, checkpoint, INIT, (1,), tiles=(2, 3)))
    run.wait(120)
    request = run.request
    shown = run.map(1)
    shutil.rmtree(run.folder.path)
    assert run.state == "gone"
    run.cancel()
    assert not service._find(request, Run, service.root)
    assert np.isfinite(shown.read(slice(None), slice(None))).any()  # what is on the screen stays
    again = service.submit(make_request(folder, checkpoint, INIT, (1,), tiles=(2, 3)))
    assert again is not run
    assert again.wait(120).state == "done"


def test_a_run_with_a_damaged_map_is_no_answer(service, folder, checkpoint):
    run = service.submit(make_request(folder, checkpoint, INIT, (1,), tiles=(1,)))
    assert run.wait(120).state == "done"
    path = run.folder.map_path(1)
    os.truncate(path, path.stat().st_size // 2)
    assert service._find(run.request, Run, service.root) is None
    with pytest.raises(ArrayFileError, match="forecast_T1.npy is cut short"):
        run.field(1)


def test_a_worker_that_dies_takes_only_the_run_it_was_at(tmp_path, folder, checkpoint):
    service = ForecastService(root=tmp_path)
    try:
        finished = service.submit(make_request(folder, checkpoint, INIT, (1,), tiles=(1,)))
        assert finished.wait(120).state == "done"
        before = finished.folder.map_path(1).stat().st_mtime_ns, finished.status
        struck = service.submit(make_request(folder, checkpoint, INIT, (1, 2, 3)))
        waiting = service.submit(make_request(folder, checkpoint, INIT, (2,), tiles=(1,)))
        wait_until(lambda: struck.status.done_tiles)
        os.kill(struck.status.pid, signal.SIGKILL)
        status = struck.wait(60)
        assert status.state == "failed"
        assert "stopped without a word" in status.message or "worker process died" in status.message
        assert waiting.wait(120).state == "done"  # by the worker that took its place
        assert (finished.folder.map_path(1).stat().st_mtime_ns, finished.status) == before
        assert (
            service.find(make_request(folder, checkpoint, INIT, (1, 2, 3))) is None
        )  # a failed run is no answer
    finally:
        service.close()


def test_a_failed_run_says_why_and_leaves_its_disk(service, folder, checkpoint, monkeypatch):
    run = service.submit(make_request(folder, checkpoint, INIT, (1,), tiles=(4000,)))
    status = run.wait(60)
    assert status.state == "failed"
    assert "outside the plan" in status.message
    assert sorted(path.name for path in run.folder.path.iterdir()) == ["progress.json", "request.json"]


def test_other_users_of_the_machine_give_the_worker_no_orders(service):
    from distributed import Client
    from distributed.security import Security

    address = service.client().scheduler.address
    assert address.startswith("tls://127.0.0.1:")
    for stranger in (
        {"address": address.replace("tls", "tcp")},
        {"address": address, "security": Security.temporary()},  # keys of its own
    ):
        with pytest.raises(OSError, match=r"."):
            Client(**stranger, timeout=3)


def test_whoever_finds_a_new_map_finds_nothing_but_nan(tmp_path):
    folder, shape = RunFolder(tmp_path), (3_000, 4_000)
    seen = []

    def watch():
        while not folder.map_path(1).exists():
            time.sleep(0.0005)
        seen.append(bool(np.isnan(folder.open_map(1).read(slice(None), slice(None))).all()))

    watcher = threading.Thread(target=watch)
    watcher.start()
    values = folder.create_map(1, shape)
    watcher.join(60)
    assert seen == [True]
    values[5, 7] = 3.0  # what is written later is seen by who has it open
    assert folder.open_map(1).read(slice(5, 6), slice(7, 8)) == 3.0
    assert [path.name for path in tmp_path.iterdir()] == ["forecast_T1.npy"]


def test_a_counterfactual_is_a_run_of_its_own_and_says_so(service, folder, checkpoint):
    plain = service.submit(make_request(folder, checkpoint, INIT, (1,), tiles=(2,)))
    steps = [("wind_scale/priors", 0), ("scan_raster", 1)]
    calm = service.submit(make_request(folder, checkpoint, INIT, (1,), tiles=(2,), interventions=steps))
    assert plain.id != calm.id
    assert (plain.wait(120).state, calm.wait(120).state) == ("done", "done")
    before, after = plain.field(1), calm.field(1)
    assert np.array_equal(np.isnan(before), np.isnan(after))
    assert np.nanmax(abs(before - after)) > 0
    assert calm.dataset().attrs["interventions"] == "wind_scale/priors=0, scan_raster=1"
    assert "interventions" not in plain.dataset().attrs
    with pytest.raises(ValueError, match="Unknown intervention 'wind_of_change'"):
        make_request(folder, checkpoint, INIT, (1,), interventions=[("wind_of_change", 1)])


@pytest.fixture(scope="module")
def tile_run(service, folder, checkpoint):
    """A run of one tile that stays."""
    run = service.submit(make_request(folder, checkpoint, INIT, (1, 2), tiles=(3,)), watcher="these tests")
    assert run.wait(120).state == "done"
    return run


def test_a_job_looks_into_a_run_keeps_what_it_finds_and_is_not_done_twice(service, tile_run):
    request = PlaceRequest.of_run(tile_run, lead=2, tile=3, token=16 * 32 + 20)
    test = service.look_into(tile_run, request, PlaceTest, watcher="ada")
    assert service.look_into(tile_run, request, PlaceTest, watcher="ben") is test
    status = test.wait(120)
    assert (status.state, status.message) == ("done", "")
    assert status.pid != os.getpid()
    assert status.done_tiles == status.total_tiles > 10
    answer = test.answer()
    assert answer.most_attended[0].place > 0
    # it starts from the forecast that is on the map, but for bfloat16: the mean of the token's 16 x 16 cells
    tile = plan_tiles(tile_run.map(2).shape).tiles[3]
    top, left = tile.rows.start + 16 * 16, tile.cols.start + 20 * 16
    cells = tile_run.map(2).read(slice(top, top + 16), slice(left, left + 16))
    assert answer.forecast == pytest.approx(np.nanmean(cells), rel=0.01)
    assert test.folder.path.parent == tile_run.folder.path  # it goes with its run
    other = ForecastService(root=service.root)  # another process finds it, too
    assert other.look_into(tile_run, request, PlaceTest).answer() == answer


def test_a_test_ends_with_the_last_who_waits_for_it_and_another_may_follow(service, tile_run, held):
    request = PlaceRequest.of_run(tile_run, lead=1, tile=3, token=500)
    test = service.look_into(tile_run, request, PlaceTest, watcher="ada")
    test.leave("ada")
    assert test.state == "cancelled"
    second = service.look_into(tile_run, request, PlaceTest, watcher="ben")
    assert second is not test
    (held / "go").touch()
    assert second.wait(120).state == "done"
    assert test.folder.written_status().state == "cancelled"
    assert service.look_into(tile_run, request, PlaceTest, watcher="ada") is second


def test_a_run_that_is_not_done_cannot_be_looked_into(service, folder, checkpoint, held):
    run = service.submit(make_request(folder, checkpoint, INIT, (2,), tiles=(1, 3)))
    with pytest.raises(RunFailedError, match="not done; make it again, then ask"):
        service.look_into(run, PlaceRequest.of_run(run, lead=2, tile=3, token=77), PlaceTest)
    run.cancel()


def test_a_test_that_makes_no_sense_says_so_in_a_sentence(service, folder, checkpoint):
    run = service.submit(
        make_request(folder, checkpoint, INIT, (1,), tiles=(3,), interventions=[("bridge_off", 1)])
    )
    assert run.wait(120).state == "done"
    test = service.look_into(run, PlaceRequest.of_run(run, lead=1, tile=3, token=5), PlaceTest)
    test.wait(120)
    assert test.error.startswith("This network reads nothing through the bridge")
    assert test.answer() is None
