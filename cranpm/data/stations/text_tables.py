"""Text tables of stations, plain or gzipped, and whose they are by their columns."""

from __future__ import annotations

import gzip
import io
import logging
import zlib
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from cranpm.data.errors import DataFileError, NotThisProductError
from cranpm.data.files.openers import refuse_messages, sniff
from cranpm.data.stations.account import StationAccount

log = logging.getLogger(__name__)

_BOM = b"\xef\xbb\xbf"
_JSON_QUOTES = "datetimeUtc"
"""Column of OpenAQ's explorer, whose export quotes as JSON does: a backslash before a quotation mark."""

_BEGINNING = 1024

_BUDGET = 2**31
"""Bytes that a gzipped table may unpack to."""

_KNOWN: tuple[tuple[str, frozenset[str]], ...] = (
    ("the EEA's measurements", frozenset({"Samplingpoint", "AggType"})),
    ("the EEA's measurements in the older layout", frozenset({"SamplingPoint", "AirPollutantCode"})),
    ("the EEA's statistics of years", frozenset({"Data Aggregation Process", "Air Pollution Level"})),
    ("the EEA's station table", frozenset({"Air Quality Station EoI Code", "Sampling Point Id"})),
    ("OpenAQ's archive", frozenset({"location_id", "datetime", "parameter"})),
    ("an export of OpenAQ's explorer", frozenset({"location_id", "datetimeUtc", "parameter"})),
    ("OpenAQ's older layout", frozenset({"location", "utc", "parameter"})),
    ("EPA's AQS (AirData)", frozenset({"State Code", "County Code", "Parameter Code"})),
    ("AirNow's hourly table", frozenset({"AQSID", "ValidDate"})),
    ("PurpleAir's sensors (low-cost)", frozenset({"sensor_index", "time_stamp"})),
    ("Sensor.Community's sensors (low-cost)", frozenset({"sensor_id", "sensor_type", "P2"})),
)


def read_text_table(path: Path, account: StationAccount | None = None) -> pd.DataFrame:
    """A table of a text file.

    A byte-order mark is skipped; semicolons as separators come with decimal commas; what is no UTF-8 is taken as
    Windows-1252, as spreadsheets write it. Each is said.

    Raises
    ------
    NotThisProductError
        If the file is no text.
    DataFileError
        If it is empty, cut off or no table.
    """
    kind = sniff(path)
    if kind not in ("text", "gzip"):
        raise NotThisProductError(f"{path.name} is {kind}; expected a text table (CSV), plain or gzipped.")
    content = _unpacked(path) if kind == "gzip" else path.read_bytes()
    if content.startswith(_BOM):
        _say(path, account, "byte-order marks, skipped")
        content = content[len(_BOM) :]
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        text = content.decode("cp1252", errors="replace")
        _say(path, account, "texts that are no UTF-8, read as Windows-1252")
    refuse_messages(text[:_BEGINNING].lstrip(), path.name)  # a gzipped page is a page too
    header = text[: text.find("\n") + 1] or text
    semicolons = header.count(";") > header.count(",")
    if semicolons:
        _say(path, account, "tables with semicolons, read with decimal commas")
    try:
        return pd.read_csv(
            io.StringIO(text),
            low_memory=False,
            sep=";" if semicolons else ",",
            decimal="," if semicolons else ".",
            escapechar="\\" if _JSON_QUOTES in header else None,
        )
    except (pd.errors.ParserError, pd.errors.EmptyDataError, ValueError) as error:
        raise DataFileError(
            f"{path.name} is no table that can be read ({_one_line(error)}). Download it again."
        ) from error


def require_columns(table: pd.DataFrame, columns: Iterable[str], expected: str, name: str) -> None:
    """Refuse a table that lacks columns, naming whose it is where that is known.

    Raises
    ------
    NotThisProductError
        Naming what was expected, what is missing and what the file looks like.
    """
    missing = [column for column in columns if column not in table.columns]
    if not missing:
        return
    have = ", ".join(map(str, table.columns[:12]))
    whose = whose_table(table.columns)
    like = f"It looks like {whose}." if whose else "Export it again as the provider gives it."
    raise NotThisProductError(
        f"{name}: expected columns {', '.join(missing)} of {expected}, got {have}. {like}"
    )


def whose_table(columns: Iterable[object]) -> str | None:
    """Which network's table has columns like these; None if it is not known here.

    Examples
    --------
    >>> whose_table(["location_id", "sensors_id", "datetime", "parameter", "value"])
    "OpenAQ's archive"
    """
    have = {str(column) for column in columns}
    return next((whose for whose, signs in _KNOWN if signs <= have), None)


def _unpacked(path: Path) -> bytes:
    try:
        with gzip.open(path) as file:
            content = file.read(_BUDGET + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise DataFileError(f"{path.name} cannot be read ({error}): cut off. Download it again.") from error
    if len(content) > _BUDGET:
        raise DataFileError(
            f"{path.name} unpacks to more than {_BUDGET / 2**30:.0f} GiB; no table is as long."
        )
    return content


def _say(path: Path, account: StationAccount | None, what: str) -> None:
    if account is None:
        log.info("%s: %s.", path.name, what)
    else:
        account.notice(what, 1, path.name)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
