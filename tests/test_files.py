"""Outputs appear whole or not at all, are refused before the work, and replace nothing foreign."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from cranpm import _files
from cranpm._files import check_output, remove, remove_partials, replacing, write_atomically


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_replaced_in_one_step(tmp_path: Path) -> None:
    target = tmp_path / "new" / "a.json"
    write_atomically(target, b"1")
    write_atomically(target, b"2")
    assert target.read_bytes() == b"2" and names(target.parent) == ["a.json"]


@pytest.mark.parametrize("held", ["nothing", "a file", "a folder"])
def test_after_an_error_the_old_stands_and_nothing_is_left_over(tmp_path: Path, held: str) -> None:
    target = tmp_path / "out"
    if held == "a file":
        target.write_text("old")
    elif held == "a folder":
        target.mkdir()
        (target / "part").write_text("old")
    before = names(tmp_path)

    def stop_half_way() -> None:
        with replacing(target) as partial:
            partial.mkdir()
            (partial / "part").write_text("new")
            raise RuntimeError("half-way")

    with pytest.raises(RuntimeError, match="half-way"):
        stop_half_way()
    assert names(tmp_path) == before
    if held == "a folder":
        assert (target / "part").read_text() == "old"


def test_a_folder_takes_the_place_of_a_folder_and_of_a_file(tmp_path: Path) -> None:
    target = tmp_path / "out"
    target.write_text("a file")
    for content in ("first", "second"):
        with replacing(target) as partial:
            partial.mkdir()
            (partial / "part").write_text(content)
        assert (target / "part").read_text() == content
    assert names(tmp_path) == ["out"]


def test_a_swap_that_fails_puts_the_old_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "out"
    target.mkdir()
    (target / "part").write_text("old")
    real = os.replace

    def fail_on_the_new(source, destination):
        if Path(destination) == target and ".old." not in str(source):
            raise OSError(errno.EIO, "the disk is gone")
        real(source, destination)

    monkeypatch.setattr(_files.os, "replace", fail_on_the_new)
    with pytest.raises(OSError, match="the disk is gone"), replacing(target) as partial:
        partial.mkdir()
    assert (target / "part").read_text() == "old" and names(tmp_path) == ["out"]


def test_a_folder_that_others_still_write_into_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, real, tries = tmp_path / "store", shutil.rmtree, []
    folder.mkdir()

    def busy_twice(path):
        tries.append(path)
        if len(tries) < 3:
            raise OSError(errno.ENOTEMPTY, "Directory not empty")
        real(path)

    monkeypatch.setattr(_files.shutil, "rmtree", busy_twice)
    remove(folder)
    assert not folder.exists() and len(tries) == 3


def test_left_overs_of_processes_that_are_gone_go_and_others_stay(tmp_path: Path) -> None:
    gone, mine = 2**22 + 1, os.getpid()  # beyond the largest process number of Linux
    for name in (f".a.nc.{gone}.partial", f".a.nc.{mine}.partial", f".b.nc.{gone}.partial", "a.nc"):
        (tmp_path / name).write_text("")
        os.utime(tmp_path / name, (0, 0))
    (tmp_path / f".a.nc.{gone + 1}.partial").write_text("")  # young: may be written on another machine
    remove_partials(tmp_path, "a.nc")
    assert names(tmp_path) == sorted(
        [f".a.nc.{mine}.partial", f".b.nc.{gone}.partial", f".a.nc.{gone + 1}.partial", "a.nc"]
    )


def test_what_is_there_is_not_overwritten_unasked(tmp_path: Path) -> None:
    (tmp_path / "a.nc").write_text("x")
    with pytest.raises(FileExistsError, match="nothing was overwritten"):
        check_output(tmp_path / "a.nc")
    check_output(tmp_path / "a.nc", overwrite=True)
    with pytest.raises(FileExistsError, match="was not made by this program; it is left alone"):
        check_output(tmp_path / "a.nc", overwrite=True, is_ours=lambda path: False)


def test_a_place_that_cannot_be_written_is_refused_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(NotADirectoryError, match="is a file, expected a folder"):
        check_output(tmp_path / "file" / "below" / "a.nc")

    def refuse(self, *_, **__):  # permission bits do not bind root, who runs these tests in CI
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "touch", refuse)
    with pytest.raises(PermissionError, match="no permission in"):
        check_output(tmp_path / "new" / "folder" / "a.nc")
    assert not (tmp_path / "new").exists()


def test_a_disk_too_full_is_told_with_both_figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_files.shutil, "disk_usage", lambda folder: SimpleNamespace(free=1_500_000_000))
    check_output(tmp_path / "a.nc", size=1.4e9)
    with pytest.raises(OSError, match=r"needs up to 1.45 GB and .* has 1.50 GB free") as caught:
        check_output(tmp_path / "a.nc", size=1.45e9)  # 64 MiB stay free
    assert caught.value.errno == errno.ENOSPC
