"""One process at a time: who holds a lock is named, and nobody has to clean up after a killed one."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path
from threading import Thread

import pytest

from cranpm._lock import Lock, LockHeldError

HOLD = """
import pathlib, sys
from cranpm._lock import Lock
lock = Lock(pathlib.Path(sys.argv[1]))
print("held", flush=True)
input()
"""


def holder(path: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None and process.stdout.readline() == "held\n"
    return process


def test_the_other_process_is_named(tmp_path: Path) -> None:
    with holder(tmp_path / "l") as process:
        with pytest.raises(LockHeldError) as refused:
            Lock(tmp_path / "l")
        assert refused.value.holder == f"process {process.pid} on {platform.node()}"
        process.communicate("\n")
    Lock(tmp_path / "l").release()


def test_a_killed_holder_keeps_nobody_out(tmp_path: Path) -> None:
    with holder(tmp_path / "l") as process:
        process.kill()
    assert (tmp_path / "l").exists(), "killed before it could clean up"
    with Lock(tmp_path / "l"):
        pass
    assert not list(tmp_path.iterdir())


def test_it_is_held_against_the_same_process_too_and_released_by_any_thread(tmp_path: Path) -> None:
    lock = Lock(tmp_path / "l")
    with pytest.raises(LockHeldError, match=f"held by process {os.getpid()}"):
        Lock(tmp_path / "l")
    thread = Thread(target=lock.release)
    thread.start()
    thread.join()
    with Lock(tmp_path / "l"):
        lock.release()  # a second release does not let go of another's lock
        with pytest.raises(LockHeldError):
            Lock(tmp_path / "l")


def test_a_holder_who_could_not_leave_a_note_still_holds_it(tmp_path: Path) -> None:
    (tmp_path / "l.holder").mkdir()
    with Lock(tmp_path / "l"), pytest.raises(LockHeldError, match="held by another process"):
        Lock(tmp_path / "l")
