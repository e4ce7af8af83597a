"""A reader sees the old or the new, a failure leaves the old and nothing else, nothing foreign is removed; outputs are
refused before the work."""

from __future__ import annotations

import contextlib
import errno
import os
import platform
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread
from types import SimpleNamespace

import pytest

from cranpm import _files
from cranpm._files import (
    ForeignFilesError,
    check_output,
    remove,
    remove_partial_files,
    replacing,
    write_atomically,
    write_figure,
)


def always(_: Path) -> bool:
    return True


def make_folder(path: Path, text: str) -> Path:
    path.mkdir(parents=True)
    (path / "one").write_text(text)
    (path / "two").write_text(text)
    return path


def put_file(path: Path, text: str) -> None:
    write_atomically(path, text)


def put_draft_file(path: Path, text: str) -> None:
    with replacing(path) as draft:
        draft.write_text(text)


def put_folder(path: Path, text: str) -> None:
    with replacing(path, is_ours=always) as draft:
        make_folder(draft, text)


def content(path: Path) -> set[str]:
    files = [path / "one", path / "two"] if path.is_dir() else [path]
    return {file.read_text() for file in files}


WAYS = [put_file, put_draft_file, put_folder]


@pytest.mark.parametrize("put", WAYS)
def test_new_and_again(tmp_path: Path, put: Callable[[Path, str], None]) -> None:
    path = tmp_path / "not" / "there yet" / "name.ext"
    for text in ("old", "new"):
        put(path, text)
        assert content(path) == {text}
        assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("put", [put_file, put_draft_file])
def test_who_reads_a_file_all_the_time_sees_old_or_new(
    tmp_path: Path, put: Callable[[Path, str], None]
) -> None:
    path, stop, seen = tmp_path / "f", Event(), set()
    texts = {letter * 200_000 for letter in "ab"}
    put(path, "a" * 200_000)

    def read() -> None:
        while not stop.is_set():
            seen.add(path.read_text())

    reader = Thread(target=read)
    reader.start()
    for turn in range(20):
        put(path, "ab"[turn % 2] * 200_000)
    stop.set()
    reader.join()
    assert seen <= texts and seen


class Refusal:
    """A full disk refuses one of the calls that change it; removing always works."""

    CALLS = ("replace", "fsync", "mkdir")

    def __init__(self, patch: pytest.MonkeyPatch, number: int) -> None:
        self.left = number
        for name in self.CALLS:
            patch.setattr(os, name, self._guard(getattr(os, name)))
        patch.setattr(Path, "open", self._guard(Path.open))

    def _guard(self, plain: Callable[..., object]) -> Callable[..., object]:
        def guarded(*arguments: object, **named: object) -> object:
            self.left -= 1
            if self.left == -1:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return plain(*arguments, **named)

        return guarded


@pytest.mark.parametrize("put", WAYS)
def test_whichever_call_is_refused_the_old_stands_and_nothing_is_left(
    tmp_path: Path, put: Callable[[Path, str], None]
) -> None:
    path = tmp_path / "name.ext"
    for number in range(100):
        put(path, "old")
        with pytest.MonkeyPatch.context() as patch:
            refusal = Refusal(patch, number)
            with contextlib.suppress(OSError):
                put(path, "new")
        assert list(tmp_path.iterdir()) == [path]
        if refusal.left >= 0:
            break
        # the last call of all only waits until the new name, which stands, is on the disk
        assert content(path) in ({"old"}, {"new"})
    assert content(path) == {"new"}
    assert number >= 3


def test_the_names_are_on_the_disk_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Content, then its place, then the folder that names it: in this order a power cut loses nothing."""
    order: list[str] = []
    fsync, replace = os.fsync, os.replace

    def synced(handle: int) -> None:
        order.append("folder" if os.path.isdir(f"/proc/self/fd/{handle}") else "file")
        fsync(handle)

    def replaced(*arguments: Path) -> None:
        order.append("place")
        replace(*arguments)

    if not Path("/proc/self/fd").exists():
        pytest.skip("asks Linux which file is synced")
    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", replaced)
    put_file(tmp_path / "f", "x")
    assert order == ["file", "place", "folder"]
    order.clear()
    put_folder(tmp_path / "d", "x")
    assert order == ["file", "file", "folder", "place", "folder"]
    order.clear()
    write_atomically(tmp_path / "g", "x", sync=False)
    assert order == ["place"]


def test_a_body_that_fails_leaves_the_old(tmp_path: Path) -> None:
    put_folder(tmp_path / "d", "old")

    def put_half() -> None:
        with replacing(tmp_path / "d", is_ours=always) as draft:
            make_folder(draft, "half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        put_half()
    assert list(tmp_path.iterdir()) == [tmp_path / "d"] and content(tmp_path / "d") == {"old"}


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    thesis = make_folder(tmp_path / "thesis", "precious")
    with (
        pytest.raises(ForeignFilesError, match="thesis holds something else .* left alone"),
        replacing(thesis),
    ):
        pytest.fail("refused before the work is done")
    with pytest.raises(ForeignFilesError), replacing(thesis, is_ours=lambda path: (path / "config").exists()):
        pytest.fail("refused before the work is done")

    def put_where_somebody_else_writes() -> None:
        with replacing(tmp_path / "later") as draft:
            make_folder(draft, "new")
            (tmp_path / "later" / "one").write_text("precious")  # came meanwhile

    (tmp_path / "later").mkdir()
    with pytest.raises(ForeignFilesError, match="left alone"):
        put_where_somebody_else_writes()
    (tmp_path / "file").write_text("precious")
    with pytest.raises(ForeignFilesError, match="is a file"), replacing(tmp_path / "file") as draft:
        make_folder(draft, "new")
    with pytest.raises(OSError), replacing(tmp_path / "later", is_ours=always) as draft:
        draft.write_text("a file where a folder is")
    with pytest.raises(OSError):
        write_atomically(thesis, "a file where a folder is")
    assert content(thesis) == content(tmp_path / "file") == {"precious"}
    assert (tmp_path / "later" / "one").read_text() == "precious"
    assert {path.name for path in tmp_path.iterdir()} == {"thesis", "later", "file"}


def test_an_empty_folder_may_be_filled(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    with replacing(tmp_path / "d") as draft:
        make_folder(draft, "new")
    assert content(tmp_path / "d") == {"new"}


@pytest.mark.parametrize("put", WAYS)
def test_a_link_stays_and_what_it_points_to_is_replaced(
    tmp_path: Path, put: Callable[[Path, str], None]
) -> None:
    put(tmp_path / "big disk" / "real", "old")
    (tmp_path / "link").symlink_to(tmp_path / "big disk" / "real")
    put(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink() and content(tmp_path / "big disk" / "real") == {"new"}
    assert len(list((tmp_path / "big disk").iterdir())) == 1


def test_two_threads_do_not_write_into_one_draft(tmp_path: Path) -> None:
    with replacing(tmp_path / "f") as one:
        one.write_text("one")
        with replacing(tmp_path / "f") as two:
            two.write_text("two")
        assert content(tmp_path / "f") == {"two"}
    assert content(tmp_path / "f") == {"one"}


KILL = """
import os, sys, signal
from pathlib import Path
from cranpm import _files
real, turn = os.replace, 0
def replace(*arguments):
    global turn
    turn += 1
    if turn == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
    real(*arguments)
