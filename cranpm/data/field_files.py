"""What the gridded files of a dataset say of themselves, looked at before any day is made of them.

A file that is something else stops a preparation in its first seconds, not after hundreds of days; and what a file says
of itself stays in ``provenance.json``, beside its receipt: its product, what it does not state, and from which hour on
it is preliminary.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from cranpm._json import JsonObject
from cranpm.data.build_day import LEVELS, LONGEST_LEAD, SURFACE, DatasetRecipe
from cranpm.data.download.receipts import Receipt
from cranpm.data.errors import DataFileError
from cranpm.data.readers.cams import describe_cams
from cranpm.data.readers.era5 import open_era5_members
from cranpm.data.readers.ghap import describe_ghap
from cranpm.data.readers.preliminary import joint_attrs
from cranpm.data.readers.products import BY_SOURCE, EUROPE_ANALYSIS

_SHOWN = 5


def refuse_other_files(recipe: DatasetRecipe, days: Sequence[np.datetime64]) -> None:
    """Look at every gridded file that some days need; values are read where only they tell.

    Raises
    ------
    DataFileError
        Naming all files that are something else, damaged or lack a day, each with what to do.
    """
    wrong: list[DataFileError] = []
    for receipt in _needed(recipe, days):
        try:
            describe(recipe, receipt, days)
        except DataFileError as error:
            wrong.append(error)
    if len(wrong) == 1:
        raise wrong[0]
    if wrong:
        more = f" ... and {len(wrong) - _SHOWN} more." if len(wrong) > _SHOWN else ""
        said = " ".join(f"({n}) {error}" for n, error in enumerate(wrong[:_SHOWN], start=1))
        raise DataFileError(f"{len(wrong)} files are not what is needed. {said}{more}")


def describe(recipe: DatasetRecipe, receipt: Receipt, days: Iterable[np.datetime64] = ()) -> JsonObject:
    """What one of a recipe's files says of itself, as ``provenance.json`` keeps it; nothing of terrain.

    Returns
    -------
    dict
        ``product``, ``not_stated`` (a list), and ``preliminary`` (``{"from": "2025-11-04 18:00"}``, UTC) where any is.

    Raises
    ------
    DataFileError
        If the file is something else.
    """
    read = _reader(recipe, receipt)
    if read is None:
        return {}
    state = receipt.path.stat()
    held = tuple(day for day in days if receipt.covers(day)) if receipt.source == recipe.target else ()
    attrs = _described(read, receipt.path, (state.st_mtime_ns, state.st_size), held)
    told: JsonObject = {
        "product": attrs["product"],
        "not_stated": [part for part in attrs["not_stated"].split(", ") if part],
    }
    if attrs.get("preliminary"):
        told["preliminary"] = {"from": f"{attrs['preliminary_from'].replace('T', ' ')}:00"}
    return told


_Attributes = Mapping[str, Any]
"""Of an opened file: ``product`` and ``not_stated``; of ERA5 ``preliminary`` and since when, too."""

Reader = Callable[[Path, tuple[np.datetime64, ...]], _Attributes]


@lru_cache(maxsize=4096)
def _described(
    read: Reader, path: Path, stamp: tuple[int, int], days: tuple[np.datetime64, ...]
) -> _Attributes:
    return read(path, days)


def _needed(recipe: DatasetRecipe, days: Sequence[np.datetime64]) -> list[Receipt]:
    after = [*days, *(day + np.timedelta64(1, "D") for day in days)]
    return [
        receipt
        for source in dict.fromkeys((recipe.target, SURFACE, LEVELS, recipe.composition))
        for receipt in recipe.found[source]
        if receipt.first is not None and any(receipt.covers(day) for day in after)
    ]


def _reader(recipe: DatasetRecipe, receipt: Receipt) -> Reader | None:
    if receipt.source in (SURFACE, LEVELS):
        return _weather
    if receipt.source == recipe.composition:
        return _COMPOSITION[receipt.source, receipt.part == "forecast"]
    if receipt.source == recipe.target:
        return _analysis if recipe.is_live else describe_ghap
    return None


def _weather(path: Path, _: tuple[np.datetime64, ...]) -> _Attributes:
    attrs = [member.attrs for member in open_era5_members(path)]
    left = dict.fromkeys(part for a in attrs for part in a["not_stated"].split(", ") if part)
    return {**joint_attrs(attrs), "product": attrs[0]["product"], "not_stated": ", ".join(left)}


def _analysis(path: Path, _: tuple[np.datetime64, ...]) -> _Attributes:
    return describe_cams(path, product=EUROPE_ANALYSIS, species="pm2p5")


def _composition(source: str, is_forecast: bool) -> Reader:
    def read(path: Path, _: tuple[np.datetime64, ...]) -> _Attributes:
        longest = None if is_forecast else LONGEST_LEAD
        return describe_cams(path, product=BY_SOURCE[source], longest_lead=longest)

    return read


_COMPOSITION = {
    (source, ahead): _composition(source, ahead) for source in BY_SOURCE for ahead in (False, True)
}
