"""Kill a writer at random moments while a reader looks; prints how many kills left how many days.

A process of its own: it forks after the imports, so that a kill costs no start-up.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
import mini_dataset as mini

from cranpm.data.store.dataset import Dataset, DatasetWriter, encode_day

FIRST = np.datetime64("2022-01-01")


def append_one(root: Path) -> None:
    with DatasetWriter.open(root) as writer:
        day = FIRST + len(writer.days)
        writer.append_encoded(encode_day(writer.domain, day, **mini.fields(day)))


def append_for_ever(root: Path) -> None:
    while True:
        append_one(root)


def check(root: Path) -> int:
    """Every visible day is whole and right; returns how many there are."""
    dataset = Dataset.open(root)
    assert (dataset.days == FIRST + np.arange(len(dataset.days))).all(), dataset.days
    for day in dataset.days[-3:]:
        fields = mini.fields(day)
        np.testing.assert_array_equal(dataset.pm2p5_raw(day), fields["pm2p5"])
        for name in ("era5", "cams", "cams_forecast"):
            np.testing.assert_array_equal(getattr(dataset, name)(day), fields[name])
    return len(dataset.days)


def look_until_told(root: Path) -> None:
    stop = []
    signal.signal(signal.SIGTERM, lambda *_: stop.append(True))
    seen = 0
    while not stop:
        now = check(root)
        assert now >= seen, "days vanished"
        seen = now


def forked(work, *arguments) -> int:
    child = os.fork()
    if child:
        return child
    try:
        work(*arguments)
    except BaseException:
        import traceback

        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def main(root: Path, kills: int) -> None:
    draw = random.Random(5)
    child = forked(lambda: mini.create(root).close())
    assert os.waitpid(child, 0)[1] == 0
    started = time.perf_counter()
    assert os.waitpid(forked(append_one, root), 0)[1] == 0
    pace = time.perf_counter() - started  # of one day on this machine, as busy as it is now
    for _ in range(kills):
        writer, reader = forked(append_for_ever, root), forked(look_until_told, root)
        time.sleep(draw.uniform(0.2, 4) * pace)
        os.kill(writer, signal.SIGKILL)
        killed = os.waitstatus_to_exitcode(os.waitpid(writer, 0)[1])
        assert killed == -signal.SIGKILL, f"the writer ended by itself: {killed}"
        os.kill(reader, signal.SIGTERM)
        assert os.waitpid(reader, 0)[1] == 0, "the reader saw something wrong"
        assert os.waitpid(forked(check, root), 0)[1] == 0
    print(f"{kills} kills, {check(root)} days")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
