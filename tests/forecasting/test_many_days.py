"""Many days on Dask workers: each exactly once whatever dies, and the same command goes on with the rest."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import numpy as np
import psutil
import pytest
from distributed import Client, LocalCluster
from typer.testing import CliRunner

from cranpm.cli.app import app
from cranpm.forecasting.api import forecast
from cranpm.forecasting.many_days import forecast_days
from cranpm.forecasting.output import open_forecast, write_forecast
from cranpm.forecasting.service.each_day import each_day

DAYS = np.arange("2022-01-11", "2022-01-17", dtype="datetime64[D]")
"""Init days of the scene: the second to the last of those it holds."""


@pytest.fixture(scope="module")
def place(scene, drawn, tmp_path_factory):
    """Seven days of four tiles, and a network that changes the map."""
    root = tmp_path_factory.mktemp("many")
    scene.write_scene(root / "data", domain=scene.SMALL, days=7)
    scene.write_checkpoint(root / "drawn", drawn)
    return root


def dask(*arguments):
    """A process of Dask's own command line, with what it says kept in a pipe."""
    command = [sys.executable, "-m", "dask", *map(str, arguments)]
    return subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"}
    )


def end(*processes):
    for process in processes:
        below = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
        # a nanny that outlives its worker by a moment starts another, which nobody would end
        process.kill()
        for one in below:
            with contextlib.suppress(psutil.NoSuchProcess):
                one.kill()
        process.wait(30)
        process.stderr.close()


@pytest.fixture
def scheduler(tmp_path):
    """A scheduler as ``dask scheduler`` starts it, and its address."""
    process = dask(
        "scheduler", "--port", 0, "--no-dashboard", "--host", "127.0.0.1", "--scheduler-file", tmp_path / "s"
    )
    wait_until((tmp_path / "s").exists)
    yield SimpleNamespace(process=process, address=json.loads((tmp_path / "s").read_text())["address"])
    end(process)


@pytest.fixture
def two_workers(scheduler, tmp_path):
    """Two workers as ``dask worker`` starts them."""
    settings = ("--nthreads", 1, "--no-dashboard", "--local-directory", tmp_path)
    processes = [dask("worker", scheduler.address, *settings, "--name", name) for name in ("one", "two")]
    with Client(scheduler.address) as client:
        client.wait_for_workers(2, timeout=60)
    yield processes
    end(*processes)


@pytest.fixture(scope="module")
def here():
    """A worker in threads of this process, so that what it meets can be arranged; its address."""
    cluster = LocalCluster(n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None)
    yield cluster.scheduler_address
    cluster.close()


def wait_until(condition, seconds=90.0):
    stop = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < stop, "waited in vain"
        time.sleep(0.02)


def make(place, out, **changes):
    given = {
        "start": DAYS[0],
        "end": DAYS[-1],
        "leads": (1, 2),
        "checkpoint": place / "drawn",
        "data": place / "data",
    }
    return forecast_days(out, **(given | changes))


def stamps(folder):
    return {path.name: path.stat().st_mtime_ns for path in folder.glob("*.nc")}


