from __future__ import annotations

import json
import os
import subprocess
import sys
import time

import pytest

from cranpm.forecasting.service.request import RunRequest
from cranpm.forecasting.service.run_folder import RunFolder, RunStatus, prune_runs


def request(init="2022-01-05", **changes):
    asked = {
        "dataset": "/d",
        "dataset_hash": "d",
        "checkpoint": "/c",
        "checkpoint_hash": "c",
        "init_time": init,
        "leads": (1,),
    }
    return RunRequest(**asked | changes)


def folder_in(root, name, state):
    folder = RunFolder(root / name)
    folder.path.mkdir()
    folder.write_status(RunStatus(state=state))
    os.utime(folder.path, (1e9, 1e9 + int(name[-1])))  # used one after the other
    return folder


def test_a_run_whose_process_is_gone_shows_as_failed_at_once(tmp_path):
    folder = RunFolder(tmp_path)
    writes = (
        "from pathlib import Path; from cranpm.forecasting.service.run_folder import RunFolder, RunStatus;"
        f"RunFolder(Path({str(tmp_path)!r})).write_status(RunStatus(state='running', done_tiles=3))"
    )
    subprocess.run([sys.executable, "-c", writes], check=True)
    assert folder.status().state == "failed"
    assert folder.status().done_tiles == 3
    elsewhere = json.loads((tmp_path / "progress.json").read_text()) | {"machine": "another node"}
    (tmp_path / "progress.json").write_text(json.dumps(elsewhere))
    assert folder.status().state == "running"  # whose processes nobody here can see: told by its silence


def test_a_silent_worker_shows_as_failed(tmp_path, monkeypatch):
    folder = folder_in(tmp_path, "run1", "running")
    assert folder.status().state == "running"
    later = time.time() + 1000
    monkeypatch.setattr(time, "time", lambda: later)
    assert folder.status().state == "failed"


def test_old_runs_are_pruned_running_and_watched_ones_kept_done_ones_longest(tmp_path):
    for name, state in (
        ("run0", "running"),
        ("run1", "done"),
        ("run2", "done"),
        ("run3", "done"),
        ("run4", "failed"),
        ("run5", "cancelled"),
    ):
        folder_in(tmp_path, name, state)
    (tmp_path / "notes").mkdir()  # somebody's own
    prune_runs(tmp_path, keep=1, watched={"run1"})
    assert sorted(p.name for p in tmp_path.iterdir()) == ["notes", "run0", "run1", "run3"]


def test_a_run_that_was_asked_to_stop_shows_as_cancelled_at_once(tmp_path):
    folder = RunFolder.new(tmp_path, request())
    assert folder.status().state == "queued"
    folder.write_status(RunStatus(state="running", done_tiles=3, total_tiles=9, done_list=(4, 5, 6)))
    folder.ask_to_cancel()
    assert (folder.status().state, folder.status().done_tiles) == ("cancelled", 3)
    assert folder.written_status().state == "running"  # the worker has not seen it yet
    folder.write_status(RunStatus(state="done"))
    assert folder.status().state == "done"  # it was faster


@pytest.mark.parametrize("content", [None, "", "{}", "[1]", '{"state": "done"}', "not json"])
def test_a_folder_without_a_readable_state_is_a_run_that_is_not_there(tmp_path, content):
    folder = RunFolder(tmp_path / "run")
    if content is not None:
        folder.path.mkdir()
        (folder.path / "progress.json").write_text(content)
    assert folder.status().state == "gone"
    folder.ask_to_cancel()
    folder.note_use()


def test_a_removed_folder_does_not_come_back_with_the_next_tile(tmp_path):
    folder = RunFolder.new(tmp_path, request())
    folder.remove_arrays()
    for path in folder.path.iterdir():
        path.unlink()
    folder.path.rmdir()
    folder.write_status(RunStatus(state="running"))
    assert not folder.path.exists()
    assert folder.cancel_asked()  # so its worker stops


def test_runs_of_one_question_are_found_the_last_used_first(tmp_path):
    runs = [RunFolder.new(tmp_path, request()) for _ in range(3)]
    other = RunFolder.new(tmp_path, request("2022-01-06"))
    for age, folder in enumerate(runs):
        os.utime(folder.path, (1e9, 1e9 - age))
    runs[2].note_use()
    assert [f.path for f in RunFolder.of_request(tmp_path, request())] == [
        runs[2].path,
        runs[0].path,
        runs[1].path,
    ]
    assert RunFolder.of_request(tmp_path, request("2022-01-06"))[0].path == other.path
    assert RunRequest.from_dict(json.loads((runs[0].path / "request.json").read_text())) == request()
