"""``cranpm ablate``: Table 3, each part retrained without it; parse, call, print."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cranpm.cli.console import console, plain_errors
from cranpm.cli.options import (
    Geography,
    NamedDomain,
    Simulate,
    TrainingData,
    TrainingWorld,
    dataset_address,
)


def ablate(
    runs: Annotated[
        Path,
        typer.Option(help="Folder of the runs, one a variant and seed; finished ones are not trained again."),
    ],
    table: Annotated[
        list[str] | None,
        typer.Option(help="Parts of Table 3: a (fusions), b (A-D), c (R1-R8 and more); default: all."),
    ] = None,
    recipe: Annotated[
        str, typer.Option(help="What parts are taken out of: paper-small, small, tiny, ...")
    ] = ("paper-small"),
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="name=value of the recipe, such as --set steps=600.")
    ] = None,
    data: TrainingData = None,
    world: TrainingWorld = None,
    geography: Geography = None,
    domain: NamedDomain = "europe",
    simulate: Simulate = None,
    out: Annotated[Path | None, typer.Option(help="Folder of the tables; default: that of the runs.")] = None,
    seeds: Annotated[int, typer.Option(min=1, max=100, help="Seeds of each variant, from 1.")] = 3,
    days: Annotated[int, typer.Option(min=2, max=366, help="Held-out days of the validation split.")] = 12,
    tiles: Annotated[int, typer.Option(min=1, max=1000, help="Held-out tiles of each day.")] = 6,
    threads: Annotated[int, typer.Option(min=0, max=1024, help="CPU threads; 0 leaves it to PyTorch.")] = 0,
    workers: Annotated[int, typer.Option(min=0, max=256, help="Reading processes.")] = 1,
    save_every: Annotated[int, typer.Option(min=1, max=1000000, help="Steps between saved states.")] = 100,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say which runs are missing.")] = False,
) -> None:
    """Retrain variants of a recipe with paired seeds and write Table 3. Stopped (exit code 75), it goes on."""
    with plain_errors():
        from cranpm.evaluation.ablation import missing_runs, run_ablations
        from cranpm.training.command import TrainCommand
        from cranpm.training.compare import ComparisonPlan
        from cranpm.training.recipes.ablations import TABLES
        from cranpm.training.recipes.recipes import Recipe
        from cranpm.training.state.options import TrainerOptions
        from cranpm.training.state.signals import STOPPED_EXIT_CODE, TrainingStopped

        parts, numbers = tuple(table or TABLES), tuple(range(1, seeds + 1))
        options = TrainerOptions(workers=workers, save_every=save_every)
        command = TrainCommand(
            out=runs,
            recipe=recipe,
            settings=tuple(settings or ()),
            data=None if data is None else dataset_address(data),
            world=world,
            geography=geography,
            domain=domain,
            simulate=tuple(simulate or ()),
            threads=threads,
            options=options,
        )
        base = command.resolve_recipe()
        if not isinstance(base, Recipe):
            raise ValueError(
                f"{recipe} is a rival; parts are taken out of CRAN-PM's own recipes, such as paper-small."
            )
        missing = missing_runs(base, parts, runs, numbers)
        _say(f"{len(missing)} run(s) to train in {runs}" + (f": {', '.join(missing)}" if missing else "."))
        if dry_run:
            return
        command.prepare_process()
        try:
            files = run_ablations(
                base,
                command.open_data(base),
                parts,
                runs=runs,
                out=out or runs,
                plan=ComparisonPlan(seeds=numbers, days=days, tiles_per_day=tiles),
                options=options,
                report=_say,
            )
        except TrainingStopped as stopped:
            _say(f"{stopped} The same command goes on.")
            raise typer.Exit(STOPPED_EXIT_CODE) from None
    for path in files:
        _say(f"Wrote {path}")


def _say(line: str) -> None:
    console.print(line, highlight=False, markup=False, soft_wrap=True)