def test_days_are_done_exactly_once_though_a_worker_dies_and_the_rest_goes_on(
    place, scheduler, two_workers, tmp_path
):
    out, told = tmp_path / "maps", []

    def strike(stage, done, total, seconds_left):
        told.append((stage, done, total))
        if done == 1:
            end(two_workers[0])  # with its nanny: nobody takes its place

    found = make(place, out, scheduler=scheduler.address, progress=strike)
    assert found.complete, found.lines()
    assert sorted(found.made) == sorted(set(found.made)) == list(DAYS)
    assert not found.held
    assert sorted(path.name for path in out.iterdir()) == sorted(
        ["forecasts.json", *(f"{day}.nc" for day in DAYS)]
    )
    assert [done for _, done, _ in told] == list(range(len(DAYS) + 1))
    assert told[0][0] == "2 worker(s)" and told[-1][0].startswith("1 worker(s), ")
    # each is what one forecast alone gives
    for day in (DAYS[0], DAYS[-1]):
        alone = forecast(day, [1, 2], checkpoint=place / "drawn", data=place / "data")
        with open_forecast(out / f"{day}.nc") as kept:
            assert kept.attrs["checkpoint_sha256"] == alone.attrs["checkpoint_sha256"]
            assert np.array_equal(kept.time.values, alone.time.values)
            # the file keeps hundredths, and the worker sums with another number of threads
            assert np.nanmax(np.abs(kept.pm2p5.values - alone.pm2p5.values)) < 0.0051 + 2e-3
    # the same again makes what is lost; what somebody has put there instead is left alone and named
    before = stamps(out)
    (out / f"{DAYS[1]}.nc").unlink()
    (out / f"{DAYS[2]}.nc").write_text("precious")
    again = make(place, out, scheduler=scheduler.address)
    assert again.made == [DAYS[1]] and again.held == [DAYS[0], *DAYS[3:]]
    assert "left alone" in again.failed[DAYS[2]] and (out / f"{DAYS[2]}.nc").read_text() == "precious"
    after = stamps(out)
    assert {name for name in after if after[name] != before.get(name)} == {f"{day}.nc" for day in DAYS[1:3]}


def test_a_scheduler_that_goes_leaves_what_is_complete_and_names_the_rest(
    place, scheduler, two_workers, tmp_path
):
    out = tmp_path / "maps"

    def strike(stage, done, total, seconds_left):
        if done == 2:
            end(*two_workers, scheduler.process)

    found = make(place, out, scheduler=scheduler.address, progress=strike)
    assert not found.complete and len(found.made) >= 2
    assert sorted([*found.made, *found.left]) == list(DAYS)
    assert {f"{day}.nc" for day in found.made} == set(stamps(out))
    assert "connection to the scheduler is lost" in found.lines()[-2]
    for day in found.left:
        assert str(day) in found.lines()[-2]


def test_no_scheduler_and_no_worker_are_told_and_what_to_do(place, scheduler, tmp_path):
    from cranpm.forecasting.service.cluster import connect

    with pytest.raises(
        OSError, match="No Dask scheduler answers at 'tcp://127.0.0.1:9'.*'dask scheduler' prints"
    ):
        connect("tcp://127.0.0.1:9", timeout=1)
    with pytest.raises(RuntimeError, match="no worker after 1 s. Start some with 'dask worker ADDRESS'"):
        make(place, tmp_path / "maps", scheduler=scheduler.address, workerless=1)


def test_workers_that_go_in_the_middle_are_waited_for_and_then_the_rest_is_left(
    place, scheduler, two_workers, tmp_path
):
    def strike(stage, done, total, seconds_left):
        if done == 1:
            end(*two_workers)

    found = make(place, tmp_path / "maps", scheduler=scheduler.address, workerless=2, progress=strike)
    assert found.left and "no worker for 2 s" in found.stopped
    assert sorted([*found.made, *found.left]) == list(DAYS)


def test_a_day_that_cannot_be_forecast_is_named_and_the_others_are_made(place, here, tmp_path, monkeypatch):
    from cranpm.forecasting.one_day import Forecaster

    read = Forecaster.read

    def without(self, init):
        if init == DAYS[3]:
            raise ValueError("Too much land is missing.")
        return read(self, init)

    monkeypatch.setattr(Forecaster, "read", without)
    found = make(place, tmp_path / "maps", scheduler=here)
    assert found.failed == {DAYS[3]: "Too much land is missing."}
    assert sorted(found.made) == [*DAYS[:3], *DAYS[4:]] and not found.left
    assert f"FAILED {DAYS[3]}: Too much land is missing." in found.lines()
    monkeypatch.undo()
    assert make(place, tmp_path / "maps", scheduler=here).made == [DAYS[3]]


