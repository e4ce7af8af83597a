"""The ``cranpm`` command: parse, call, print."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from cranpm import __version__
from cranpm.cli.console import bar, console, plain_errors
from cranpm.cli.data import data_app
from cranpm.cli.physics import physics
from cranpm.cli.score import score
from cranpm.cli.testbed import testbed_app
from cranpm.cli.train import train

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="CRAN-PM Explorer: PM2.5 over Europe at 1 km."
)
app.add_typer(testbed_app, name="testbed")
app.command()(train)
app.command()(physics)
app.command()(score)
app.add_typer(data_app, name="data")


class _ManyLeads(typer.core.TyperCommand):
    """Accepts ``--lead 1 2 3`` as well as ``--lead 1 --lead 2 --lead 3``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        expanded: list[str] = []
        collecting = False
        for position, argument in enumerate(args):
            follows_value = collecting and position > 0 and args[position - 1] != "--lead"
            if argument == "--lead":
                collecting = True
            elif follows_value and argument.isdigit():
                expanded.append("--lead")
            elif argument.startswith("-"):
                collecting = False
            expanded.append(argument)
        return super().parse_args(ctx, expanded)


def _version(value: bool) -> None:
    if value:
        console.print(__version__)
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print version.")
    ] = False,
) -> None:
    """Options before the command."""


@app.command()
def info(as_json: Annotated[bool, typer.Option("--json", help="Machine-readable.")] = False) -> None:
    """Version, grid, channels, token and tile counts, parameters of each preset, data and checkpoints found."""
    from cranpm.cli.doctor import describe

    facts = describe()
    if as_json:
        print(json.dumps(facts, indent=2))
        return
    from cranpm.cli.tables import print_info

    print_info(console, facts)


@app.command()
def doctor() -> None:
    """What is missing on this machine, and the command that mends it. Exit code 1 if something required is."""
    from cranpm.cli.doctor import examine

    findings = examine()
    for finding in findings:
        mark = (
            "[green]ok[/]"
            if finding.ok
            else ("[red]missing[/]" if finding.required else "[yellow]optional[/]")
        )
        console.print(f"{mark:>18}  {finding.what}: {finding.detail}")
        if not finding.ok:
            console.print(f"          mend with: [bold]{finding.mend}[/]")
    if any(not f.ok and f.required for f in findings):
        raise typer.Exit(1)


@app.command(cls=_ManyLeads)
def forecast(
    init: Annotated[str, typer.Option(help="Init day t, YYYY-MM-DD (UTC).")],
    out: Annotated[Path, typer.Option(help="FILE.zarr or FILE.nc.")],
    lead: Annotated[list[int], typer.Option(help="Lead times [days], such as --lead 1 2 3.")] = [1, 2, 3],  # noqa: B006
    checkpoint: Annotated[str, typer.Option(help="Name or folder.")] = "demo",
    dataset: Annotated[str | None, typer.Option(help="Name or folder; default: the testbed.")] = None,
    preset: Annotated[
        str | None,
        typer.Option(help="Untrained network of this preset with random weights, to measure cost only."),
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    memory: Annotated[float, typer.Option(help="GB that batched tiles may take.")] = 2.0,
    overwrite: Annotated[bool, typer.Option(help="Replace an existing file.")] = False,
) -> None:
    """Forecast PM2.5 maps and write them as CF-conventions Zarr or NetCDF."""
    from cranpm.forecasting.api import forecast_to_file

    with plain_errors(), bar("Forecast", unit="tiles") as progress:
        summary = forecast_to_file(
            out,
            init_time=init,
            leads=sorted(set(lead)),
            checkpoint=checkpoint,
            dataset=dataset,
            preset=preset,
            device=device,
            memory_budget=int(memory * 2**30),
            overwrite=overwrite,
            on_progress=lambda p: progress(p.done_tiles, p.total_tiles, p.seconds_left),
        )
    for line in summary:
        console.print(line, highlight=False)


if __name__ == "__main__":
    app()
