"""Corruptions at doors of their own: the European ensemble, terrain tiles, Italian stamps, OpenAQ's archive."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from corrupt_inputs import Entry

from cranpm.data.files.openers import open_lazily
from cranpm.data.mock_providers.cams import LEVEL, cams_europe_file
from cranpm.data.mock_providers.files import plane
from cranpm.data.readers.cams_europe import read_ensemble_run
from cranpm.data.readers.elevation import read_elevation
from cranpm.data.stations.daily_means import daily_means
from cranpm.data.stations.eea import read_measurements
from cranpm.data.stations.openaq import read_openaq
from cranpm.domain import Grid, domain_from_corner

DAY = np.datetime64("2025-06-01")
BOX = domain_from_corner("small", "Small", north=46.0, west=9.0, coarse_rows=8, coarse_cols=8).coarse_box


def run(*, kind: str = "forecast", last_step: int = 93, asked: np.datetime64 = DAY, thin: int = 1) -> Any:
    """A run of the ensemble, read as the run of a day."""

    def compare(folder: Path) -> tuple[Any, Any]:
        steps = [str(hour) for hour in range(0, last_step + 1, 3)]
        request = {"date": [f"{DAY}/{DAY}"], "type": [kind], "time": ["00:00"], "leadtime_hour": steps}
        path = folder / "run.zip"
        path.write_bytes(cams_europe_file(request, BOX))
        if thin > 1:
            (dataset,) = open_lazily(path)
            every = slice(None, None, thin)
            path = folder / "run.nc"
            dataset.isel(latitude=every, longitude=every).load().to_netcdf(path)
        found = read_ensemble_run(path, asked)
        expected = np.stack(
            [LEVEL * plane(found.latitude, found.longitude, float((DAY + n).astype(int))) for n in range(4)]
        )
        expected[:, 0] = np.nan  # the first row holds -999
        return np.round(found.values, 2), np.round(expected, 2)

    return compare


def tile(epsg: int) -> Callable[[Path], tuple[Any, Any]]:
    def compare(folder: Path) -> tuple[Any, Any]:
        import rasterio

        path = folder / "tile.tif"
        with rasterio.open(
            path, "w", driver="GTiff", width=100, height=100, count=1, dtype="float32", crs=f"EPSG:{epsg}",
            transform=rasterio.transform.from_origin(9.0, 46.0, 0.01, 0.01),
        ) as made:  # fmt: skip
            made.write(np.full((100, 100), 500.0, np.float32), 1)
        grid = Grid(name="small", rows=20, cols=20, step=0.01, north=45.8, west=9.2, registration="cell")
        return read_elevation([path], grid), np.full((20, 20), 500.0)

    return compare


def italian(first_utc: str, zone: str) -> Callable[[Path], tuple[Any, Any]]:
    """24 hours of UTC from a day's first on, of the up-to-date feed; each holds 12.5."""

    def compare(folder: Path) -> tuple[Any, Any]:
        local = pd.date_range(first_utc, periods=24, freq="h", tz="UTC").tz_convert(zone)
        frame = pd.DataFrame(
            {
                "Samplingpoint": "IT/SPO.IT0953A", "Pollutant": np.int32(6001), "Start": local.tz_localize(None),
                "End": (local + pd.Timedelta(hours=1)).tz_localize(None), "Value": 12.5, "Unit": "ug.m-3",
                "AggType": "hour", "Validity": np.int32(1), "Verification": np.int32(3),
            }
        )  # fmt: skip
        frame.to_parquet(folder / "IT.parquet")
        daily = daily_means(read_measurements(folder / "IT.parquet", up_to_date=True))
        found = [daily["time"].iloc[0].value / 1e9, *daily["hours"]]
        return found, [pd.Timestamp(first_utc).value / 1e9, 24]

    return compare


def archive(change: Callable[[pd.DataFrame], pd.DataFrame], cut: int | None = None) -> Any:
    """A local day of OpenAQ's archive; the value is the hour of the UTC day that it begins in."""

    def compare(folder: Path) -> tuple[Any, Any]:
        end = pd.date_range("2022-03-17T01:00", periods=24, freq="h")
        frame = pd.DataFrame(
            {
                "location_id": 17, "sensors_id": 42, "location": "Delhi",
                "datetime": end.strftime("%Y-%m-%dT%H:%M:%S") + "+00:00", "lat": 28.56, "lon": 77.19,
                "parameter": "pm25", "units": "µg/m³", "value": np.arange(24.0),
            }
        )  # fmt: skip
        content = gzip.compress(change(frame).to_csv(index=False).encode())
        path = folder / "location-17-20220317.csv.gz"
        path.write_bytes(content[:cut])
        measured, _ = read_openaq(path)
        return measured["pm2p5"].to_numpy(), measured["start"].dt.hour.to_numpy(float)

    return compare


def with_codes(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(value=frame["value"].where(frame.index % 5 != 0, -999.0))


ENTRIES = [
    Entry(group="CAMS-Europe", name="an analysis in place of a forecast", compare=run(kind="analysis")),
    Entry(group="CAMS-Europe", name="the run of another day", compare=run(asked=DAY + 1)),
    Entry(group="CAMS-Europe", name="a run without its third day", compare=run(last_step=69)),
    Entry(group="CAMS-Europe", name="another grid", compare=run(thin=4)),
    Entry(group="CAMS-Europe", name="-999 where missing", compare=run()),
    Entry(group="terrain", name="heights above the ellipsoid", compare=tile(4979)),
    Entry(group="terrain", name="a projection in metres", compare=tile(3035)),
    Entry(group="EEA", name="Italian stamps in civil time", compare=italian("2024-07-10", "Europe/Rome")),
    Entry(
        group="EEA",
        name="Italian stamps that should be civil time and are not",
        compare=italian("2024-03-31", "Etc/GMT-1"),
    ),
    Entry(group="OpenAQ", name="a day cut off", compare=archive(lambda d: d, cut=90)),
    Entry(
        group="OpenAQ",
        name="stamps without offset",
        compare=archive(lambda d: d.assign(datetime=d["datetime"].str[:-6])),
    ),
    Entry(group="OpenAQ", name="parts per million", compare=archive(lambda d: d.assign(units="ppm"))),
    Entry(group="OpenAQ", name="another pollutant", compare=archive(lambda d: d.assign(parameter="o3"))),
    Entry(group="OpenAQ", name="codes of -999 among values", compare=archive(with_codes)),
]
