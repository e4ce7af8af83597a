"""``cranpm forecast``: maps of one init day into a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cranpm.cli.console import bar, console, plain_errors
from cranpm.cli.options import (
    Checkpoint,
    Data,
    Device,
    Leads,
    Overwrite,
    Precision,
    Preset,
    day_option,
    finite,
)


def forecast(
    init: Annotated[str, day_option("Init day t (UTC).")],
    out: Annotated[Path, typer.Option(help="FILE.zarr or FILE.nc.")],
    lead: Leads = [1, 2, 3],  # noqa: B006
    checkpoint: Checkpoint = "demo",
    data: Data = None,
    preset: Annotated[
        Preset | None,
        typer.Option(help="Untrained network of this preset with random weights, to measure cost only."),
    ] = None,
    device: Device = "auto",
    precision: Precision = "auto",
    memory: Annotated[
        float,
        typer.Option(min=0.1, max=4096, callback=finite, help="GB that batched tiles may take."),
    ] = 2.0,
    overwrite: Overwrite = False,
) -> None:
    """Forecast PM2.5 maps and write them as CF-conventions Zarr or NetCDF."""
    from cranpm.forecasting.api import forecast_to_file

    with plain_errors(), bar("Forecast", unit="tiles") as progress:
        summary = forecast_to_file(
            out,
            init_time=init,
            leads=lead,
            checkpoint=checkpoint,
            data=data,
            preset=preset,
            device=device,
            precision=precision,
            memory_budget=int(memory * 2**30),
            overwrite=overwrite,
            progress=progress,
        )
    for line in summary:
        console.print(line, highlight=False)
