"""The work behind `cranpm.forecast` and ``cranpm forecast``: find inputs, run the engine here, label the maps."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Required, TypedDict, Unpack

import torch
import xarray as xr

from cranpm._progress import Progress, reporting
from cranpm.data.datasets import DataLike, open_source
from cranpm.data.input_ranges import UNUSUAL, UnusualInput
from cranpm.data.store.source import DaySource
from cranpm.domain import LEAD_DAYS
from cranpm.domain.days import Day, as_init_day
from cranpm.domain.regions import Region, named_region
from cranpm.forecasting.engine import RunObserver, check_leads, choose_device
from cranpm.forecasting.intervention_names import Steps, list_steps
from cranpm.forecasting.one_day import Forecaster, origin_of, window_of
from cranpm.forecasting.output import check_target, write_forecast
from cranpm.forecasting.resources.memory import DEFAULT_MEMORY, check_budget
from cranpm.forecasting.resources.precision import Precision
from cranpm.memory import keep_freed_memory, peak_memory
from cranpm.model import CranPM, get_preset
from cranpm.model.checkpoint import Checkpoint, load_checkpoint

_SHOWN = 6


def forecast(
    init_time: Day,
    leads: int | Sequence[int] = LEAD_DAYS,
    *,
    checkpoint: str | Path | Checkpoint = "demo",
    data: DataLike | DaySource = None,
    region: str | Region | None = None,
    interventions: Steps = (),
    preset: str | None = None,
    device: str = "auto",
    precision: Precision = "auto",
    memory_budget: int = DEFAULT_MEMORY,
    progress: bool | Progress = False,
) -> xr.Dataset:
    """Forecast daily-mean PM2.5 maps at 0.01 degrees from the weather and composition of one day and the day before.

    Parameters
    ----------
    init_time : datetime64 or str
        Day t, YYYY-MM-DD (UTC). The data must hold it and the day before.
    leads : int or sequence of int
        Lead times [days], of 1, 2 and 3; they share most of the work.
    checkpoint : str, path or Checkpoint
        A name that `cranpm.list_checkpoints` knows, a folder, or a loaded one.
    data : str, path or Dataset, optional
        As `cranpm.open_dataset` takes it, or any `cranpm.data.DaySource`; by default the testbed.
    region : str or Region, optional
        A box such as "po_valley" (see `cranpm.list_regions`): its cells alone are forecast and returned, with the
        values that they have in the whole map; by default all of the domain.
    interventions : mapping of str to float, optional
        What to change, such as ``{"wind_turn": 180}``, ``{"hide_cams": 1}`` or ``{"transport": 0}``; done in order
        (`cranpm.forecasting.intervention_names` has all). `cranpm.plot_what_if` draws the difference that it makes.
    preset : str, optional
        An untrained network of this preset with random weights instead, to measure cost; the output says so.
    device : str
        "cpu", "cuda", or "auto": CUDA where there is one.
    precision : str
        What matrix products run in: "float32", "bfloat16", or "auto": bfloat16 where the device multiplies it natively,
        twice as fast there; the attribute ``precision`` of the result says which it was.
    memory_budget : int
        Bytes that tiles of one batch may take besides the maps.
    progress : bool or callable
        True for a bar; a function is called with tiles done, tiles in all and seconds left.

    Returns
    -------
    Dataset
        ``pm2p5 (lead, latitude, longitude)`` [ug m-3], NaN where today's map has no value; ``lead`` [days],
        ``forecast_period`` [hours], ``time`` (valid day) and ``forecast_reference_time`` as CF has them. Attributes
        name the checkpoint, its hash and the source ("testbed (simulated)" for the simulated Europe), what was changed
        (``interventions``), and tell as ``unusual_inputs`` (JSON) where inputs lie beyond what the network was trained
        on.

    Raises
    ------
    NotFoundError
        For a checkpoint or dataset that is not there.
    ValueError, RuntimeError
        For a day, lead time, region, intervention or device that is not there, and for inputs with too many gaps;
        before anything is computed.

    Examples
    --------
    >>> import cranpm
    >>> maps = cranpm.forecast("2022-01-11", leads=[1, 2], checkpoint="demo")
    >>> maps.pm2p5.dims
    ('lead', 'latitude', 'longitude')
    >>> tomorrow = maps.pm2p5.sel(lead=1)
    >>> str(tomorrow.time.values)[:10], tomorrow.units, tomorrow.source
    ('2022-01-12', 'ug m-3', 'testbed (simulated)')
    """
    init = as_init_day(init_time)
    chosen_leads, steps = check_leads(leads), list_steps(interventions)
    chosen = choose_device(device)
    source = open_source(data)
    box = None if region is None else named_region(region)
    window_of(source.domain.fine, box)  # refuses a region elsewhere
    loaded = load_checkpoint(checkpoint, device=chosen)
    network, origin = loaded.network, origin_of(source, loaded)
    if preset is not None:
        torch.manual_seed(0)
        network = CranPM(get_preset(preset)).to(chosen).eval()
        origin = replace(origin, checkpoint=f"{preset}, random weights", checkpoint_hash="none")
    check_budget(network.config, memory_budget)  # before the day is read
    forecaster = Forecaster(
        network=network,
        statistics=loaded.require_statistics(),
        source=source,
        origin=origin,
        leads=chosen_leads,
        device=chosen,
        precision=precision,
        memory_budget=memory_budget,
        region=box,
        interventions=steps,
    )
    day = forecaster.read(init)
    with reporting(progress, f"Forecast from {init}", unit="tile") as report:
        observer = RunObserver(progress=lambda p: report(p.done_tiles, p.total_tiles, p.seconds_left))
        maps = forecaster.forecast(day, observer)
    return forecaster.label(day, maps)


class ForecastArguments(TypedDict, total=False):
    """What `cranpm.forecast` takes."""

    init_time: Required[Day]
    leads: int | Sequence[int]
    checkpoint: str | Path | Checkpoint
    data: DataLike | DaySource
    region: str | Region | None
    interventions: Steps
    preset: str | None
    device: str
    precision: Precision
    memory_budget: int
    progress: bool | Progress


def forecast_to_file(
    out: Path, *, overwrite: bool = False, **request: Unpack[ForecastArguments]
) -> list[str]:
    """`cranpm.forecast`, written to ``out``; returns lines for the person who asked."""
    check_target(out, overwrite=overwrite)
    keep_freed_memory()
    labelled = forecast(**request)
    write_forecast(labelled, out, overwrite=overwrite)
    facts = labelled.attrs
    rows, cols = labelled["pm2p5"].shape[1:]
    init = labelled["forecast_reference_time"].values.astype("datetime64[D]")
    days = ", ".join(map(str, labelled["lead"].values.tolist()))
    simulated = " (simulated)" if facts["simulated"] else ""
    memory = f"peak memory {peak_memory() / 2**30:.2f} GB"
    if "expected_memory_bytes" in facts:
        memory += f" ({facts['expected_memory_bytes'] / 2**30:.2f} GB expected)"
    return [
        f"{out}: PM2.5 on {rows} x {cols} cells, init {init}, lead {days} d{simulated}",
        f"{facts['tiles']} tiles x {labelled.sizes['lead']} leads in {facts['seconds']:.1f} s on "
        f"{facts['device']} in {facts['precision']} ({facts['tiles_without_land']} tiles without land skipped), "
        + memory,
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
