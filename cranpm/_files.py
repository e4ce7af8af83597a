"""Files and folders that appear whole or not at all.

What is being written lies beside its place as ``.NAME.MACHINE-PROCESS-RANDOM.partial`` until it is complete and on the
disk. Then it takes the place: a reader sees the old or the new, never half of one. Where writing fails, the old stays
as it was and nothing is left over. What a killed process leaves is removed by the next one that replaces the same
thing, once the killed one is known to be gone, or by who holds the lock of the folder (`remove_partial_files`).

What would fail or destroy something is seen before the work is done (`check_output`).
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import platform
import re
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SPARE_BYTES = 64 * 2**20
"""Room that stays free on a disk."""

PARTIAL, OLD = ".partial", ".old"


class ForeignFilesError(FileExistsError):
    """What stands in the way is something else than what is to be replaced; it is left alone."""


def write_atomically(
    path: Path, content: bytes | memoryview | str, *, sync: bool = True, parents: bool = True
) -> None:
    """Put a file in place in one step, together with the folders above it.

    Parameters
    ----------
    path : Path
        A file that is there is replaced; where it is a link, the file it points to.
    content : bytes or str
        Text is written as UTF-8, with the line ends it has.
    sync : bool
        Wait until it is on the disk, so that it also outlasts a power cut. Switch it off for what is written
        many times a second and worth nothing later, such as progress.
    parents : bool
        Make the folders above it where they are not there.

    Raises
    ------
    OSError
        If it cannot be written; the old file stands.
    """
    path = _real(path)
    if parents:
        path.parent.mkdir(parents=True, exist_ok=True)
    draft = _beside(path, PARTIAL)
    try:
        with draft.open("wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            if sync:
                os.fsync(file.fileno())
        os.replace(draft, path)
    except BaseException:
        remove(draft)
        raise
    if sync:
        _sync_folder(path.parent)


def figure_bytes(figure: Figure, kind: str = "png") -> bytes:
    """A Matplotlib figure as the content of a file, ``png`` or ``svg``."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format=kind, dpi=110)
    return buffer.getvalue()


def write_figure(path: Path, figure: Figure) -> None:
    """Put a picture in place as `write_atomically` does, in the format that its name ends with."""
    write_atomically(path, figure_bytes(figure, path.suffix.removeprefix(".")))


