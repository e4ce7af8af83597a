"""``cranpm bench``: parse, call, print."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from cranpm.cli.console import console, plain_errors
from cranpm.cli.options import Checkpoint, Data, Device, Leads, NamedDomain, Overwrite, Preset


def bench(
    only: Annotated[
        str | None,
        typer.Option(
            help="Parts, with commas between: model, blend, forecast, render, prepare, training, verify; "
            "default: all."
        ),
    ] = None,
    quick: Annotated[
        bool,
        typer.Option(
            "--quick",
            help="Meant for 45 s on two idle cores: fewer rounds, tiles of a forecast and days, one lead time.",
        ),
    ] = False,
    out: Annotated[
        Path | None, typer.Option(help="FILE.json for all figures; default: the table only.")
    ] = None,
    preset: Preset = "small",
    device: Device = "auto",
    domain: NamedDomain = "europe",
    data: Data = None,
    checkpoint: Checkpoint = "demo",
    lead: Leads = [1],  # noqa: B006
    seconds: Annotated[
        float, typer.Option(min=0.1, max=3600, help="Of measuring for each part, about.")
    ] = 20.0,
    days: Annotated[int, typer.Option(min=3, max=60, help="Days that are prepared.")] = 8,
    workers: Annotated[
        list[int],
        typer.Option(min=0, max=64, help="Preparing processes to compare; 0: this one: --workers 0 1 2."),
    ] = [0, 2],  # noqa: B006
    overwrite: Overwrite = False,
) -> None:
    """How fast this machine is, beside what it could do at best and what one would use instead, measured in turns."""
    with plain_errors():
        from cranpm._files import check_output, write_atomically
        from cranpm.bench.run import PARTS, check_parts, run_bench
        from cranpm.bench.settings import BenchSettings
        from cranpm.domain import get_domain
        from cranpm.forecasting.engine import choose_device
        from cranpm.memory import keep_freed_memory

        parts = check_parts(PARTS if only is None else [part.strip() for part in only.split(",")])
        if out is not None:
            if out.suffix != ".json":
                raise ValueError(f"Figures are written as .json, got {out.name!r}.")
            check_output(out, overwrite=overwrite)
        keep_freed_memory()
        settings = BenchSettings(
            device=choose_device(device),
            preset=preset,
            domain=get_domain(domain),
            seconds=min(seconds, 2.0) if quick else seconds,
            quick=quick,
            data=data,
            checkpoint=checkpoint,
            leads=tuple(lead),
            days=days,
            workers=tuple(dict.fromkeys(workers)),
        )
        results = run_bench(
            settings, parts, report=lambda part: console.print(f"measuring: {part}", highlight=False)
        )
        if out is not None:
            write_atomically(out, json.dumps(results.to_dict(), indent=1) + "\n")
    for line in results.lines():
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    if results.failed:
        raise typer.Exit(1)
