"""Station tables of a dataset from the downloads of the EEA, or of OpenAQ beyond Europe."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pandas as pd

from cranpm.data.download.receipts import receipts
from cranpm.data.errors import DataFileError, NotThisProductError
from cranpm.data.files.openers import open_archive_member
from cranpm.data.stations.daily_means import daily_means, join_stations
from cranpm.data.stations.eea import read_measurements, read_metadata
from cranpm.data.stations.openaq import read_openaq_files
from cranpm.data.store.dataset import Dataset
from cranpm.data.store.tables import AREAS, STATION_TYPES
from cranpm.data.store.writer import DatasetWriter
from cranpm.domain import Domain

log = logging.getLogger(__name__)

OPENAQ = "openaq-archive"
"""Stations beyond Europe; looked at where the EEA has none."""

UP_TO_DATE = "eea-up-to-date"
MEASUREMENTS = ("eea-measurements", UP_TO_DATE, "eea-historical")
"""Verified values first: of two values of a station and day, the earlier source's wins."""


def write_observations(writer: DatasetWriter, raw: Path, domain: Domain) -> list[str]:
    """Station and observation tables for the days that a dataset holds, made anew from all that was fetched.

    Returns
    -------
    list of str
        What was written, or why nothing was.
    """
    found = _of_the_eea(raw, domain, writer.days)
    if found is None or found[0].empty:  # beyond Europe, even where Europe's files lie beside
        found = _of_openaq(raw, domain, writer.days) or found
    if found is None:
        return ["No station tables: fetch eea-measurements and eea-stations (or openaq), then prepare again."]
    daily, metadata = found
    if daily.empty:
        return ["No station tables: no measurement falls on the dataset's days and region."]
    stations, observations = join_stations(daily, metadata)
    stations = _tidy(stations)
    stations["terrain_complexity"] = _complexity(stations, writer.root, domain)
    writer.write_stations(stations, observations)
    return [f"{len(stations)} stations with {len(observations)} daily means."]


def station_values(raw: Path, domain: Domain, day: np.datetime64) -> pd.DataFrame | None:
    """``latitude, longitude, pm2p5`` of one day at the domain's stations, None where nothing was fetched."""
    found = _of_the_eea(raw, domain, np.array([day]))
    if found is None:
        return None
    daily, metadata = found
    return daily.merge(metadata, on="sampling_point")[["latitude", "longitude", "pm2p5"]]


def _of_the_eea(raw: Path, domain: Domain, days: np.ndarray) -> tuple[pd.DataFrame, pd.DataFrame] | None:
    """Daily means of the domain's sampling points, and what the points are; None where nothing was fetched."""
    files = {source: [r.path for r in receipts(raw, source)] for source in MEASUREMENTS}
    tables = [r.path for r in receipts(raw, "eea-stations")]
    if not any(files.values()) or not tables:
        return None
    metadata = _inside(read_metadata(open_archive_member(tables[0], ".csv")), domain)
    return _daily(files, set(metadata["sampling_point"]), days), metadata


def _of_openaq(raw: Path, domain: Domain, days: np.ndarray) -> tuple[pd.DataFrame, pd.DataFrame] | None:
    found = read_openaq_files(r.path for r in receipts(raw, OPENAQ, domain.name) if not r.absent)
    if found is None:
        return None
    metadata, daily = _inside(found[1], domain), _on_days(daily_means(found[0]), days)
    return daily[daily["sampling_point"].isin(metadata["sampling_point"])], metadata


def _inside(metadata: pd.DataFrame, domain: Domain) -> pd.DataFrame:
    return metadata[np.asarray(domain.fine.contains(metadata["latitude"], metadata["longitude"]))]


def _on_days(daily: pd.DataFrame, days: np.ndarray) -> pd.DataFrame:
    return daily[daily["time"].isin(set(pd.DatetimeIndex(days.astype("datetime64[ns]"))))]


def _daily(files: dict[str, list[Path]], points: set[str], days: np.ndarray) -> pd.DataFrame:
    """Daily means of the wanted sampling points and days; files that hold something else are left out by name."""
    wanted = set(pd.DatetimeIndex(days.astype("datetime64[ns]"))) if days.size else set()
    ordered: list[pd.DataFrame] = []
    for source in MEASUREMENTS:
        reported: list[pd.DataFrame] = []
        averaged: list[pd.DataFrame] = []
        for path in files[source]:
            try:
                measured = read_measurements(path, up_to_date=source == UP_TO_DATE)
            except NotThisProductError as error:
                log.warning("%s is left out: %s", path.name, error)
                continue
            is_day = measured["averaging"] == "day"
            for chosen, parts in ((is_day, reported), (~is_day, averaged)):
                daily = daily_means(measured[chosen])
                parts.append(daily[daily["sampling_point"].isin(points) & daily["time"].isin(wanted)])
        # a day that the reference method reports wins over the mean of hours, in whichever file either stands
        ordered += [*reported, *averaged]
    if not ordered:
        return pd.DataFrame(columns=["sampling_point", "time", "pm2p5", "hours"])
    return pd.concat(ordered).drop_duplicates(["sampling_point", "time"], keep="first")


def _tidy(stations: pd.DataFrame) -> pd.DataFrame:
    """Types and areas in the words of the layout; what is none of them becomes unknown, not another word."""
    stations = stations.copy()
    for column, known in (("station_type", STATION_TYPES), ("area", AREAS)):
        words = stations[column].astype("object").str.lower()
        strange = sorted(set(words.dropna()) - set(known))
        if strange:
            log.warning("stations: %s %s are taken as unknown.", column, ", ".join(strange))
        stations[column] = words.where(words.isin(known), None)
    return stations


def _complexity(stations: pd.DataFrame, root: Path, domain: Domain) -> list[float]:
    if not (root / "static.zarr").exists():
        raise DataFileError("Terrain is missing: write the static fields before the stations.")
    field = Dataset.open(root).static["terrain_complexity"]
    values = np.asarray(field)
    places = [domain.fine.index_of(lat, lon) for lat, lon in zip(stations["latitude"], stations["longitude"])]
    return [float(values[row, col]) for row, col in places]
