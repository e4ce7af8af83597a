"""A writer killed at any moment leaves the old days or the new one, never half of it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import mini_dataset as mini

from cranpm.data.store import zarr_files
from cranpm.data.store.dataset import Dataset, DatasetWriter, encode_day


def test_readers_see_old_or_new_whenever_the_writer_is_killed(tmp_path):
    script = Path(__file__).parent / "killed_writer.py"
    done = subprocess.run(
        [sys.executable, str(script), str(tmp_path / "mini"), "15"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    kills, days = (int(number) for number in re.findall(r"\d+", done.stdout))
    assert kills == 15
    assert days >= 5, "the writer was killed before it could write anything; give it longer"


def test_stopping_before_each_single_file_shows_the_old_days(tmp_path, monkeypatch):
    """The same, in every one of the places where it can happen: before each file of a day is put in place."""

    class StoppedError(Exception):
        pass

    root = tmp_path / "mini"
    with mini.create(root) as writer:
        writer.append_encoded(encode_day(writer.domain, "2022-01-01", **mini.fields("2022-01-01")))
    real, places = zarr_files.write_atomically, 0
    while True:
        left = places

        def stop_in_time(path, content):
            nonlocal left
            if left == 0:
                raise StoppedError
            left -= 1
            real(path, content)

        with monkeypatch.context() as patch, DatasetWriter.open(root) as writer:
            patch.setattr("cranpm.data.store.zarr_files.write_atomically", stop_in_time)
            patch.setattr("cranpm.data.store.writer.write_atomically", stop_in_time)
            try:
                writer.append_encoded(encode_day(writer.domain, "2022-01-02", **mini.fields("2022-01-02")))
                break
            except StoppedError:
                places += 1
        dataset = Dataset.open(root)
        assert len(dataset.days) == 1
        assert (dataset.pm2p5_raw("2022-01-01") == mini.tenths("2022-01-01")).all()
        # another day takes the place that the broken one had begun to use
        if places in (3, 8, 15):
            other = f"2022-02-{places:02d}"
            with DatasetWriter.open(root) as writer:
                writer.append_encoded(encode_day(writer.domain, other, **mini.fields(other)))
            assert (Dataset.open(root).era5(other) == mini.fields(other)["era5"]).all()
            root = tmp_path / f"mini{places}"
            with mini.create(root) as writer:
                writer.append_encoded(encode_day(writer.domain, "2022-01-01", **mini.fields("2022-01-01")))
    assert places >= 15  # four chunk files, time axes, metadata, the list of days
    assert (Dataset.open(root).pm2p5_raw("2022-01-02") == mini.tenths("2022-01-02")).all()