os.replace = replace
with _files.replacing(Path(sys.argv[1]), is_ours=lambda path: True) as draft:
    draft.mkdir()
    for name in ("one", "two"):
        (draft / name).write_text("new")
"""


@pytest.fixture(params=[1, 2], ids=["before the swap", "within the swap"])
def killed(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A folder whose writer was killed before the first or before the second of the two renames."""
    path = make_folder(tmp_path / "d", "old")
    done = subprocess.run([sys.executable, "-c", KILL, str(path), str(request.param)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert len(list(tmp_path.iterdir())) == 2, "something is left over"
    return path


def test_what_a_killed_process_left_is_tidied_by_the_next_writer(killed: Path) -> None:
    with pytest.raises(KeyboardInterrupt), replacing(killed, is_ours=always):
        raise KeyboardInterrupt  # the old one is back even if this one fails too
    assert content(killed) == {"old"} and list(killed.parent.iterdir()) == [killed]


def test_what_a_killed_process_left_is_tidied_by_who_holds_the_lock(killed: Path) -> None:
    remove_partial_files(killed.parent)
    assert content(killed) == {"old"} and list(killed.parent.iterdir()) == [killed]


def test_what_others_are_writing_is_left_to_them(tmp_path: Path) -> None:
    """Of this process, of another machine, of another name, of another program."""
    with replacing(tmp_path / "f") as draft:
        draft.write_text("mine")
        others = [
            tmp_path / f".f.elsewhere-{os.getpid()}-01234567.partial",
            draft.with_name(draft.name.replace(".f.", ".f.nc.")),
            tmp_path / ".f.partial",
            tmp_path / ".f.1234.partial",
        ]
        for path in others:
            path.write_text("not mine")
        put_draft_file(tmp_path / "f", "new")
        assert all(path.exists() for path in [draft, *others])


def test_names_say_who_writes(tmp_path: Path) -> None:
    with replacing(tmp_path / "f") as draft:
        machine = "".join(c if c.isalnum() or c == "_" else "_" for c in platform.node())[:30]
        assert draft.name.startswith(f".f.{machine}-{os.getpid()}-") and draft.name.endswith(".partial")
        draft.touch()


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


def test_what_is_there_is_not_overwritten_unasked(tmp_path: Path) -> None:
    (tmp_path / "a.nc").write_text("x")
    with pytest.raises(FileExistsError, match="nothing was overwritten"):
        check_output(tmp_path / "a.nc")
    check_output(tmp_path / "a.nc", overwrite=True)
    with pytest.raises(FileExistsError, match="holds something else .* it is left alone"):
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


@pytest.mark.parametrize(("name", "begins"), [("curve.png", b"\x89PNG"), ("curve.svg", b"<?xml")])
def test_a_picture_is_written_whole_in_the_format_of_its_name(
    tmp_path: Path, name: str, begins: bytes
) -> None:
    from matplotlib.figure import Figure

    write_figure(tmp_path / name, Figure(figsize=(1, 1)))
    assert (tmp_path / name).read_bytes().startswith(begins)
    assert [file.name for file in tmp_path.iterdir()] == [name]


def test_a_picture_that_cannot_be_drawn_leaves_the_old_one(tmp_path: Path) -> None:
    from matplotlib.figure import Figure

    picture, figure = tmp_path / "skill.png", Figure(figsize=(1, 1))
    picture.write_bytes(b"old")
    figure.text(0.5, 0.5, r"$\no_such_symbol$")
    with pytest.raises(ValueError, match="no_such_symbol"):
        write_figure(picture, figure)
    assert picture.read_bytes() == b"old"
