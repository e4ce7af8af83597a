"""``cranpm score``: a checkpoint on a dataset, beside baselines, against the product and against stations."""

from __future__ import annotations

import json
import sys
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from cranpm.cli.console import console, plain_errors, stages
from cranpm.cli.options import Checkpoint, Data, Device, Leads, Overwrite, day_option


def score(
    checkpoint: Checkpoint = "demo",
    data: Data = None,
    start: Annotated[str | None, day_option("First init day; default: all held.")] = None,
    end: Annotated[str | None, day_option("Last init day.")] = None,
    days: Annotated[
        int, typer.Option(min=1, max=36500, help="At most so many init days, spread evenly.")
    ] = 48,
    lead: Leads = [1, 2, 3],  # noqa: B006
    against: Annotated[str, typer.Option(help="Baseline that skill is told against.")] = "persistence",
    fit_days: Annotated[
        int,
        typer.Option(
            min=0,
            max=36500,
            help="At most so many training days to fit climatology, damped persistence and least squares on; 0 leaves "
            "them out.",
        ),
    ] = 60,
    rival: Annotated[
        list[Path] | None,
        typer.Option(
            help="Checkpoint of a learned rival, or FILE.json of least-squares coefficients; may be given again."
        ),
    ] = None,
    cams_europe: Annotated[
        Path | None, typer.Option(help="Folder of downloads that holds CAMS European ensemble runs.")
    ] = None,
    device: Device = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="The scores on standard output.")] = False,
    out: Annotated[
        Path | None, typer.Option(help="FILE.json; FILE.md and FILE.png are written beside.")
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Score forecasts against the fine product (land, regions) and against stations, with 95 % intervals."""
    with plain_errors():
        from cranpm.evaluation.scores import check_target
        from cranpm.evaluation.scoring import score as score_checkpoint

        if out is not None:
            check_target(out, overwrite=overwrite)
        with stages("Score", unit="days", as_json_to=sys.stderr if as_json else None) as report:
            scores = score_checkpoint(
                checkpoint,
                data,
                days=days,
                leads=lead,
                start=start,
                end=end,
                against=against,
                fit_days=fit_days,
                rivals=rival or (),
                cams_europe=cams_europe,
                device=device,
                progress=partial(report, "forecasting and scoring"),
            )
        if out is not None:
            scores.write(out)
    if as_json:
        sys.stdout.write(json.dumps(scores.to_dict()) + "\n")
        return
    console.print(scores.page(), highlight=False, markup=False, soft_wrap=True)
