"""``cranpm data ...``: list, fetch, prepare and check real data."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TransferSpeedColumn,
)
from rich.table import Table

from cranpm._progress import duration
from cranpm.cli.console import bar, console, plain_errors
from cranpm.cli.options import App, Data, DomainOrFile, day_option

if TYPE_CHECKING:
    from cranpm.data.download.fetch import FetchPlan
    from cranpm.data.download.progress import FetchProgress

data_app = App(no_args_is_help=True, help="Real data: what there is, get it, prepare it, check it.")

Start = Annotated[str, day_option("First UTC day.")]
End = Annotated[str, day_option("Last UTC day.")]
Raw = Annotated[Path | None, typer.Option(help="Folder of downloads; default: data/raw.")]


@data_app.command("list")
def list_sources(raw: Raw = None, domain: DomainOrFile = "europe") -> None:
    """Every source: licence, size, what is on this machine and what is missing."""
    with plain_errors():
        from cranpm.data.domains import find_domain
        from cranpm.data.download.inventory import inventory
        from cranpm.data.download.receipts import raw_dir
        from cranpm.data.manifest import load_manifest

        entries = inventory(load_manifest(), raw or raw_dir(), find_domain(domain))
    table = Table(title="Sources")
    table.add_column("source", no_wrap=True)
    for column in ("licence", "size", "on this machine", "missing"):
        table.add_column(column, min_width=11 if column == "on this machine" else None)  # "(mock:"
    for entry in entries:
        table.add_row(entry.id, entry.licence, entry.size, entry.present, entry.missing)
    console.print(table)
    untried = sum(entry.checked == "not yet" for entry in entries)
    if untried:
        console.print(
            f"{untried} sources: nobody has noted yet that the address works (docs/data.md says how).",
            highlight=False,
        )
    console.print(
        f"Downloads: {raw or raw_dir()}. Get one with 'cranpm data fetch SOURCE ...'.", highlight=False
    )


@data_app.command()
def fetch(
    source: Annotated[str, typer.Argument(help="Id, beginning of ids such as era5, or: needed, live.")],
    start: Start,
    end: End,
    domain: DomainOrFile = "europe",
    raw: Raw = None,
    country: Annotated[list[str] | None, typer.Option(help="For stations: country codes.")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be fetched and what it costs.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before large downloads.")] = False,
) -> None:
    """Download a source; may be stopped at any moment and goes on where it was."""
    with plain_errors():
        import numpy as np

        from cranpm.data.domains import find_domain
        from cranpm.data.download.endpoints import polite_session
        from cranpm.data.download.fetch import choose_sources, make_plan
        from cranpm.data.download.fetch import fetch as fetch_files
        from cranpm.data.download.receipts import raw_dir
        from cranpm.data.manifest import load_manifest

        session, grids = polite_session(), find_domain(domain)
        first, last = np.datetime64(start, "D"), np.datetime64(end, "D")
        for chosen in choose_sources(load_manifest(), source, grids):
            plan = make_plan(
                chosen, first, last, domain=grids, root=raw or raw_dir(), countries=country or (),
                session=session,
            )  # fmt: skip
            _describe(plan)
            if dry_run or not plan.missing:
                continue
            if not yes and (plan.known_bytes > 1e9 or len(plan.missing) > 50):
                typer.confirm("Go on?", abort=True)
            with _transfer_bar() as show:
                fetch_files(plan, session=session, progress=show)
            console.print(f"{chosen.id}: complete. {chosen.attribution}", highlight=False)


@data_app.command()
def add(
    files: Annotated[list[Path], typer.Argument(help="Station files: exports, or of an earlier download.")],
    source: Annotated[
        str,
        typer.Option(
            help="What they are: eea-measurements, eea-up-to-date, eea-historical, eea-stations, openaq-archive."
        ),
    ],
    domain: DomainOrFile = "europe",
    raw: Raw = None,
) -> None:
    """Take station files that are on this machine already; files of something else are refused."""
    with plain_errors():
        from cranpm.data.domains import find_domain
        from cranpm.data.download.receipts import raw_dir
        from cranpm.data.manifest import load_manifest
        from cranpm.data.own_station_files import add_station_files

        chosen = load_manifest().source(source)
        added = add_station_files(files, chosen, find_domain(domain), raw or raw_dir())
        console.print(
            f"{len(added)} files added to {chosen.id}. They count from the next 'cranpm data prepare' on. "
            f"{chosen.attribution}",
            highlight=False,
        )


def _describe(plan: FetchPlan) -> None:
    size = f", {plan.known_bytes / 1e9:.1f} GB" if plan.known_bytes else ""
    cost = ""
    if plan.costs:
        known = [c.cost for c in plan.costs.values() if c.cost is not None]
        cost = f", cost {sum(known):g} in {len(plan.costs)} requests" if known else ", cost unknown"
        halved = sum(c.too_much for c in plan.costs.values())
        cost += f" ({halved} too large for the store, asked for in parts)" if halved else ""
    console.print(
        f"{plan.source.id}: {len(plan.present)} files there, {len(plan.missing)} missing{size}{cost}; "
        f"licence {plan.source.license.name}",
        highlight=False,
    )


class _transfer_bar:
    """A bar of bytes for the file, and the time left for all of them."""

    def __enter__(self) -> _transfer_bar:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}"),
            console=console,
        )
        self._progress.start()
        self._task = self._progress.add_task("", total=None, left="")
        return self

    def __exit__(self, *error: object) -> None:
        self._progress.stop()

    def __call__(self, event: FetchProgress) -> None:
        left = "" if event.seconds_left is None else f"{duration(event.seconds_left)} left"
        self._progress.update(
            self._task,
            description=f"{event.files_done + 1}/{event.files} {event.file} ({event.state})",
            completed=event.bytes_done,
            total=event.bytes_total,
            left=left,
        )


@data_app.command()
def prepare(
    start: Start,
    end: End,
    out: Annotated[Path, typer.Option(help="Dataset folder.")],
    domain: DomainOrFile = "europe",
    raw: Raw = None,
    target: Annotated[
        str,
        typer.Option(
            help="Source of the fine maps; cams-europe-forecasts makes a live dataset (shifted input)."
        ),
    ] = "ghap-pm25-d1k",
    elevation: Annotated[str, typer.Option(help="Source of elevation.")] = "elevation-etopo-2022",
    cams: Annotated[
        str, typer.Option(help="Source of composition: cams-global-forecasts or cams-eac4.")
    ] = "cams-global-forecasts",
    workers: Annotated[
        int, typer.Option(min=0, max=256, help="Processes of a local Dask cluster; 0: this process.")
    ] = 2,
    scheduler: Annotated[str | None, typer.Option(help="Address of a Dask scheduler.")] = None,
    statistics_of: Annotated[
        Path | None, typer.Option(help="Dataset whose training statistics to take over.")
    ] = None,
) -> None:
    """Daily fields on the domain's grids from what was fetched; days that are there already are left alone."""
    with plain_errors(), bar("Prepare", unit="days") as progress:
        from cranpm.data.domains import find_domain
        from cranpm.data.download.receipts import raw_dir
        from cranpm.data.prepare import DatasetRecipe, prepare_dataset

        recipe = DatasetRecipe(
            raw=raw or raw_dir(),
            domain=find_domain(domain),
            target=target,
            elevation=elevation,
            composition=cams,
        )
        summary = prepare_dataset(
            recipe,
            start,
            end,
            out,
            workers=workers,
            scheduler=scheduler,
            statistics_of=statistics_of,
            progress=progress,
        )
    for line in summary:
        console.print(line, highlight=False, markup=False)


@data_app.command()
def check(
    data: Data = None,
    report: Annotated[
        Path | None, typer.Option(help="Folder of the report; default: beside the data.")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="One day of eight only.")] = False,
) -> None:
    """Audit a dataset: units, ranges, gaps, empty fields, checksums, stations. Exit code 1 if it fails."""
    with plain_errors():
        from cranpm import registry
        from cranpm.data.audit.audit import audit_dataset
        from cranpm.data.audit.report import write_report

        entry = registry.find_dataset(data)
        with bar("Check", unit="days") as progress:
            result = audit_dataset(entry.path, quick=quick, progress=progress)
        written = write_report(result, report or entry.path / "check")
    colours = {"error": "red", "warning": "yellow", "ok": "green"}
    table = Table("", "what", "found", title=f"{result.name}: {result.source}")
    for finding in result.findings:
        # what was found quotes file names and values, which are no markup
        level = f"[{colours[finding.level]}]{finding.level}[/]"
        table.add_row(level, escape(finding.what), escape(finding.found))
    console.print(table)
    console.print(f"Report: {written}", highlight=False)
    if not result.passed:
        raise typer.Exit(1)
