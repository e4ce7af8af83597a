"""GRIB files: what their messages say of themselves, read by ecCodes, and their fields, read by cfgrib.

cfgrib puts messages into cubes and drops the keys on which they differ; so every message's own keys are read before,
and with them whether the file is whole.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from cranpm import extras
from cranpm.data.errors import DataFileError
from cranpm.data.files.guard import guarded, reading

_KEYS = (
    "shortName", "class", "stream", "type", "expver", "number", "totalNumber", "stepType", "typeOfLevel", "level",
    "startStep", "endStep", "stepUnits", "dataDate", "dataTime", "validityDate", "validityTime", "edition", "centre",
)  # fmt: skip
_Keys = dict[str, Any]
"""Of one message: `_KEYS` (text or whole numbers, None where it has none) and ``hours``."""

MESSAGES = "GRIB_messages"
"""Attribute of an opened dataset: its variables' keys, values that occur, by short name."""

_SAID = ("class", "stream", "type", "number", "totalNumber", "stepType", "typeOfLevel", "centre", "hours")


def open_grib(path: Path, *, name: str, keeps: object = None) -> list[xr.Dataset]:
    """The datasets in a GRIB file, values on disk.

    Each has ``attrs["GRIB_messages"]``, mapping a variable's short name to the values that its messages' keys take
    (``hours`` is the length of the period that a field covers), and the experiment version by time as a coordinate
    ``expver`` where it is known.

    Raises
    ------
    DataFileError
        If the file is cut off, damaged, or holds a field twice.
    MissingExtraError
        If cfgrib or ecCodes is not there.
    """
    cfgrib, eccodes = (
        extras.load(module, f"Reading {name}", instead="download NetCDF (data_format: netcdf)")
        for module in ("cfgrib", "eccodes")
    )
    with reading(name):
        messages = list(_messages(path, name, eccodes))
        _refuse_doubled(messages, name)
        # no index files: the folder of the data may be read-only
        opened = cfgrib.open_datasets(str(path), backend_kwargs={"indexpath": "", "errors": "raise"})
    said: dict[str, dict[str, list[str]]] = {}
    for message in messages:
        of_variable = said.setdefault(message["shortName"], {key: [] for key in _SAID})
        for key in _SAID:
            if message[key] is not None and str(message[key]) not in of_variable[key]:
                of_variable[key].append(str(message[key]))
    versions = {_time(message): str(message["expver"]) for message in messages if message["expver"]}
    return [
        _with_versions(guarded(dataset, name=name, keeps=keeps), versions).assign_attrs({MESSAGES: said})
        for dataset in opened
    ]


def _messages(path: Path, name: str, eccodes: ModuleType) -> Iterator[_Keys]:
    """The keys of each message; the messages must fill the file without a gap, or some are lost or damaged."""
    expected = 0
    with path.open("rb") as file:
        while True:
            handle = eccodes.codes_grib_new_from_file(file, headers_only=True)
            if handle is None:
                break
            try:
                offset = int(eccodes.codes_get_message_offset(handle))
                _refuse_gap(path, expected, offset, name)
                expected = offset + int(eccodes.codes_get(handle, "totalLength"))
                yield _keys(handle, eccodes)
            finally:
                eccodes.codes_release(handle)
        _refuse_gap(path, expected, path.stat().st_size, name)


def _refuse_gap(path: Path, start: int, stop: int, name: str) -> None:
    """Between messages there may be some padding and nothing else: ecCodes skips what it does not recognise."""
    if stop == start:
        return
    with path.open("rb") as file:  # of its own: ecCodes reads the other one past Python
        file.seek(min(start, stop))
        between = file.read(min(abs(stop - start), 2**20)).strip(b"\x00 \r\n")
    if stop < start or between:
        msg = (
            f"{name}: expected one GRIB message after the other, got {abs(stop - start)} bytes that are none "
            f"from byte {start} on: cut off or damaged. Download it again."
        )
        raise DataFileError(msg)


def _keys(handle: int, eccodes: ModuleType) -> _Keys:
    found: _Keys = {}
    for key in _KEYS:
        try:
            found[key] = eccodes.codes_get(handle, key)
        except eccodes.KeyValueNotFoundError:
            found[key] = None
    accumulates = found["stepType"] not in (None, "instant")
    found["hours"] = found["endStep"] - found["startStep"] if accumulates else None
    return found


def _refuse_doubled(messages: list[_Keys], name: str) -> None:
    identity = (
        "shortName",
        "typeOfLevel",
        "level",
        "number",
        "dataDate",
        "dataTime",
        "startStep",
        "endStep",
        "type",
    )
    counts = Counter(tuple(message[key] for key in identity) for message in messages)
    field, number = counts.most_common(1)[0] if counts else ((), 0)
    if number > 1:
        msg = (
            f"{name}: {field[0]} of {field[4]} {field[5]:04d} UTC, step {field[7]}, level {field[2]} stands there "
            f"{number} times. Remove the others (final and preliminary values in one file?)."
        )
        raise DataFileError(msg)


def _time(message: _Keys) -> np.datetime64:
    stamp = pd.Timestamp(f"{message['validityDate']} {message['validityTime']:04d}")
    return stamp.to_datetime64().astype("datetime64[ns]")


def _with_versions(dataset: xr.Dataset, versions: dict[np.datetime64, str]) -> xr.Dataset:
    if "valid_time" not in dataset.coords:
        return dataset
    valid = dataset["valid_time"]
    held = np.array([versions.get(time, "") for time in valid.values.ravel()], dtype=object).reshape(
        valid.shape
    )
    return dataset.assign_coords(expver=(valid.dims, held)) if (held != "").any() else dataset
