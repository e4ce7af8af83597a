"""Archives unpacked to where their members can be read: checked for damage and for room before, kept while in use."""

from __future__ import annotations

import lzma
import shutil
import tempfile
import zipfile
import zlib
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cranpm.data.errors import DataFileError, NotThisProductError
from cranpm.data.files.guard import LIBRARY_LOCK, reading

ZIP_BUDGET = 64 * 2**30
"""Bytes that one archive may unpack to; a month of CDS or Zenodo data needs less."""

_OF_ZARR = ("zarr.json", ".zgroup", ".zattrs", ".zarray")
_KEPT = 8
_unpacked: OrderedDict[tuple[str, int, int], Unpacked] = OrderedDict()
# members are read lazily and more than once (a month's file, day by day): the last few archives stay unpacked until
# the process ends, and any other as long as one of its arrays lives


@dataclass(frozen=True)
class Member:
    """One file of an archive: ``path`` where it was unpacked to, ``name`` as messages call it."""

    path: Path
    name: str


class Unpacked:
    """An archive's members in a temporary folder, which goes when nobody refers to this any more."""

    def __init__(self, folder: tempfile.TemporaryDirectory, members: list[Member]) -> None:
        self._folder = folder
        self.members = members


def unpack(path: Path) -> Unpacked:
    """All members of an archive, each in a folder of its own, under its bare name so that none can leave it.

    Raises
    ------
    DataFileError
        If it is damaged, empty, packed in a way that Python cannot undo, or larger than the disk or the budget.
    """
    with LIBRARY_LOCK:
        state = path.stat()
        key = (str(path.resolve()), state.st_mtime_ns, state.st_size)
        if key not in _unpacked:
            _unpacked[key] = _extract(path)
            while len(_unpacked) > _KEPT:
                _unpacked.popitem(last=False)
        _unpacked.move_to_end(key)
        return _unpacked[key]


@contextmanager
def open_archive(path: Path) -> Iterator[zipfile.ZipFile]:
    """An archive to read members from; whatever is wrong with it is named.

    Raises
    ------
    DataFileError
        As `unpack`.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError) as error:
        raise DataFileError(f"{path.name} is a damaged archive ({error}). Download it again.") from error
    except NotImplementedError as error:
        msg = f"{path.name} is packed in a way that Python cannot undo ({error}). Unpack it by hand."
        raise DataFileError(msg) from error
    except RuntimeError as error:
        if "password" not in str(error):
            raise
        raise DataFileError(f"{path.name} is encrypted. Unpack it by hand, with its password.") from error


def extract_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, target: Path) -> None:
    """One member written to a file, its checksum compared on the way."""
    with archive.open(info) as source, target.open("wb") as out:
        while block := source.read(2**20):
            out.write(block)


def _extract(path: Path) -> Unpacked:
    with reading(path.name), open_archive(path) as archive:
        members = [info for info in archive.infolist() if not info.is_dir()]
        declared = sum(info.file_size for info in members)
        if any(info.filename.rsplit("/", 1)[-1] in _OF_ZARR for info in members):
            msg = f"{path.name} is a zipped Zarr store, which is not read here. Convert it to NetCDF."
            raise NotThisProductError(msg)
        if not members:
            raise DataFileError(f"{path.name} is an empty archive. Download it again.")
        if declared > ZIP_BUDGET:
            msg = f"{path.name} unpacks to {declared / 2**30:.0f} GiB, more than {ZIP_BUDGET / 2**30:.0f} allowed."
            raise DataFileError(msg)
        refuse_without_room(declared, path.name)
        folder = tempfile.TemporaryDirectory(prefix="cranpm-")
        unpacked = []
        for index, info in enumerate(members):
            own = info.filename.replace("\\", "/").rsplit("/", 1)[-1]
            target = Path(folder.name) / f"{index:03d}" / own
            target.parent.mkdir()
            extract_member(archive, info, target)
            unpacked.append(Member(target, f"{path.name}/{own}"))
        return Unpacked(folder, unpacked)


def refuse_without_room(needed: int, name: str) -> None:
    """Refuse before a temporary folder fills its disk.

    Raises
    ------
    DataFileError
        Saying how much is needed, and where.
    """
    folder = tempfile.gettempdir()
    free = shutil.disk_usage(folder).free
    if needed > free:
        msg = (
            f"{name} unpacks to {needed / 2**30:.1f} GiB and {folder} has {free / 2**30:.1f} left. Free some space, "
            "or set TMPDIR to a larger disk."
        )
        raise DataFileError(msg)
