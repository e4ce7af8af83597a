"""``cranpm train``: parse, call, print."""

from __future__ import annotations

import json
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
    checkpoint_names,
    dataset_address,
    finite,
)


def train(
    out: Annotated[Path, typer.Option(help="Folder of the run: state, logs, learning curve, checkpoint.")],
    recipe: Annotated[
        str | None,
        typer.Option(
            help="paper, paper-small, small, refine or tiny; rival-convlstm, rival-simvp, rival-earthformer, "
            "rival-climax, rival-topoflow, rival-least-squares; default small, or that of the run on --resume."
        ),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="name=value, such as --set model.wind_bias=false --set steps=200."),
    ] = None,
    ablation: Annotated[
        str | None, typer.Option(help="Take a part out (Table 3): R1..R8, fusion-film, ...")
    ] = None,
    data: TrainingData = None,
    world: TrainingWorld = None,
    geography: Geography = None,
    domain: NamedDomain = "europe",
    simulate: Simulate = None,
    start_from: Annotated[
        str | None,
        typer.Option(
            help="Checkpoint (name or folder) to begin with; its statistics are kept, too.",
            autocompletion=checkpoint_names,
        ),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on exactly where the run stopped.")] = False,
    export: Annotated[
        bool, typer.Option("--export", help="Only write the checkpoint of the newest saved state.")
    ] = False,
    devices: Annotated[int, typer.Option(min=1, max=1024, help="Devices (processes) of this machine.")] = 1,
    nodes: Annotated[int, typer.Option(min=1, max=1024, help="Machines.")] = 1,
    threads: Annotated[
        int, typer.Option(min=0, max=1024, help="CPU threads of each process; 0 leaves it to PyTorch.")
    ] = 0,
    workers: Annotated[int, typer.Option(min=0, max=256, help="Reading processes for each device.")] = 1,
    memory: Annotated[
        float | None,
        typer.Option(
            min=0.1,
            max=10_000,
            help="GB that each process may take of its device's memory; default: what is there.",
        ),
    ] = None,
    micro_batch: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=100_000,
            help="Tiles whose activations are held at a time; default: as many as the memory holds.",
        ),
    ] = None,
    max_minutes: Annotated[
        float | None,
        typer.Option(
            min=0.01,
            max=527040,  # a year
            callback=finite,
            help="End the tile stage properly after this long (pretraining and schedule keep theirs).",
        ),
    ] = None,
    save_every: Annotated[int, typer.Option(min=1, max=1000000, help="Steps between saved states.")] = 100,
    validate_every: Annotated[int, typer.Option(min=1, max=1000000, help="Steps between validations.")] = 200,
    validation_days: Annotated[
        int, typer.Option(min=1, max=36500, help="Days of the validation split to score.")
    ] = 24,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what it would cost here.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="With --dry-run: machine-readable.")] = False,
) -> None:
    """Train a network. Exit code 75 after SIGTERM or Ctrl-C: the state is saved, go on with --resume."""
    with plain_errors():
        from cranpm.training.command import TrainCommand
        from cranpm.training.state.options import TrainerOptions

        command = TrainCommand(
            out=out,
            recipe=recipe,
            settings=tuple(settings or ()),
            ablation=ablation,
            data=None if data is None else dataset_address(data),
            world=world,
            geography=geography,
            domain=domain,
            simulate=tuple(simulate or ()),
            start_from=None if start_from is None else _checkpoint(start_from),
            resume=resume,
            export_only=export,
            threads=threads,
            options=TrainerOptions(
                devices=devices,
                nodes=nodes,
                workers=workers,
                memory=None if memory is None else int(memory * 1e9),
                micro_batch=micro_batch,
                save_every=save_every,
                validate_every=validate_every,
                validation_days=validation_days,
                max_minutes=max_minutes,
            ),
        )
        if dry_run:
            cost = command.estimate_cost()
            if as_json:
                print(json.dumps(cost.to_dict(), indent=2))
                return
            for line in cost.lines():
                console.print(line, highlight=False)
            return
        code = command.run(report=_say)
    if code:
        raise typer.Exit(code)


def _checkpoint(name: str) -> Path:
    from cranpm import registry

    return registry.find_checkpoint(name).path


def _say(line: str) -> None:
    console.print(line, highlight=False, markup=False, soft_wrap=True)
