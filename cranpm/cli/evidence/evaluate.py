"""``cranpm evaluate``: a checkpoint on days on which nothing may be chosen, beside every rival; the look is logged."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from cranpm.cli.console import console, plain_errors, stages
from cranpm.cli.options import Checkpoint, Device


def evaluate(
    checkpoint: Checkpoint = "demo",
    protocol: Annotated[
        Literal["final"],
        typer.Option(help="Which days and worlds: final (three other seeds, one shifted world)."),
    ] = "final",
    rival: Annotated[
        list[Path] | None,
        typer.Option(
            help="Checkpoint of a learned rival, or FILE.json of least-squares coefficients; may be given again."
        ),
    ] = None,
    work: Annotated[
        Path | None, typer.Option(help="Where worlds and scores of days are kept; default: data/final.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder of the tables; default: docs/results in a checkout, else WORK."),
    ] = None,
    log: Annotated[
        Path | None, typer.Option(help="Log of looks; default: docs/results/final_looks.csv in a checkout.")
    ] = None,
    device: Device = "auto",
    quick: Annotated[
        bool, typer.Option("--quick", help="Four days of a region, to see that all runs: no figure, no look.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be scored, and score nothing.")
    ] = False,
) -> None:
    """Score a checkpoint on the final days of a protocol, beside every rival, and log the look."""
    with plain_errors():
        from cranpm import paths
        from cranpm.evaluation.final import evaluate_protocol
        from cranpm.evaluation.looks import count_looks, default_log
        from cranpm.evaluation.protocol import PROTOCOLS, QUICK, refuse_seen_days
        from cranpm.model.checkpoint import load_checkpoint

        chosen = QUICK if quick else PROTOCOLS[protocol]
        work = work or paths.data_dir() / "final"
        top = paths.checkout()
        if log is None:
            log = default_log() if chosen.logged else work / f"{chosen.name}_looks.csv"
        if out is None:
            out = work if top is None or not chosen.logged else top / "docs" / "results"
        loaded = load_checkpoint(checkpoint)
        refuse_seen_days(chosen, loaded.meta, loaded.folder.resolve().name)
        for name, worlds in chosen.sets.items():
            days = [day for world in worlds for day in world.days]
            said = ", ".join(f"{world.world} (seed {world.seed})" for world in worlds)
            console.print(
                f"{name}: {len(days)} init days, {min(days)} to {max(days)}, of {said}", highlight=False
            )
        console.print(
            f"{count_looks(log, chosen.name)} look(s) at it are in {log}; this will be another.",
            highlight=False,
        )
        if dry_run:
            return
        with stages(f"Protocol {chosen.name}", unit="day") as progress:
            found = evaluate_protocol(
                chosen,
                loaded,
                work=work,
                out=out,
                log=log,
                rivals=rival or (),
                device=device,
                progress=progress,
            )
    for path in found.files:
        console.print(f"Wrote {path}", highlight=False, soft_wrap=True)
