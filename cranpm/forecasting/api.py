"""The work behind ``cranpm forecast`` and the notebooks: find inputs, run the engine here, label the maps."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr

from cranpm import registry
from cranpm.data.input_ranges import UNUSUAL, UnusualInput
from cranpm.data.store.dataset import Dataset
from cranpm.data.store.source import DatasetSource
from cranpm.domain import LEAD_DAYS
from cranpm.forecasting.day import load_day
from cranpm.forecasting.engine import DEFAULT_MEMORY, Progress, choose_device, run_forecast
from cranpm.forecasting.output import forecast_dataset, unusual_attribute, write_forecast
from cranpm.memory import keep_freed_memory, peak_memory
from cranpm.model import CranPM, get_preset
from cranpm.model.checkpoint import load_checkpoint

_SHOWN = 6


def forecast(
    init_time: Any,
    leads: Sequence[int] = LEAD_DAYS,
    *,
    checkpoint: str | Path = "demo",
    dataset: str | Path | None = None,
    preset: str | None = None,
    device: str = "auto",
    memory_budget: int = DEFAULT_MEMORY,
    on_progress: Callable[[Progress], None] | None = None,
) -> xr.Dataset:
    """Forecast PM2.5 maps of one init day in this process.

    Parameters
    ----------
    init_time : datetime64 or str
        Day t (UTC).
    leads : sequence of int
        Lead times [days].
    checkpoint, dataset : str or path
        Names known to `cranpm.registry`, or folders.
    preset : str, optional
        An untrained network of this preset with random weights instead, to measure cost; the output says so.

    Returns
    -------
    Dataset
        As `cranpm.forecasting.output.forecast_dataset`, with attributes ``seconds``, ``device`` and tile
        counts, and ``unusual_inputs`` (JSON) where inputs lie beyond what the network was trained on.

    Raises
    ------
    ValueError, LookupError, OSError
        For bad input, before anything is computed.
    """
    try:
        init = np.datetime64(init_time, "D")
    except ValueError:
        raise ValueError(f"Init day must be YYYY-MM-DD, got {init_time!r}.") from None
    chosen = choose_device(device)
    data = Dataset.open(registry.find_dataset(dataset).path)
    loaded = load_checkpoint(registry.find_checkpoint(checkpoint).path, device=chosen)
    network, name, content = loaded.network, loaded.folder.name, loaded.hash
    if preset is not None:
        torch.manual_seed(0)
        network = CranPM(get_preset(preset)).to(chosen).eval()
        name, content = f"{preset}, random weights", "none"
    day = load_day(DatasetSource(data), init, loaded.require_statistics(), chosen)
    result = run_forecast(network, day, leads, memory_budget=memory_budget, on_progress=on_progress)
    return forecast_dataset(
        result.fields,
        init_time=init,
        grid=data.domain.fine,
        source=data.source,
        simulated=data.simulated,
        checkpoint_name=name,
        checkpoint_hash=content,
        negative=result.negative,
        attributes={
            "seconds": round(result.seconds, 2),
            "device": result.device,
            "tiles": result.num_tiles,
            "tiles_without_land": result.skipped_tiles,
            **unusual_attribute(day.unusual),
        },
    )


def forecast_to_file(out: Path, *, overwrite: bool = False, **request: Any) -> list[str]:
    """`forecast`, written to ``out``; returns lines for the person who asked."""
    if out.exists() and not overwrite:
        raise FileExistsError(f"{out} exists; nothing was overwritten. Remove it or pass --overwrite.")
    if out.suffix not in (".zarr", ".nc"):
        raise ValueError(f"Forecasts are written as .zarr or .nc, got {out.name!r}.")
    keep_freed_memory()
    labelled = forecast(**request)
    write_forecast(labelled, out, overwrite=overwrite)
    facts = labelled.attrs
    rows, cols = labelled["pm2p5"].shape[1:]
    init = labelled["forecast_reference_time"].values.astype("datetime64[D]")
    days = ", ".join(str(hours // 24) for hours in labelled["forecast_period"].values.tolist())
    simulated = " (simulated)" if facts["simulated"] else ""
    peak = peak_memory() / 2**30
    return [
        f"{out}: PM2.5 on {rows} x {cols} cells, init {init}, lead {days} d{simulated}",
        f"{facts['tiles']} tiles x {len(labelled['forecast_period'])} leads in {facts['seconds']:.1f} s on "
        f"{facts['device']} ({facts['tiles_without_land']} tiles without land skipped), peak memory {peak:.1f} GB",
        *_unusual_lines(facts.get("unusual_inputs", "[]")),
    ]


def _unusual_lines(attribute: str) -> list[str]:
    unusual = [UnusualInput(**entry) for entry in json.loads(attribute)]
    if not unusual:
        return []
    worst = sorted(unusual, key=lambda one: -one.share)
    more = [f"  ... and {len(worst) - _SHOWN} more channels"] if len(worst) > _SHOWN else []
    head = (
        f"Unusual inputs, beyond {UNUSUAL:g} standard deviations of the days that the network was trained on:"
    )
    return [head, *(f"  {one}" for one in worst[:_SHOWN]), *more]
