"""Is the simulated world like the real one? Its statistics beside those of EAC4, EEA stations and ERA5."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from cranpm._files import write_atomically
from cranpm._json import JsonObject
from cranpm._progress import Progress
from cranpm.domain import REGIONS, Grid
from cranpm.testbed.geography.geography import Geography
from cranpm.testbed.simulation.history import History, simulate
from cranpm.testbed.simulation.world import WORLD_VERSION, World
from cranpm.testbed.studies.real_weather import DISTANCES, real_figures, spatial_correlation

PLACES = {
    "Milan": (45.46, 9.19), "Ixelles": (50.83, 4.37), "Sofia": (42.70, 23.32), "Prague": (50.08, 14.44),
    "Brno": (49.20, 16.61), "Paris": (48.86, 2.35), "London": (51.51, -0.13), "Madrid": (40.42, -3.70),
    "Katowice": (50.26, 19.02), "Stockholm": (59.33, 18.07),
}  # fmt: skip
_EAC4, _EEA, _DAVOS = "EAC4 2017-2021", "EEA stations 2023", "ERA5, free air at Davos, one month"
REAL_LAGS = {
    "Milan": ((0.73, 0.53, 0.44), _EAC4), "Ixelles": ((0.59, 0.32, 0.22), _EAC4), "Sofia": ((0.57, 0.35, 0.23), _EAC4),
    "Prague": ((0.65, 0.35, 0.22), _EEA), "Brno": ((0.65, 0.35, 0.22), _EEA),
}  # fmt: skip
REAL_MEAN_STD = {
    "Milan": ("17.3", "7.5", _EAC4), "Ixelles": ("14.0", "6.9", _EAC4), "Sofia": ("11.9", "6.5", _EAC4),
    "Prague": ("10 to 11", "6 to 10", _EEA), "Brno": ("10 to 11", "6 to 10", _EEA),
}  # fmt: skip
_EXTRA_REGIONS = {"scandinavia": (58.0, 68.0, 8.0, 28.0)}


@dataclass(frozen=True, kw_only=True)
class Row:
    """One statistic of the world beside its real counterpart ("" where none is known)."""

    group: str
    statistic: str
    testbed: float
    real: str = ""
    source: str = ""


@dataclass(frozen=True, kw_only=True)
class Report:
    """Rows, and what they were computed on."""

    rows: tuple[Row, ...]
    meta: JsonObject

    def to_markdown(self) -> str:
        """The page ``testbed_report.md``."""
        lines = [
            "# Statistics of the simulated world (testbed, not real data)", "",
            f"World {self.meta['world_version']}, domain {self.meta['domain']}, seed {self.meta['seed']}, "
            f"{self.meta['days']} days from {self.meta['start']}; PM2.5 is the 25 km truth in ug/m3.", "",
            "| group | statistic | testbed | real | source of the real value |", "|---|---|---|---|---|",
        ]  # fmt: skip
        for row in self.rows:
            lines.append(f"| {row.group} | {row.statistic} | {row.testbed:.3g} | {row.real} | {row.source} |")
        return "\n".join(lines) + "\n"

    def write(self, markdown: Path) -> None:
        """Markdown, and JSON beside it."""
        write_atomically(markdown, self.to_markdown() + self.meta.get("note", ""))
        payload = {"meta": self.meta, "rows": [asdict(row) for row in self.rows]}
        write_atomically(markdown.with_suffix(".json"), json.dumps(payload, indent=1) + "\n")


def world_report(
    geography: Geography,
    *,
    seed: int,
    start: str = "2018-01-01",
    days: int = 365,
    history: History | None = None,
    real_data: Path | None = None,
    device: str = "cpu",
    progress: Progress | None = None,
) -> Report:
    """Statistics of a stretch of the world.

    Parameters
    ----------
    start, days : str, int
        A whole year for published figures; a few weeks on a region take seconds.
    history : History, optional
        An already simulated stretch.
    real_data : path, optional
        ERA5 samples to compare with; by default ``CRANPM_REAL_DATA``, else stored figures.
    """
    history = history or simulate(World(geography, seed=seed, device=device), start, days, progress=progress)
    box, land = geography.domain.coarse_box, np.asarray(geography.coarse_land) > 0.5
    rows = _places(history, box) + _pairs(history, box, land) + _seasons(history, land)
    rows += _regions(history, box, land) + _weather(history, box, land, real_data)
    meta = {
        "world_version": WORLD_VERSION, "simulated": True, "domain": geography.domain.name, "seed": seed,
        "start": start, "days": len(history.days),
    }  # fmt: skip
    return Report(rows=tuple(rows), meta=meta)


def lag_correlation(series: np.ndarray, lag: int) -> float:
    """Autocorrelation of a daily series at a lag [days]."""
    anomaly = series - series.mean()
    return float((anomaly[lag:] * anomaly[:-lag]).mean() / (anomaly**2).mean())


def _at(fields: np.ndarray, box: Grid, place: str) -> np.ndarray | None:
    lat, lon = PLACES[place]
    return fields[:, *box.index_of(lat, lon)] if bool(box.contains(lat, lon)) else None


def _places(history: History, box: Grid) -> list[Row]:
    rows = []
    for place in PLACES:
        series = _at(history.pm2p5, box, place)
        if series is None:
            continue
        mean, std, source = REAL_MEAN_STD.get(place, ("", "", ""))
        rows.append(
            Row(group=place, statistic="daily mean", testbed=float(series.mean()), real=mean, source=source)
        )
        rows.append(
            Row(group=place, statistic="daily s.d.", testbed=float(series.std()), real=std, source=source)
        )
        rows.append(Row(group=place, statistic="largest day", testbed=float(series.max())))
        real, source = REAL_LAGS.get(place, (("", "", ""), ""))
        for lag in (1, 2, 3):
            value = lag_correlation(series, lag)
            rows.append(
                Row(
                    group=place, statistic=f"lag-{lag}", testbed=value, real=str(real[lag - 1]), source=source
                )
            )
    return rows


def _pairs(history: History, box: Grid, land: np.ndarray) -> list[Row]:
    rows = []
    first, second = _at(history.pm2p5, box, "Prague"), _at(history.pm2p5, box, "Brno")
    if first is not None and second is not None:
        value = float(np.corrcoef(first, second)[0, 1])
        rows.append(
            Row(
                group="pairs",
                statistic="Prague-Brno (185 km)",
                testbed=value,
                real="0.72 to 0.77",
                source=_EEA,
            )
        )
    anomaly = history.pm2p5 - history.pm2p5.mean(0)
    both = land[:, 3:] & land[:, :-3]
    product = (anomaly[:, :, 3:] * anomaly[:, :, :-3]).mean(0)
    near = (product / (anomaly[:, :, 3:].std(0) * anomaly[:, :, :-3].std(0)))[both]
    for name, share in (("5th percentile", 5), ("median", 50), ("95th percentile", 95)):
        label = f"0.75-degree neighbours, {name}"
        rows.append(
            Row(
                group="pairs",
                statistic=label,
                testbed=float(np.percentile(near, share)),
                real="0.61 to 0.98",
                source=_EAC4,
            )
        )
    return rows


def _seasons(history: History, land: np.ndarray) -> list[Row]:
    winter, summer = np.isin(history.months, (12, 1, 2)), np.isin(history.months, (6, 7, 8))
    rows = [Row(group="land", statistic="mean", testbed=float(history.pm2p5[:, land].mean()))]
    if winter.any() and summer.any():
        ratio = float(history.pm2p5[winter][:, land].mean() / history.pm2p5[summer][:, land].mean())
        rows.append(
            Row(group="land", statistic="winter / summer", testbed=ratio, real="> 1", source="stations, EAC4")
        )
    return rows


def _regions(history: History, box: Grid, land: np.ndarray) -> list[Row]:
    boxes = {name: (r.south, r.north, r.west, r.east) for name, r in REGIONS.items()} | _EXTRA_REGIONS
    rows, mean = [], history.pm2p5.mean(0)
    for name, (south, north, west, east) in boxes.items():
        inside = (
            ((box.lat >= south) & (box.lat <= north))[:, None]
            & ((box.lon >= west) & (box.lon <= east))
            & land
        )
        if inside.sum() > 20:
            rows.append(Row(group="regions", statistic=f"mean of {name}", testbed=float(mean[inside].mean())))
    return sorted(rows, key=lambda row: -row.testbed)


def _weather(history: History, box: Grid, land: np.ndarray, real_data: Path | None) -> list[Row]:
    real, source = real_figures(real_data)
    measured = _like_the_samples(history, box)
    rows = [
        Row(group="weather", statistic=name, testbed=value, real=f"{real[name]:.4g}", source=source)
        for name, value in measured.items()
    ]
    u10 = history.weather["u10"]
    anomaly = u10 - u10.mean(0)
    lag = float((anomaly[1:] * anomaly[:-1]).mean() / (anomaly**2).mean())
    speed = np.hypot(u10, history.weather["v10"])[:, land].mean()
    t2m, rain = history.weather["t2m"], history.weather["tp"][:, land]
    rows += [
        Row(
            group="weather", statistic="u10 lag-1, all nodes", testbed=lag, real="0.45 to 0.61", source=_DAVOS
        ),
        Row(group="weather", statistic="10 m wind over land, mean", testbed=float(speed)),
        Row(group="weather", statistic="t2m smallest", testbed=float(t2m.min())),
        Row(group="weather", statistic="t2m largest", testbed=float(t2m.max())),
        Row(group="weather", statistic="land days with >= 1 mm", testbed=float((rain >= 1).mean())),
        Row(group="weather", statistic="land days with >= 0.1 mm", testbed=float((rain >= 0.1).mean())),
        Row(group="weather", statistic="rain on land [mm a year]", testbed=float(rain.mean() * 365.25)),
    ]
    return rows


def _like_the_samples(history: History, box: Grid) -> dict[str, float]:
    """What `real_figures` measures, on the same places and season where the history has them."""
    january = history.months == 1
    if january.sum() < 20:
        return {}
    found: dict[str, float] = {}
    rows, cols = (box.lat <= 50) & (box.lat >= 30), (box.lon >= -20) & (box.lon <= 10)
    if cols.sum() > 100:
        south_west = history.weather["u10"][january][:, rows][:, :, cols]
        for distance in DISTANCES:
            value = spatial_correlation(south_west, round(distance / box.step))
            found[f"u10 correlation at {distance:g} deg"] = value
    if bool(box.contains(46.8, 9.8)):
        row, col = box.index_of(46.8, 9.8)
        z = history.weather["z_500"][january][:, row, col].astype(np.float64)
        values = (float(z.mean()), float(z.std()), lag_correlation(z, 1))
        for name, value in zip(("mean", "s.d.", "lag-1"), values, strict=True):
            found[f"z_500 {name} in January, Davos"] = value
    rows, cols = (box.lat <= 60) & (box.lat >= 30), (box.lon >= -10) & (box.lon <= 40)
    if cols.sum() >= 200:
        t2m = history.weather["t2m"][january][:, rows][:, :, cols]
        found["t2m smallest, Europe on 1 January"] = float(t2m.min((1, 2)).mean())
        found["t2m largest, Europe on 1 January"] = float(t2m.max((1, 2)).mean())
    return found
