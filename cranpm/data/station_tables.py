"""Station tables of a dataset from the downloads of the EEA, or of OpenAQ beyond Europe."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from cranpm._json import JsonObject
from cranpm.data.download.receipts import Receipt, receipts
from cranpm.data.errors import DataFileError
from cranpm.data.files.openers import open_archive_member
from cranpm.data.stations.account import StationAccount
from cranpm.data.stations.daily_means import means_of_days, whole_days
from cranpm.data.stations.eea import read_measurements
from cranpm.data.stations.eea_stations import read_metadata
from cranpm.data.stations.openaq import read_openaq_files
from cranpm.data.stations.places import join_stations
from cranpm.data.store.dataset import Dataset
from cranpm.data.store.provenance import update_provenance
from cranpm.data.store.tables import AREAS, STATION_TYPES
from cranpm.data.store.writer import DatasetWriter
from cranpm.domain import Domain

log = logging.getLogger(__name__)

OPENAQ = "openaq-archive"
"""Stations beyond Europe; looked at where the EEA has none."""

UP_TO_DATE = "eea-up-to-date"
MEASUREMENTS = {"eea-measurements": False, UP_TO_DATE: True, "eea-historical": None}
"""Sources and whether they are the up-to-date feed (None: neither feed). Verified values first: of two values of a
station and day, the earlier source's wins."""

STATIONS = "eea-stations"


@dataclass(frozen=True, kw_only=True)
class _Observed:
    """Daily means of sampling points, what the points are, and the account of the files that both come from."""

    network: str
    daily: pd.DataFrame
    points: pd.DataFrame
    account: StationAccount
    files: list[Receipt]


def write_observations(writer: DatasetWriter, raw: Path, domain: Domain) -> list[str]:
    """Station and observation tables for the days that a dataset holds, made anew from all that was fetched.

    What was left out, what is preliminary and what no file tells goes into ``provenance.json`` ("stations"), with the
    receipts of the files.

    Returns
    -------
    list of str
        What was written and what was left out, or why nothing was.
    """
    observed = _observe(raw, domain, writer.days)
    if observed is None:
        return ["No station tables: fetch eea-measurements and eea-stations (or openaq), then prepare again."]
    account, facts = observed.account, {"network": observed.network, "stations": 0, "daily_means": 0}
    try:
        if observed.daily.empty:
            nothing = "No station tables: no measurement falls on the dataset's days and region."
            return [nothing, *account.sentences()]
        stations, observations = join_stations(observed.daily, observed.points, account=account)
        stations = _tidy(stations, account)
        stations["terrain_complexity"] = _complexity(stations, writer.root, domain)
        writer.write_stations(stations, observations)
        facts |= {"stations": len(stations), "daily_means": len(observations)}
        return [f"{len(stations)} stations with {len(observations)} daily means.", *account.sentences()]
    finally:
        update_provenance(
            writer.root, {**_receipts(observed.files), "stations": {**facts, **account.to_dict()}}
        )


def station_values(raw: Path, domain: Domain, day: np.datetime64) -> pd.DataFrame | None:
    """``latitude, longitude, pm2p5`` of one day at the domain's stations, None where nothing was fetched."""
    observed = _of_the_eea(raw, domain, np.array([day]))
    if observed is None:
        return None
    if observed.daily.empty:
        return pd.DataFrame(columns=["latitude", "longitude", "pm2p5"], dtype=float)
    stations, observations = join_stations(observed.daily, observed.points, account=observed.account)
    return observations.merge(stations, on="station_id")[["latitude", "longitude", "pm2p5"]]


def _observe(raw: Path, domain: Domain, days: np.ndarray) -> _Observed | None:
    observed = _of_the_eea(raw, domain, days)
    if observed is None or observed.daily.empty:  # beyond Europe, even where Europe's files lie beside
        observed = _of_openaq(raw, domain, days) or observed
    return observed


def _of_the_eea(raw: Path, domain: Domain, days: np.ndarray) -> _Observed | None:
    """None where nothing was fetched."""
    files = {source: [r for r in receipts(raw, source) if not r.absent] for source in MEASUREMENTS}
    tables = receipts(raw, STATIONS)
    if not any(files.values()) or not tables:
        return None
    account = StationAccount()
    points = read_metadata(open_archive_member(tables[0].path, ".csv"), account=account)
    points = _inside(points, domain)
    wanted = set(points["sampling_point"])
    parts = []
    for rank, (source, up_to_date) in enumerate(MEASUREMENTS.items()):
        for receipt in files[source]:
            account.looked_at("files")
            try:
                measured = read_measurements(
                    receipt.path, up_to_date=up_to_date, points=wanted, days=days, account=account
                )
            except DataFileError as error:
                account.leave_out_file(receipt.path.name, error)
                continue
            means = means_of_days(measured)
            parts.append(means.assign(preference=means["preference"] + 2 * rank))
    daily = _daily(parts, days, account)
    used = [receipt for found in files.values() for receipt in found]
    return _Observed(network="EEA", daily=daily, points=points, account=account, files=[*tables, *used])


