"""A small dataset and a checkpoint, written through the product's own writers.

The scene is plain on purpose: PM2.5 grows to the south, with a hot spot at Milan, a lake of missing cells and sea in
one corner, so that a test can say what each place must show.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cranpm.data.store.creation import DatasetDescription
from cranpm.data.store.dataset import DatasetWriter, encode_day
from cranpm.domain import DAY_CHANNELS, Domain, Statistics, domain_from_corner, get_domain

if TYPE_CHECKING:
    from cranpm.model import CranPM

FIRST_DAY = np.datetime64("2022-01-10")
SMALL = domain_from_corner(
    "corner", "Corner of the Alps", north=48.0, west=6.0, coarse_rows=28, coarse_cols=28
)
"""688 x 688 cells in 4 tiles: a forecast of it takes a few seconds."""

MILAN = (45.4642, 9.19)
GAP = (47.5, 9.5)
SEA = (44.0, 7.9)

_VALUES = {
    "t2m": 280.0,
    "sp": 95e3,
    "tp": 1.0,
    "t": 270.0,
    "q": 4e-3,
    "z": 3e4,
    "u10": 4.0,
    "v10": 1.0,
    "u": 9.0,
    "v": 2.0,
}


def pm2p5_of(day: int, domain: Domain) -> np.ndarray:
    """Field of one day [ug m-3], NaN where there is none."""
    lat, lon = domain.fine.lat[:, None], domain.fine.lon[None]
    field = 6.0 + 1.5 * (domain.fine.north - lat) + 2.0 * day + 0 * lon
    field = field + (40.0 + 3 * day) * np.exp(-((lat - MILAN[0]) ** 2 + (lon - MILAN[1]) ** 2) / 0.5)
    field[~land_of(domain)] = np.nan
    field[(abs(lat - GAP[0]) < 0.25) & (abs(lon - GAP[1]) < 0.25)] = np.nan
    return field.astype(np.float32)


def land_of(domain: Domain) -> np.ndarray:
    lat, lon = domain.fine.lat[:, None], domain.fine.lon[None]
    return ~((lat < 44.3) & (lon > 7.5) & (lon < 10.2))


def station_table(domain: Domain) -> pd.DataFrame:
    rng = np.random.default_rng(5)
    west, south, east, north = domain.fine.extent
    count = 60
    kinds = np.array(["background", "traffic", "industrial"])[rng.integers(0, 3, count)]
    table = pd.DataFrame(
        {
            "station_id": [f"TB{i:03d}" for i in range(count)],
            "name": [f"Station {i}" for i in range(count)],
            "country": "XX",
            "latitude": rng.uniform(south + 0.5, north - 0.5, count),
            "longitude": rng.uniform(west + 0.5, east - 0.5, count),
            "altitude": rng.uniform(0, 900, count),
            "station_type": kinds,
            "area": "urban",
            "terrain_complexity": 20.0,
        }
    )
    table.loc[0, ["latitude", "longitude", "station_type"]] = [*MILAN, "background"]
    # a name that would do harm if it were not escaped
    table.loc[0, "name"] = "<img src=x onerror=alert(1)>Milano"
    return table


def write_scene(root: Path, *, domain: Domain | None = None, days: int = 5) -> Path:
    """Write the dataset folder."""
    domain = domain or get_domain("alps")
    land = land_of(domain)
    box = domain.coarse_box.shape
    era5 = np.stack([np.full(box, _VALUES[c.variable], np.float32) for c in DAY_CHANNELS[:30]])
    table = station_table(domain)
    rows, cols = zip(*(domain.fine.index_of(s.latitude, s.longitude) for s in table.itertuples()))
    described = DatasetDescription(
        name=root.name, title="Scene for tests", source="testbed (simulated)", simulated=True,
        version="1", hash="scene", attribution="none",
    )  # fmt: skip
    with DatasetWriter.create(root, domain, described) as writer:
        elevation = np.where(land, 300.0 + 80.0 * (domain.fine.lat[:, None] - 40), 0.0).astype(np.float32)
        writer.write_static(
            elevation=elevation,
            land=land.astype(np.uint8),
            coarse_elevation=np.full(box, 300.0, np.float32),
            coarse_land=np.ones(box, np.float32),
            terrain_complexity=np.full(domain.fine.shape, 20.0, np.float32),
        )
        observations = []
        for day in range(days):
            field = pm2p5_of(day, domain)
            seen = field[list(rows), list(cols)] * 1.1
            observations.append(
                pd.DataFrame(
                    {
                        "station_id": table["station_id"],
                        "time": pd.Timestamp(str(FIRST_DAY + day)),
                        "pm2p5": seen,
                    }
                ).dropna()
            )
            cams = np.stack([np.full(box, 12.0 + day, np.float32)] * 5)
            forecast = np.stack([np.full(box, 13.0 + day + lead, np.float32) for lead in range(3)])
            writer.append_encoded(
                encode_day(
                    writer.domain, FIRST_DAY + day, pm2p5=field, era5=era5, cams=cams, cams_forecast=forecast
                )
            )
        writer.write_stations(table, pd.concat(observations))
        writer.write_statistics(statistics())
    return root


def statistics() -> Statistics:
    names = [c.name for c in DAY_CHANNELS]
    mean = {c.name: 12.0 if c.source == "CAMS" else _VALUES.get(c.variable, 0.0) for c in DAY_CHANNELS}
    return Statistics(mean=mean, std=dict.fromkeys(names, 5.0), period="scene", source="scene")


def write_checkpoint(folder: Path, network: CranPM) -> Path:
    """Such as the fixture ``drawn``: its forecast differs from persistence everywhere."""
    from cranpm.model.checkpoint import save_checkpoint

    save_checkpoint(folder, network, statistics(), card="For tests.", meta={"title": "Random"})
    return folder
