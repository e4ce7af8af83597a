"""Files and folders that appear whole or not at all; room and permission seen before; nothing foreign replaced.

A file or folder is made beside its place under a hidden name, ``.NAME.PID.partial``, and renamed when it is whole. Only
the standard library is used, and psutil where it is, so that every package may import this.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

SPARE_BYTES = 64 * 2**20
"""Room that stays free on a disk."""

_ABANDONED_SECONDS = 3600.0
"""A partial file of a process that is gone is removed when nobody has touched it for so long: on a shared disk, that
process may run on another machine."""


def partial_path(path: Path) -> Path:
    """Where this process makes what will be at ``path``."""
    return path.with_name(f".{path.name}.{os.getpid()}.partial")


def write_atomically(path: Path, content: bytes | memoryview) -> None:
    """Put a file in place in one step; a reader sees the old one or the new one."""
    with replacing(path) as partial, partial.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A place to make a file or folder in, which is at ``path`` once the block has ended without an error.

    What was there is kept until the new one stands; after an error it is as it was, and nothing is left over.

    Yields
    ------
    Path
        Beside ``path``; nothing is there yet.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = partial_path(path)
    remove(partial)
    try:
        yield partial
        put_in_place(partial, path)
    except BaseException:
        with contextlib.suppress(OSError):
            remove(partial)
        raise


def put_in_place(partial: Path, path: Path) -> None:
    """Rename a finished file or folder to its place; a folder that was there stands until the new one does."""
    if not (partial.is_dir() or path.is_dir()):
        os.replace(partial, path)
        return
    aside = path.with_name(f".{path.name}.{os.getpid()}.old.partial")
    remove(aside)
    with contextlib.suppress(FileNotFoundError):
        os.replace(path, aside)
    try:
        os.replace(partial, path)
    except OSError:
        with contextlib.suppress(FileNotFoundError):
            os.replace(aside, path)
        raise
    remove(aside)
    sync_folder(path.parent)


def remove(path: Path) -> None:
    """Remove a file or a folder, if it is there; a folder that others still write into is tried for some seconds."""
    if not path.is_dir() or path.is_symlink():
        path.unlink(missing_ok=True)
        return
    for attempt in range(10):
        try:
            shutil.rmtree(path)
            return
        except FileNotFoundError:
            if not path.exists():
                return
        except OSError as error:
            # threads of a store that failed may still be at work in it
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST) or attempt == 9:
                raise
        time.sleep(0.05 * (attempt + 1))


def remove_partials(folder: Path, name: str = "*") -> None:
    """Remove what processes that are gone left of ``name``, directly in a folder."""
    for left in Path(folder).glob(f".{name}.*.partial"):
        digits = [part for part in left.name.split(".") if part.isdigit()]
        with contextlib.suppress(OSError):
            is_old = time.time() - left.stat().st_mtime > _ABANDONED_SECONDS
            if digits and is_old and not _is_running(int(digits[-1])):
                remove(left)


def _is_running(pid: int) -> bool:
    """Whether a process exists here; taken to be so where psutil is not installed (a machine that only trains)."""
    try:
        import psutil
    except ModuleNotFoundError:
        return True
    return psutil.pid_exists(pid)


def sync_folder(path: Path) -> None:
    """Make renames in a folder last through a power cut, where the system can (Windows cannot open folders)."""
    with contextlib.suppress(PermissionError, IsADirectoryError):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def check_output(
    path: Path,
    *,
    size: float = 0,
    overwrite: bool = False,
    is_ours: Callable[[Path], bool] | None = None,
) -> None:
    """Refuse an output before the work for it begins.

    Parameters
    ----------
    path : Path
        File or folder to be written.
    size : float
        Bytes that it will take at most.
    overwrite : bool
        Whether what is there may be replaced.
    is_ours : callable, optional
        Whether what is there is of the kind that will be written; something else is never replaced.

    Raises
    ------
    FileExistsError
        If there is something that may not be replaced.
    PermissionError, NotADirectoryError
        If nothing can be written there.
    OSError
        With ``errno.ENOSPC``, if the disk is too full.
    """
    path = Path(path)
    if path.exists():
        if not overwrite:
            raise FileExistsError(
                f"{path} exists; nothing was overwritten. Remove it, choose another name, or pass --overwrite."
            )
        if is_ours is not None and not is_ours(path):
            raise FileExistsError(
                f"{path} exists and was not made by this program; it is left alone, also with --overwrite. "
                "Choose another name, or remove it yourself."
            )
    folder = path.parent
    while not folder.exists():
        folder = folder.parent
    if not folder.is_dir():
        raise NotADirectoryError(f"{path} cannot be written: {folder} is a file, expected a folder.")
    probe = partial_path(folder / "write-test")
    try:
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise PermissionError(
            f"{path} cannot be written: no permission in {folder} ({error.strerror or error}). "
            "Choose another place, or have the permission given."
        ) from error
    free = shutil.disk_usage(folder).free
    if size and free < size + SPARE_BYTES:
        raise OSError(
            errno.ENOSPC,
            f"{path} needs up to {size / 1e9:.2f} GB and {folder} has {free / 1e9:.2f} GB free. "
            "Make room, or choose another place.",
        )
