"""How the command line speaks: plain errors, a bar with time left, or JSON lines for the dashboard's first-run page."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from cranpm._progress import StageProgress, duration
from cranpm.extras import MissingExtraError

MENDABLE = (ValueError, LookupError, OSError, RuntimeError, MissingExtraError)

console = Console()
errors = Console(stderr=True)


class plain_errors:
    """Turn the errors a person can mend into one line and exit code 2; everything else keeps its traceback."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, MENDABLE) and not isinstance(error, typer.Exit):
            errors.print(f"[red]error[/] {escape(str(error))}", highlight=False)
            raise typer.Exit(2) from None


class JsonProgress:
    """Writes ``{"stage", "done", "total", "seconds_left"}`` a line."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __call__(self, stage: str, done: int, total: int, seconds_left: float | None) -> None:
        line = {"stage": stage, "done": done, "total": total, "seconds_left": seconds_left}
        print(json.dumps(line), file=self._stream, flush=True)


class BarProgress:
    """Feeds one rich bar."""

    def __init__(self, progress: Progress, title: str) -> None:
        self._progress = progress
        self._title = title
        self._task = progress.add_task(title, total=None, left="")

    def __call__(self, done: int, total: int, seconds_left: float | None, title: str | None = None) -> None:
        left = "" if seconds_left is None else f"{duration(seconds_left)} left"
        description = title or self._title
        self._progress.update(self._task, completed=done, total=total, left=left, description=description)

    def stage(self, stage: str, done: int, total: int, seconds_left: float | None) -> None:
        """As `JsonProgress`: the stage's name leads the bar."""
        self(done, total, seconds_left, title=f"{self._title}: {stage}")


@contextmanager
def bar(title: str, *, unit: str) -> Iterator[BarProgress]:
    """A progress bar that shows done / total, elapsed time and time left."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(unit),
        TimeElapsedColumn(),
        TextColumn("{task.fields[left]}"),
    )
    with Progress(*columns, console=console) as progress:
        yield BarProgress(progress, title)


@contextmanager
def stages(title: str, *, unit: str, as_json_to: TextIO | None = None) -> Iterator[StageProgress]:
    """Progress of work in stages, told as (stage, done, total, seconds left): a bar, or JSON lines to a stream."""
    if as_json_to is not None:
        yield JsonProgress(as_json_to)
        return
    with bar(title, unit=unit) as progress:
        yield progress.stage
