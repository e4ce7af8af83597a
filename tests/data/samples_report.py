"""What the readers make of the real sample files: ``CRANPM_REAL_DATA=... python tests/data/samples_report.py``.

Every file goes to the reader of its folder, by content; the table says what came out, or which error refused it.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from cranpm.data.errors import DataFileError
from cranpm.data.files.openers import sniff
from cranpm.data.readers.cams import open_cams
from cranpm.data.readers.elevation import read_elevation
from cranpm.data.readers.era5 import open_era5
from cranpm.data.stations.daily_means import daily_means
from cranpm.data.stations.eea import read_measurements
from cranpm.data.stations.eea_stations import read_metadata
from cranpm.data.stations.station_day import open_station_day
from cranpm.domain import FINE

ROOT = Path(__file__).parents[2]


def fields(opened: object) -> str:
    """Name, units, mean and standard deviation of every variable."""
    said = []
    for name, field in opened.data_vars.items():  # type: ignore[attr-defined]
        values = field.values[np.isfinite(field.values)]
        said.append(f"{name} {values.mean():.4g} ± {values.std():.3g} {field.attrs.get('units', '')}")
    times = opened["time"].values if "time" in opened.coords else []  # type: ignore[index]
    span = (
        f"{np.min(times).astype('datetime64[h]')} ... {np.max(times).astype('datetime64[h]')}, "
        if np.size(times)
        else ""
    )
    sizes = " x ".join(str(n) for n in opened.sizes.values())  # type: ignore[attr-defined]
    return f"{span}{sizes}: " + "; ".join(said)


def measurements(path: Path) -> str:
    daily = daily_means(read_measurements(path))
    by_lag = [daily["pm2p5"].autocorr(lag) for lag in (1, 2, 3)]
    lags = "/".join(f"{value:.2f}" for value in by_lag)
    return (
        f"{daily['time'].min():%Y-%m-%d} ... {daily['time'].max():%Y-%m-%d}, {len(daily)} days: pm2p5 "
        f"{daily['pm2p5'].mean():.1f} ± {daily['pm2p5'].std():.1f} ug m-3, lag 1/2/3 {lags}"
    )


def metadata(path: Path) -> str:
    table = read_metadata(path)
    inside = table[np.asarray(FINE.contains(table["latitude"], table["longitude"]))]
    return (
        f"{len(table)} sampling points, {inside['station_id'].nunique()} stations in the domain, "
        f"{table['country'].nunique()} countries"
    )


def day(path: Path) -> str:
    opened = open_station_day(path)
    frame = pd.DataFrame({k: opened[k].values for k in ("observed", "cams_ensemble")}).dropna()
    error = frame["cams_ensemble"] - frame["observed"]
    return (
        f"{len(frame)} stations: r {frame.corr().iloc[0, 1]:.2f}, RMSE {np.sqrt((error**2).mean()):.1f}, "
        f"bias {error.mean():.1f} ug m-3"
    )


def terrain(path: Path) -> str:
    window = FINE.window(slice(2492, 2540), slice(3465, 3515))
    field = read_elevation([path], window)
    where = f"{window.rows} x {window.cols} cells around Davos"
    return f"{where}: {field.mean():.0f} ± {field.std():.0f} m, up to {field.max():.0f} m"


def reader(path: Path) -> Callable[[Path], str]:
    folder = path.parts
    if "era5" in folder:
        return lambda p: fields(open_era5(p))
    if path.name.startswith("stations425"):
        return day
    if "cams" in folder:
        return lambda p: fields(open_cams(p))
    if "dem" in folder:
        return terrain
    if path.suffix == ".parquet" or "legacy_csv" in folder:
        return measurements
    return metadata


def main() -> None:
    warnings.simplefilter("ignore")
    root = Path(os.environ["CRANPM_REAL_DATA"])
    lines = [
        "# Real sample files, as the readers see them", "",
        "Means ± standard deviations over all values of a file, or the error that refuses it. Files are read by "
        "content, not by name; the folder of samples is not part of the repository. Made by "
        "`CRANPM_REAL_DATA=... .venv/bin/python tests/data/samples_report.py`.", "",
        "| file | content | read as |", "|---|---|---|",
    ]  # fmt: skip
    read = refused = 0
    # the cases are cropped or made, each for a test of its own
    found = (p for p in root.rglob("*") if "cases" not in p.relative_to(root).parts)
    for path in sorted(p for p in found if p.is_file() and p.suffix != ".md"):
        try:
            text = reader(path)(path)
            read += 1
        except DataFileError as error:
            text = f"**{type(error).__name__}**: {error}"
            refused += 1
        kind = "GeoTIFF" if path.suffix == ".tif" else sniff(path)
        lines.append(f"| {path.relative_to(root).as_posix()} | {kind} | {text.replace('|', '/')} |")
    lines += ["", f"{read} read, {refused} refused by name, 0 by an unnamed error."]
    (ROOT / "docs" / "results" / "real_samples.md").write_text("\n".join(lines) + "\n")
    print(lines[-1])


if __name__ == "__main__":
    main()