@contextlib.contextmanager
def replacing(
    path: Path, *, is_ours: Callable[[Path], bool] | None = None, sync: bool = True
) -> Iterator[Path]:
    """Write a file or a folder beside its place, and put it there when the block ends without an error.

    ::

        with replacing(Path("forecast.nc")) as draft:
            dataset.to_netcdf(draft)

    Two folders cannot be swapped in one step: for a moment neither is there. A process that is killed in this moment
    leaves the old one aside, and the next one to write there puts it back first.

    Parameters
    ----------
    path : Path
        Where it is to stand.
    is_ours : callable, optional
        Given a folder that stands there with something in it, tells whether it may be replaced. Without it none may.
    sync : bool
        As for `write_atomically`.

    Yields
    ------
    Path
        Where to write: a name that is free, in a folder that is there.

    Raises
    ------
    ForeignFilesError
        On entering, or on leaving if it came meanwhile: something stands there that may not be replaced.
    OSError
        If it cannot be put in place; the old one stands.
    """
    path = _real(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    _tidy(path)
    _refuse_foreign(path, is_ours)
    draft = _beside(path, PARTIAL)
    try:
        yield draft
        if sync:
            _sync_tree(draft)
        _put(draft, path, is_ours)
    finally:
        remove(draft)
    if sync:
        _sync_folder(path.parent)


def remove_partial_files(root: Path) -> None:
    """Remove what killed writers left anywhere below a folder, and put back what they had set aside.

    Only for who alone may write there: it would take the work of others from under them.
    """
    for left in [*root.rglob(f".*{PARTIAL}"), *root.rglob(f".*{OLD}")]:
        path = left.with_name(left.name[1:].rsplit(".", 2)[0])
        _settle(left, path)


def _put(draft: Path, path: Path, is_ours: Callable[[Path], bool] | None) -> None:
    _refuse_foreign(path, is_ours)
    if draft.is_dir() and path.is_file() and not (is_ours is not None and is_ours(path)):
        raise ForeignFilesError(f"{path} is a file, where a folder is to be; it is left alone.")
    if not (draft.is_dir() and path.exists()):
        os.replace(draft, path)
    elif path.is_dir() and not any(path.iterdir()):
        path.rmdir()  # fails if somebody fills it meanwhile
        os.replace(draft, path)
    else:
        aside = _beside(path, OLD)
        os.replace(path, aside)
        try:
            os.replace(draft, path)
        except BaseException:
            os.replace(aside, path)
            raise
        remove(aside)


def _refuse_foreign(path: Path, is_ours: Callable[[Path], bool] | None) -> None:
    if path.is_dir() and any(path.iterdir()) and not (is_ours is not None and is_ours(path)):
        raise ForeignFilesError(
            f"{path} holds something else than what is to be written there; it is left alone. "
            "Choose another name, or move it away."
        )


def _beside(path: Path, suffix: str) -> Path:
    writer = f"{_machine()}-{os.getpid()}-{secrets.token_hex(4)}"
    return path.with_name(f".{path.name}.{writer}{suffix}")


def _machine() -> str:
    return re.sub(r"\W", "_", platform.node())[:30]


def _tidy(path: Path) -> None:
    """Remove what processes of this machine that are gone left of this very file or folder."""
    for left in list(path.parent.iterdir()):
        if not left.name.startswith(f".{path.name}.") or not left.name.endswith((PARTIAL, OLD)):
            continue
        writer = left.name.removeprefix(f".{path.name}.").rsplit(".", 1)[0]
        found = re.fullmatch(r"(\w*)-(\d+)-[0-9a-f]{8}", writer)
        if found and found[1] == _machine() and not _is_running(int(found[2])):
            _settle(left, path)


def _is_running(pid: int) -> bool:
    """Whether a process exists here; taken to be so where psutil is not installed (a machine that only trains)."""
    try:
        import psutil
    except ModuleNotFoundError:
        return True
    return psutil.pid_exists(pid)


def _settle(left: Path, path: Path) -> None:
    if left.name.endswith(OLD) and not path.exists():
        os.replace(left, path)
    else:
        remove(left)


def remove(path: Path) -> None:
    """Remove a file or a folder as far as that is possible."""
    with contextlib.suppress(OSError):
        if not path.is_dir() or path.is_symlink():
            path.unlink()
            return
        for attempt in range(10):
            try:
                shutil.rmtree(path)
                return
            except OSError as error:
                # threads of a store that failed may still be at work in it
                if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                    raise
            time.sleep(0.05 * (attempt + 1))


def _real(path: Path) -> Path:
    """A link stays, and what it points to is replaced.

    Raises
    ------
    OSError
        If links lead in a circle.
    """
    try:
        return path.resolve() if path.is_symlink() else path
    except (RuntimeError, OSError) as error:  # Python 3.13 raises OSError
        raise OSError(errno.ELOOP, f"{path} is a link that leads in a circle. Remove it.") from error


def _sync_tree(path: Path) -> None:
    """Wait until a file, or all that is in a folder, is on the disk."""
    if path.is_dir():
        for folder, _, names in os.walk(path):
            for name in names:
                _sync_file(Path(folder, name))
            _sync_folder(Path(folder))
    else:
        _sync_file(path)


def _sync_file(path: Path) -> None:
    with path.open("r+b") as file:  # Windows syncs only what is open for writing
        os.fsync(file.fileno())


def _sync_folder(path: Path) -> None:
    """Wait until the names in a folder are on the disk, where the system can do that."""
    if os.name == "nt":
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some network file systems sync no folder
            raise
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
    path = _real(Path(path))
    if path.exists():
        if not overwrite:
            raise FileExistsError(
                f"{path} exists; nothing was overwritten. Remove it, choose another name, or pass --overwrite."
            )
        if is_ours is not None and not is_ours(path):
            raise ForeignFilesError(
                f"{path} holds something else than what would be written; it is left alone, also with --overwrite. "
                "Choose another name, or remove it yourself."
            )
    folder = path if path.is_dir() else path.parent
    while not folder.exists():
        folder = folder.parent
    if not folder.is_dir():
        raise NotADirectoryError(f"{path} cannot be written: {folder} is a file, expected a folder.")
    probe = _beside(folder / "write-test", PARTIAL)
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
