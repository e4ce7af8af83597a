"""``cranpm forecast``: maps of one init day into a file, or of many into a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from cranpm.cli.console import bar, console, plain_errors, stages
from cranpm.cli.options import (
    Checkpoint,
    Data,
    DayWorkers,
    Device,
    Leads,
    Overwrite,
    Precision,
    Preset,
    Scheduler,
    day_option,
    finite,
)


def forecast(
    out: Annotated[Path, typer.Option(help="FILE.zarr or FILE.nc; for many days a folder.")],
    init: Annotated[str | None, day_option("Init day t (UTC).")] = None,
    start: Annotated[str | None, day_option("First of many init days.")] = None,
    end: Annotated[str | None, day_option("Last of many init days.")] = None,
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
    scheduler: Scheduler = None,
    workers: DayWorkers = 1,
    file_format: Annotated[
        Literal["nc", "zarr"], typer.Option("--format", help="Of the files of many days.")
    ] = "nc",
    overwrite: Overwrite = False,
) -> None:
    """Forecast PM2.5 maps of --init, or of all days --start to --end, into CF-conventions Zarr or NetCDF."""
    many = start is not None and end is not None
    if (init is None) != many or (init is not None and (start or end)):
        raise typer.BadParameter("say either --init, or --start and --end.")
    budget = int(memory * 2**30)
    if start is None or end is None:
        only_many = {"--scheduler": scheduler, "--workers": workers > 1, "--format": file_format != "nc"}
        if given := [name for name, value in only_many.items() if value]:
            raise typer.BadParameter(f"{', '.join(given)} goes with --start and --end.")
        assert init is not None  # as said above
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
                memory_budget=budget,
                overwrite=overwrite,
                progress=progress,
            )
        _tell(summary)
        return
    if preset is not None:
        raise typer.BadParameter("--preset measures the cost of one day: it goes with --init.")
    if out.suffix in (".nc", ".zarr"):
        raise typer.BadParameter(f"many days are written into a folder, a file each; got --out {out}.")
    from cranpm.forecasting.many_days import forecast_days

    with plain_errors(), stages("Forecast", unit="days") as report:
        found = forecast_days(
            out,
            start,
            end,
            lead,
            checkpoint=checkpoint,
            data=data,
            device=device,
            precision=precision,
            memory_budget=budget,
            suffix=f".{file_format}",
            scheduler=scheduler,
            workers=workers,
            overwrite=overwrite,
            progress=report,
        )
    _tell(found.lines())
    if not found.complete:
        raise typer.Exit(1)


def _tell(lines: list[str]) -> None:
    for line in lines:
        console.print(line, highlight=False, markup=False, soft_wrap=True)