def test_a_disk_that_fills_in_the_middle_keeps_what_is_complete_and_leaves_the_rest(
    place, here, tmp_path, monkeypatch
):
    out = tmp_path / "maps"

    def room(folder):  # for three days
        return SimpleNamespace(free=1e12 if len(list(out.glob("*.nc"))) < 3 else 1e6)

    monkeypatch.setattr("cranpm._files.shutil.disk_usage", room)
    found = make(place, out, scheduler=here)
    assert len(found.made) == 3 and len(found.left) == 3 and not found.failed
    assert "Make room" in found.stopped and "goes on with the days that have no file" in found.lines()[-1]
    monkeypatch.undo()
    rest = make(place, out, scheduler=here)
    assert sorted(rest.made) == found.left and rest.complete


def test_days_that_are_not_held_are_named(place, here, tmp_path):
    found = make(place, tmp_path / "maps", scheduler=here, start="2022-01-09", end="2022-01-11")
    assert found.made == [DAYS[0]]
    assert "not held with the day before: 2 day(s): 2022-01-09, 2022-01-10" in found.lines()
    with pytest.raises(LookupError, match="between 2023-01-01 and 2023-02-01; the data hold 2022-01-10 to"):
        make(place, tmp_path / "maps", start="2023-01-01", end="2023-02-01")
    with pytest.raises(ValueError, match="last init day, 2022-01-11, lies before the first"):
        make(place, tmp_path / "maps", start="2022-01-12", end="2022-01-11")


def test_a_folder_of_other_forecasts_is_refused_and_replaced_only_if_asked(place, here, tmp_path):
    one = {"scheduler": here, "end": DAYS[0]}
    out = tmp_path / "maps"
    make(place, out, **one)
    with pytest.raises(
        FileExistsError, match=r"asked for otherwise \(leads \[1, 2\] there, \[3\] now\).*--overwrite"
    ):
        make(place, out, leads=3, **one)
    assert make(place, out, leads=3, overwrite=True, **one).made == [DAYS[0]]
    with open_forecast(out / f"{DAYS[0]}.nc") as kept:
        assert kept.lead.values.tolist() == [3]
    # asked for anew, what is right is made again, too
    before = stamps(out)
    assert make(place, out, leads=3, overwrite=True, **one).made == [DAYS[0]]
    assert stamps(out) != before
    # files that somebody made one by one: the right one counts, another one is left alone
    loop = tmp_path / "loop"
    loop.mkdir()
    asked = {"checkpoint": place / "drawn", "data": place / "data"}
    write_forecast(forecast(DAYS[0], [1, 2], **asked), loop / f"{DAYS[0]}.nc")
    assert make(place, loop, **one).held == [DAYS[0]]
    (loop / "forecasts.json").unlink()
    with pytest.raises(FileExistsError, match="exists and is not what was asked for"):
        make(place, loop, leads=3, **one)
    (loop / "forecasts.json").write_text("{}")
    with pytest.raises(FileExistsError, match="not what this program writes there"):
        make(place, loop, **one)


def test_two_at_one_folder_are_told_of_each_other(place, here, tmp_path):
    out, told = tmp_path / "maps", []

    def another(stage, done, total, seconds_left):
        if done == 0:
            with pytest.raises(RuntimeError, match=f"being filled by process {os.getpid()} on "):
                make(place, out, scheduler=here, end=DAYS[0])
            told.append(done)

    make(place, out, scheduler=here, end=DAYS[0], progress=another)
    assert told == [0]


def test_workers_that_lack_something_are_refused_before_any_day(place, here, tmp_path, monkeypatch):
    monkeypatch.setattr("cranpm.forecasting.service.day_tasks.__version__", "0.0.9")
    with pytest.raises(ValueError, match=r"1 of 1 workers cannot .* has cranpm-explorer 0\.0\.9, expected"):
        make(place, tmp_path / "maps", scheduler=here)
    monkeypatch.undo()
    with pytest.raises(ValueError, match=r"workers cannot do the work; .* torch sees no CUDA device"):
        make(place, tmp_path / "maps", scheduler=here, device="cuda:99")
    assert not stamps(tmp_path / "maps")


