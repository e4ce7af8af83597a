"""The work behind ``cranpm forecast``: find inputs, run the engine here, write a file, say what happened."""

from __future__ import annotations

import resource
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from cranpm import catalog
from cranpm.data.source import DatasetSource
from cranpm.data.store import Dataset
from cranpm.forecast.day import load_day
from cranpm.forecast.engine import DEFAULT_MEMORY, Progress, choose_device, run_forecast
from cranpm.forecast.output import forecast_dataset, write_forecast
from cranpm.model import CranPM, get_preset
from cranpm.model.checkpoint import load_checkpoint


def forecast_to_file(
    *,
    init: str,
    out: Path,
    leads: Sequence[int],
    checkpoint: str | Path = "demo",
    dataset: str | Path | None = None,
    preset: str | None = None,
    device: str = "auto",
    memory_budget: int = DEFAULT_MEMORY,
    overwrite: bool = False,
    on_progress: Callable[[Progress], None] | None = None,
) -> list[str]:
    """Forecast one init day and write it; returns lines for the person who asked.

    ``preset`` runs an untrained network with random weights instead of a checkpoint's, to measure cost; its output
    says so.

    Raises
    ------
    ValueError, LookupError, OSError
        For bad input, before anything is computed or written.
    """
    if out.exists() and not overwrite:
        raise FileExistsError(f"{out} exists; nothing was overwritten. Remove it or pass --overwrite.")
    if out.suffix not in (".zarr", ".nc"):
        raise ValueError(f"Forecasts are written as .zarr or .nc, got {out.name!r}.")
    try:
        init_time = np.datetime64(init, "D")
    except ValueError:
        raise ValueError(f"Init day must be YYYY-MM-DD, got {init!r}.") from None
    chosen = choose_device(device)
    data = Dataset.open(catalog.find_dataset(dataset).path)
    loaded = load_checkpoint(catalog.find_checkpoint(checkpoint).path, device=chosen)
    network, name, content = loaded.network, loaded.folder.name, loaded.hash
    if preset is not None:
        torch.manual_seed(0)
        network = CranPM(get_preset(preset)).to(chosen).eval()
        name, content = f"{preset}, random weights", "none"
    day = load_day(DatasetSource(data), init_time, loaded.statistics, chosen)
    result = run_forecast(network, day, leads, memory_budget=memory_budget, on_progress=on_progress)
    labelled = forecast_dataset(
        result.fields,
        init_time=init_time,
        grid=data.domain.fine,
        source=data.source,
        simulated=data.simulated,
        checkpoint_name=name,
        checkpoint_hash=content,
        negative=result.negative,
    )
    write_forecast(labelled, out, overwrite=overwrite)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    simulated = " (simulated)" if data.simulated else ""
    return [
        f"{out}: PM2.5 on {data.domain.fine.rows} x {data.domain.fine.cols} cells, "
        f"init {init_time}, lead {', '.join(map(str, leads))} d{simulated}",
        f"{result.num_tiles} tiles x {len(leads)} leads in {result.seconds:.1f} s on {result.device} "
        f"({result.skipped_tiles} tiles without land skipped), peak memory {peak:.1f} GB",
    ]
