"""Is the forecast as sharp as the product it forecasts, and do its tiles show? Spectra, and roughness along tile edges.

.venv/bin/python scripts/show_sharpness.py --days 2022-01-12 2022-04-12 2022-07-12 2022-10-12
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from pathlib import Path

import numpy as np

from cranpm import paths
from cranpm._files import check_output, write_atomically, write_figure
from cranpm.domain import EUROPE, LEAD_DAYS, TilePlan, plan_tiles
from cranpm.domain.grid import KM_PER_DEGREE
from cranpm.forecasting.day import load_day
from cranpm.forecasting.engine import run_forecast
from cranpm.memory import keep_freed_memory
from cranpm.model.checkpoint import load_checkpoint
from cranpm.testbed.geography.geography import load_geography
from cranpm.testbed.source import WorldSource, world_folder
from cranpm.verification.spectrum import edge_roughness, power_spectrum, whole_windows

SIZE = 128
"""Cells along the side of a window: small enough that hundreds have a gap in neither map."""
SIDE_KM = SIZE * 0.01 * KM_PER_DEGREE
BANDS = (2, 5), (5, 15), (15, 35), (2, 35), (35, 110)
"""Wavelengths [km] whose power is given as one number."""
EVERYWHERE = slice(None), slice(None)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--work", type=Path, default=paths.data_dir() / "demo-training")
    parser.add_argument("--checkpoint", type=Path, default=paths.assets_dir() / "checkpoints" / "demo")
    parser.add_argument("--days", nargs="+", default=["2022-01-12", "2022-04-12", "2022-07-12", "2022-10-12"])
    parser.add_argument("--out", type=Path, default=Path("docs/results/sharpness.json"))
    given = parser.parse_args()
    for file in (given.out, given.out.with_suffix(".png")):
        check_output(file, overwrite=True)
    keep_freed_memory()
    source = WorldSource(load_geography(EUROPE), world_folder(given.work))
    checkpoint = load_checkpoint(given.checkpoint)
    plan = plan_tiles(EUROPE.fine.shape)
    windows = whole_windows(source.land, SIZE)
    spectra: dict[str, list[np.ndarray]] = {}
    used = 0
    rough: dict[str, list[tuple[float, float]]] = {}
    wavelength = np.zeros(0)
    for text in given.days:
        init = np.datetime64(text, "D")
        forecast = run_forecast(checkpoint.network, load_day(source, init, checkpoint.statistics)).fields
        today = source.pm2p5(init, *EVERYWHERE)
        for lead in LEAD_DAYS:
            target = source.pm2p5(init + np.timedelta64(lead, "D"), *EVERYWHERE)
            for window in windows:
                if not np.isfinite(forecast[lead][window] + target[window]).all():
                    continue  # the two are compared on the same windows
                used += 1
                for name, field in ((f"forecast T+{lead}", forecast[lead]), (f"target T+{lead}", target)):
                    wavelength, power = power_spectrum(field[window], 0.01 * KM_PER_DEGREE)
                    spectra.setdefault(name, []).append(power)
            change = forecast[lead] - today
            for axis, edges in ((0, tile_edges(plan, 0)), (1, tile_edges(plan, 1))):
                rough.setdefault(f"T+{lead}", []).append(edge_roughness(change, edges, axis))
        print(f"{init}: {used} windows so far, {len(LEAD_DAYS)} lead times", flush=True)
    result = {
        "what": "testbed (simulated): the GHAP-like product and the demo's forecast of it",
        "checkpoint": checkpoint.hash,
        "days": given.days,
        "windows": used,
        "window_cells": SIZE,
        "machine": f"{os.cpu_count()} CPU cores, {platform.machine()}",
        "wavelength_km": wavelength.round(2).tolist(),
        "power": {name: np.mean(values, 0).tolist() for name, values in spectra.items()},
        "roughness_at_edges_over_elsewhere": {
            name: float(np.sum([a for a, _ in pairs]) / np.sum([b for _, b in pairs]))
            for name, pairs in rough.items()
        },
    }
    result["forecast_over_target"] = {f"T+{lead}": band_ratios(result, lead) for lead in LEAD_DAYS}
    write_atomically(given.out, json.dumps(result, indent=1) + "\n")
    draw(result, given.out.with_suffix(".png"))
    print(json.dumps({k: result[k] for k in ("roughness_at_edges_over_elsewhere", "forecast_over_target")}))


def band_ratios(result: dict, lead: int) -> dict[str, float]:
    """Power of the forecast over that of the target, summed over each of `BANDS`."""
    wavelength = np.asarray(result["wavelength_km"])
    ours, theirs = (np.asarray(result["power"][f"{name} T+{lead}"]) for name in ("forecast", "target"))
    bands = {f"{low}-{high} km": (wavelength >= low) & (wavelength < high) for low, high in BANDS}
    return {name: round(float(ours[band].sum() / theirs[band].sum()), 3) for name, band in bands.items()}


def tile_edges(plan: TilePlan, axis: int) -> list[int]:
    """Rows or columns at which a tile begins or ends inside the map."""
    starts = plan.row_starts if axis == 0 else plan.col_starts
    edges = {*starts, *(start + plan.tile_size for start in starts)}
    return sorted(edges - {0, plan.shape[axis]})


def draw(result: dict, path: Path) -> None:
    """Power against wavelength: forecast and target of each lead time."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 3.6), layout="constrained")
    for axes, lead in zip(figure.subplots(1, len(LEAD_DAYS), sharey=True), LEAD_DAYS, strict=True):
        for name, colour in (("target", "0.35"), ("forecast", "#0b6180")):
            power = result["power"][f"{name} T+{lead}"]
            axes.loglog(result["wavelength_km"], power, color=colour, label=name, lw=1.6)
        seam = result["roughness_at_edges_over_elsewhere"][f"T+{lead}"]
        axes.set_title(f"T+{lead}, roughness at tile edges / elsewhere {seam:.2f}", fontsize=8)
        axes.set_xlabel("wavelength [km]")
        axes.invert_xaxis()
        axes.grid(alpha=0.3)
    figure.axes[0].set_ylabel("power [µg² m$^{-6}$]")
    figure.axes[0].legend(frameon=False)
    figure.suptitle(
        f"Sharpness of the demo on the simulated testbed (land windows of {SIDE_KM:.0f} km)", fontsize=10
    )
    write_figure(path, figure)


if __name__ == "__main__":
    main()