def lose_the_device_once(mark, day):
    """Work of a worker whose device is lost at its first day."""
    import torch

    from cranpm.forecasting.service.day_tasks import leaving_a_lost_device

    with leaving_a_lost_device():
        if not mark.exists():
            mark.touch()
            raise torch.AcceleratorError("unspecified launch failure")
    return os.getpid()


def test_a_worker_whose_device_is_lost_ends_and_another_does_the_day(tmp_path):
    from cranpm.forecasting.service.cluster import connect, disconnect

    client = connect(None, retries=2)
    try:
        before = client.submit(os.getpid, pure=False).result(60)
        (outcome,) = each_day(client, lose_the_device_once, (tmp_path / "mark",), DAYS[:1])
        assert outcome.error is None
        assert outcome.value not in (before, os.getpid())
    finally:
        disconnect(client)


def die(day):
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_day_that_kills_every_worker_is_told_so():
    from cranpm.forecasting.service.cluster import connect, disconnect

    client = connect(None, retries=1)
    try:
        (outcome,) = each_day(client, die, (), DAYS[:1])
        assert "each worker that had it died over it" in str(outcome.error)
    finally:
        disconnect(client)


def cranpm(*arguments):
    return CliRunner().invoke(app, ["forecast", *map(str, arguments)])


def test_the_command_writes_a_file_a_day_and_tells_the_pace(place, tmp_path):
    out = tmp_path / "maps"
    asked = ["--data", place / "data", "--checkpoint", place / "drawn", "--lead", 1, "--out", out]
    result = cranpm("--start", DAYS[0], "--end", DAYS[2], "--workers", 2, "--format", "zarr", *asked)
    assert result.exit_code == 0, result.output
    assert "3 days, a file each, lead 1 d; 3 made now, 0 were there" in result.output
    assert "maps an hour on 2 worker(s)" in result.output
    assert sorted(path.name for path in out.iterdir()) == [
        *(f"{day}.zarr" for day in DAYS[:3]),
        "forecasts.json",
    ]
    with open_forecast(out / f"{DAYS[2]}.zarr") as kept:
        assert np.isfinite(kept.pm2p5).any()
    result = cranpm("--start", DAYS[0], "--end", DAYS[2], "--format", "zarr", *asked)
    assert result.exit_code == 0 and "0 made now, 3 were there" in result.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "say either --init, or --start and --end"),
        (["--start", DAYS[0]], "say either --init, or --start and --end"),
        (
            ["--init", DAYS[0], "--start", DAYS[0], "--end", DAYS[1]],
            "say either --init, or --start and --end",
        ),
        (["--init", DAYS[0], "--workers", 2], "--workers goes with --start and --end"),
        (["--start", DAYS[0], "--end", DAYS[1], "--preset", "tiny"], "--preset measures the cost of one day"),
        (["--start", DAYS[0], "--end", DAYS[1]], "many days are written into a folder"),
    ],
)
def test_options_that_do_not_go_together_are_refused(arguments, message):
    result = cranpm("--out", "maps.nc", *arguments)
    assert result.exit_code == 2
    assert message in " ".join(result.output.replace("│", " ").split())


def test_local_workers_take_all_cores_in_equal_parts(tmp_path):
    """Dask gives its workers one thread for products: a forecast alone would leave the other cores idle."""
    code = """
import sys, torch
from cranpm.forecasting.service.cluster import connect, disconnect
if __name__ == "__main__":
    for workers in (1, 2):
        client = connect(None, workers=workers)
        print(torch.get_num_threads(), *client.run(torch.get_num_threads).values())
        disconnect(client)
"""
    alone = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    (tmp_path / "ask.py").write_text(code)
    told = subprocess.check_output([sys.executable, tmp_path / "ask.py"], text=True, env=alone)
    one, two = ([int(n) for n in line.split()] for line in told.splitlines())
    assert one[1:] == [one[0]]
    assert two[1:] == [max(1, psutil.cpu_count() // 2)] * 2
