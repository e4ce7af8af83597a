"""``cranpm testbed ...``: build, describe and export the simulated Europe."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from cranpm._files import check_output
from cranpm.cli.console import bar, console, plain_errors, stages
from cranpm.cli.options import App, Data, DomainOrFile, Overwrite, WorldOrFile, day_option

testbed_app = App(no_args_is_help=True, help="The simulated Europe that ships with the product.")

_GEOGRAPHY_BYTES = 40e6

Out = Annotated[Path, typer.Option(help="Folder for the table (Markdown and JSON).")]


@testbed_app.command()
def build(
    days: Annotated[int, typer.Option(min=1, max=36500, help="Number of days.")],
    start: Annotated[str, day_option("First day.")],
    out: Annotated[Path | None, typer.Option(help="Dataset folder; default: data/testbed.")] = None,
    domain: DomainOrFile = "europe",
    world_constants: WorldOrFile = "world-1",
    seed: Annotated[
        int | None,
        typer.Option(
            min=0, max=2**32 - 1, help="Other weather, emissions and noise; default: the world's own."
        ),
    ] = None,
    json_progress: Annotated[
        bool, typer.Option("--json-progress", help="One JSON object a line instead of a bar.")
    ] = False,
) -> None:
    """Build simulated days (real geography, simulated weather and chemistry) into a dataset folder."""
    from cranpm import paths

    target = out or paths.testbed_dir()
    with plain_errors():
        from cranpm.testbed.build import build_testbed
        from cranpm.testbed.simulation.world_files import find_world

        as_json_to = sys.stdout if json_progress else None
        with stages(f"Testbed {domain}", unit="days", as_json_to=as_json_to) as progress:
            world = find_world(world_constants, seed=seed)
            build_testbed(target, start, days, domain, world=world, progress=progress)
    if not json_progress:
        console.print(f"{days} simulated days from {start} are in [bold]{target}[/].")


@testbed_app.command()
def report(
    out: Out = Path("docs/results"),
    days: Annotated[
        int, typer.Option(min=30, max=36500, help="Days to simulate; a year for published figures.")
    ] = 365,
    start: Annotated[str, day_option("First day.")] = "2018-01-01",
    domain: DomainOrFile = "europe",
) -> None:
    """Compare statistics of the simulated world with real ones: testbed_report.md and .json."""
    with plain_errors(), bar("Simulating", unit="days") as progress:
        from cranpm.data.domains import find_domain
        from cranpm.testbed.geography.geography import load_geography
        from cranpm.testbed.simulation.constants import DEFAULT_SEED
        from cranpm.testbed.studies.report import world_report

        _check(out, "testbed_report")
        geography = load_geography(find_domain(domain))
        result = world_report(
            geography,
            seed=DEFAULT_SEED,
            start=start,
            days=days,
            progress=progress,
        )
        result.write(out / "testbed_report.md")
    console.print(f"Wrote {out / 'testbed_report.md'}")


@testbed_app.command()
def ladder(
    out: Out = Path("docs/results"),
    training_days: Annotated[
        int, typer.Option(min=60, max=36500, help="Days that climatology and damping are fitted on.")
    ] = 365,
    days: Annotated[int, typer.Option(min=30, max=36500, help="Days the forecasts are drawn from.")] = 360,
    every: Annotated[int, typer.Option(min=1, max=365, help="A forecast every n-th day.")] = 15,
    domain: DomainOrFile = "europe",
) -> None:
    """Score what can be predicted, from persistence to the true weather: testbed_ladder.md and .json."""
    with plain_errors():
        from cranpm.data.domains import find_domain
        from cranpm.testbed.geography.geography import load_geography
        from cranpm.testbed.simulation.constants import DEFAULT_SEED
        from cranpm.testbed.studies.ladder import LadderPeriods, run_ladder

        _check(out, "testbed_ladder")
        geography = load_geography(find_domain(domain))
        result = run_ladder(
            geography,
            seed=DEFAULT_SEED,
            periods=LadderPeriods(training_days=training_days, days=days, every=every),
            progress=lambda message: console.print(message, highlight=False),
        )
        result.write(out / "testbed_ladder.md")
    console.print(f"Wrote {out / 'testbed_ladder.md'}")


@testbed_app.command()
def statistics(
    data: Data = None,
    start: Annotated[str, day_option("First training day.")] = "2017-01-01",
    end: Annotated[str, day_option("Last training day.")] = "2020-12-31",
) -> None:
    """Compute channel statistics from a dataset's training days and keep them in it."""
    with plain_errors():
        import numpy as np

        from cranpm import registry
        from cranpm.data.store.dataset import Dataset, DatasetWriter
        from cranpm.data.store.source import DatasetSource, source_statistics

        entry = registry.find_dataset(data)
        source = DatasetSource(Dataset.open(entry.path))
        days = [d for d in source.days if np.datetime64(start) <= d <= np.datetime64(end)]
        found = source_statistics(source, days)
        with DatasetWriter.open(entry.path) as writer:
            writer.write_statistics(found)
    console.print(f"Statistics of {len(days)} days ({found.period}) are in {entry.path}.")


@testbed_app.command("export-geography")
def export_geography(
    out: Annotated[Path, typer.Option(help="FILE.npz, under 40 MB.")],
    domain: DomainOrFile = "europe",
    overwrite: Overwrite = False,
) -> None:
    """Write the geography as one file, for machines that have only torch and NumPy."""
    with plain_errors():
        from cranpm.data.domains import find_domain
        from cranpm.testbed.geography.geography import export_geography as export

        check_output(out, size=_GEOGRAPHY_BYTES, overwrite=overwrite)
        export(out, find_domain(domain))
    console.print(f"Wrote {out} ({out.stat().st_size / 1e6:.1f} MB)")


def _check(folder: Path, name: str) -> None:
    """Pages of one name are made anew each time; that they can be is seen before days are simulated for them."""
    for suffix in (".md", ".json"):
        check_output(folder / f"{name}{suffix}", overwrite=True)
