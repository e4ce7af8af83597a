"""``cranpm evaluate``: a checkpoint beside every rival, on final days (the look is logged) or on days of a dataset."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from cranpm.cli.console import console, plain_errors, stages
from cranpm.cli.options import Checkpoint, Data, DayWorkers, Device, Scheduler, day_option


def evaluate(
    checkpoint: Checkpoint = "demo",
    protocol: Annotated[
        Literal["final", "development"] | None,
        typer.Option(
            help="Which days and worlds: final (three other seeds, one shifted world; the look is logged), which is "
            "the default without --data, or development (2022 of world 1; no look)."
        ),
    ] = None,
    data: Data = None,
    start: Annotated[str | None, day_option("With --data: first init day; default: all held.")] = None,
    end: Annotated[str | None, day_option("With --data: last init day.")] = None,
    days: Annotated[
        int, typer.Option(min=2, max=36500, help="With --data: at most so many init days, spread evenly.")
    ] = 48,
    rival: Annotated[
        list[Path] | None,
        typer.Option(
            help="Checkpoint of a learned rival, or FILE.json of least-squares coefficients; may be given again."
        ),
    ] = None,
    work: Annotated[
        Path | None,
        typer.Option(
            help="Where worlds and scores of days are kept; default: data/final, with --data data/evaluation."
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder of the tables; default: docs/results in a checkout, with --data WORK."),
    ] = None,
    log: Annotated[
        Path | None, typer.Option(help="Log of looks; default: docs/results/final_looks.csv in a checkout.")
    ] = None,
    device: Device = "auto",
    scheduler: Scheduler = None,
    workers: DayWorkers = 1,
    quick: Annotated[
        bool, typer.Option("--quick", help="Four days of a region, to see that all runs: no figure, no look.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be scored, and score nothing.")
    ] = False,
) -> None:
    """Write Tables 1 and 2: a checkpoint beside every rival, on final days (a logged look) or on a dataset's days."""
    with plain_errors():
        from cranpm import paths
        from cranpm.evaluation.admission import refuse_unfit
        from cranpm.evaluation.development import evaluate_dataset
        from cranpm.evaluation.final import evaluate_protocol
        from cranpm.evaluation.looks import count_looks, default_log
        from cranpm.evaluation.on_workers import WorkersOf
        from cranpm.evaluation.protocol import PROTOCOLS, QUICK
        from cranpm.model.checkpoint import load_checkpoint

        if data is not None:
            alone = {"--protocol": protocol, "--quick": quick, "--log": log, "--dry-run": dry_run}
            given = [name for name, value in alone.items() if value]
            if given:
                raise ValueError(
                    f"{', '.join(given)} and --data exclude each other: days of a dataset are development days, whose "
                    "scores are no look. Leave one of them out."
                )
            kept = work or paths.data_dir() / "evaluation"
            with stages("Evaluation", unit="day") as progress:
                written = evaluate_dataset(
                    checkpoint,
                    data,
                    work=kept,
                    out=out or kept,
                    start=start,
                    end=end,
                    days=days,
                    rivals=rival or (),
                    device=device,
                    workers=WorkersOf(scheduler=scheduler, processes=workers),
                    progress=progress,
                ).files
            _tell(written)
            return
        if scheduler is not None or workers > 1:
            raise ValueError("--scheduler and --workers go with --data: days of a protocol are scored here.")
        chosen = QUICK if quick else PROTOCOLS[protocol or "final"]
        work = work or paths.data_dir() / "final"
        top = paths.checkout()
        if log is None:
            log = default_log() if chosen.logged else work / "looks.csv"  # of which none is written
        if out is None:
            out = work if top is None or not chosen.logged else top / "docs" / "results"
        loaded = load_checkpoint(checkpoint)
        refuse_unfit(chosen.needed_days, f"protocol {chosen.name!r}", loaded, rival or ())
        for name, worlds in chosen.sets.items():
            of = [day for world in worlds for day in world.days]
            said = ", ".join(f"{world.world} (seed {world.seed})" for world in worlds)
            console.print(f"{name}: {len(of)} init days, {min(of)} to {max(of)}, of {said}", highlight=False)
        said = (
            f"{count_looks(log, chosen.name)} look(s) at it are in {log}; this will be another."
            if chosen.logged
            else "Anything may be chosen on these days: nothing of them is quoted, and this is no look."
        )
        console.print(said, highlight=False)
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
    _tell(found.files)


def _tell(files: list[Path]) -> None:
    for path in files:
        console.print(f"Wrote {path}", highlight=False, soft_wrap=True)
