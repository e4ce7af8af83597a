"""Station files that one has already: read once to see what they are, then kept with the downloads, with a receipt.

For exports of a web page (OpenAQ's explorer, the EEA's viewer) and files of an earlier download, which no command here
fetches.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from cranpm._files import write_atomically
from cranpm.data.download.providers import folder_of
from cranpm.data.download.receipts import RawFile, Receipt, write_receipt
from cranpm.data.errors import DataFileError
from cranpm.data.files.openers import open_archive_member
from cranpm.data.manifest import Source
from cranpm.data.station_tables import MEASUREMENTS, OPENAQ, STATIONS
from cranpm.data.stations.eea import read_measurements
from cranpm.data.stations.eea_stations import read_metadata
from cranpm.data.stations.openaq import read_openaq
from cranpm.domain import Domain

SOURCES = (*MEASUREMENTS, STATIONS, OPENAQ)
"""Sources whose files can be added."""


def add_station_files(paths: Iterable[Path], source: Source, domain: Domain, root: Path) -> list[Receipt]:
    """Copy files into the folder of downloads, so that `cranpm.data.prepare` takes them.

    All are read before the first is copied.

    Parameters
    ----------
    source : Source
        One of `SOURCES`; files of something else are refused.
    domain : Domain
        The grid that they are for; OpenAQ's files lie in a folder of it.
    root : Path
        Folder of downloads.

    Raises
    ------
    DataFileError
        Or one of its kinds, if a file is something else, or a file of its name with other content is there.
    """
    if source.id not in SOURCES:
        raise DataFileError(f"Only station files can be added ({', '.join(SOURCES)}), not {source.id}.")
    found = [Path(path) for path in paths]
    folder = folder_of(source, domain, root)
    for path in found:
        _read(path, source.id)
        target = folder / path.name
        if target.is_file() and target.read_bytes() != path.read_bytes():
            raise DataFileError(
                f"{target} is there with other content. Rename the new file, or remove the old one."
            )
    receipts = []
    for path in found:
        file = RawFile(source=source.id, path=folder / path.name, part="added", url=path.resolve().as_uri())
        folder.mkdir(parents=True, exist_ok=True)
        receipts.append(write_receipt(file, path, str(file.url), source))
        write_atomically(file.path, path.read_bytes())
    return receipts


def _read(path: Path, source: str) -> None:
    """Refuse what is no file of the source."""
    if source == STATIONS:
        read_metadata(open_archive_member(path, ".csv"))
    elif source == OPENAQ:
        read_openaq(path)
    else:
        read_measurements(path, up_to_date=MEASUREMENTS[source])