def _of_openaq(raw: Path, domain: Domain, days: np.ndarray) -> _Observed | None:
    files = [r for r in receipts(raw, OPENAQ, domain.name) if not r.absent]
    if not files:
        return None
    account = StationAccount()
    account.could_not_check("whether values of OpenAQ are verified or preliminary")
    found = read_openaq_files((r.path for r in files), account=account)
    if found is None:
        empty = _daily([], days, account)
        return _Observed(network="OpenAQ", daily=empty, points=pd.DataFrame(), account=account, files=files)
    measured, points = found
    lat, lon = points["latitude"], points["longitude"]
    inside, swapped = (np.asarray(domain.fine.contains(*where)) for where in ((lat, lon), (lon, lat)))
    for bad, reason in (
        (~inside & swapped, "points whose latitude and longitude seem swapped"),
        (~inside & ~swapped, "points outside the region"),
    ):
        if bad.any():
            first = points[bad].iloc[0]
            example = f"{first['station_id']}: {first['latitude']:g} N {first['longitude']:g} E"
            account.leave_out("stations", reason, int(bad.sum()), example)
    points = points[inside]
    known = measured[measured["sampling_point"].isin(points["sampling_point"])]
    daily = _daily([means_of_days(known)], days, account)
    return _Observed(network="OpenAQ", daily=daily, points=points, account=account, files=files)


def _inside(points: pd.DataFrame, domain: Domain) -> pd.DataFrame:
    lat, lon = points["latitude"], points["longitude"]
    inside = np.asarray(domain.fine.contains(lat, lon))
    swapped = np.asarray(domain.fine.contains(lon, lat))
    if not inside.any() and swapped.sum() > len(points) / 2:
        msg = (
            f"No sampling point of the station table lies in {domain.title}, but {swapped.sum()} of {len(points)} "
            "would if latitude and longitude changed places. Correct the table."
        )
        raise DataFileError(msg)
    return points[inside]


def _daily(parts: list[pd.DataFrame], days: np.ndarray, account: StationAccount) -> pd.DataFrame:
    """Whole days among the wanted ones, the preferred of several; what of them is preliminary goes into the account."""
    wanted = pd.DatetimeIndex(days.astype("datetime64[ns]"))
    near = [part[part["time"].isin(wanted)] for part in parts]
    near = [part for part in near if len(part)]
    if not near:
        return pd.DataFrame(columns=["sampling_point", "time", "pm2p5", "hours"])
    daily = whole_days(pd.concat(near, ignore_index=True), account=account)
    preliminary = daily[daily["unverified"] > 0]
    if len(preliminary):
        account.preliminary = {
            "days": len(preliminary),
            "of": len(daily),
            "sampling_points": int(preliminary["sampling_point"].nunique()),
            "from": f"{preliminary['unverified_from'].min():%Y-%m-%d %H:%M}",
            "last_day": f"{preliminary['time'].max():%Y-%m-%d}",
        }
    return daily


def _tidy(stations: pd.DataFrame, account: StationAccount) -> pd.DataFrame:
    """Types and areas in the words of the layout; what is none of them becomes unknown, not another word."""
    stations = stations.copy()
    for column, known in (("station_type", STATION_TYPES), ("area", AREAS)):
        words = stations[column].astype("object").str.lower()
        strange = words.notna() & ~words.isin(known)
        if strange.any():
            account.notice(
                f"stations whose {column} is taken as unknown",
                int(strange.sum()),
                str(words[strange].iloc[0]),
            )
        stations[column] = words.where(words.isin(known), None)
    return stations


def _complexity(stations: pd.DataFrame, root: Path, domain: Domain) -> list[float]:
    if not (root / "static.zarr").exists():
        raise DataFileError("Terrain is missing: write the static fields before the stations.")
    field = Dataset.open(root).static["terrain_complexity"]
    values = np.asarray(field)
    places = [domain.fine.index_of(lat, lon) for lat, lon in zip(stations["latitude"], stations["longitude"])]
    return [float(values[row, col]) for row, col in places]


def _receipts(files: Iterable[Receipt]) -> JsonObject:
    """Receipts for ``provenance.json``; of the archive, a file a place and day, one digest for all of them."""
    files = list(files)
    many = [receipt for receipt in files if receipt.source == OPENAQ]
    found = {receipt.name: receipt.described() for receipt in files if receipt.source != OPENAQ}
    if many:
        digest = hashlib.sha256("".join(sorted(r.sha256 for r in many)).encode()).hexdigest()
        found[f"{OPENAQ}/*"] = {
            "url": "/".join(many[0].url.split("/")[:3]),
            "sha256": f"sha256:{digest}",
            "bytes": sum(r.bytes for r in many),
            "fetched": max(r.fetched for r in many),
            "request": {"files": len(many), "sha256_of": "the sorted sha256 of all files"},
        }
    return found
