"""The ``cranpm`` command: parse, call, print."""

from __future__ import annotations

import signal
import sys
import threading
from typing import Annotated

import typer

from cranpm import __version__
from cranpm.cli.bench import bench
from cranpm.cli.console import console
from cranpm.cli.dashboard import dashboard
from cranpm.cli.data import data_app
from cranpm.cli.doctor import doctor
from cranpm.cli.evidence.ablate import ablate
from cranpm.cli.evidence.evaluate import evaluate
from cranpm.cli.forecast import forecast
from cranpm.cli.info import info
from cranpm.cli.options import App
from cranpm.cli.physics import physics
from cranpm.cli.score import score
from cranpm.cli.testbed import testbed_app
from cranpm.cli.train import train

app = App(no_args_is_help=True, help="CRAN-PM Explorer: PM2.5 over Europe at 1 km.")
for command in (dashboard, info, doctor, forecast, train, ablate, score, evaluate, physics, bench):
    app.command()(command)
app.add_typer(testbed_app, name="testbed")
app.add_typer(data_app, name="data")


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
    _end_by_exception()


def _end_by_exception() -> None:
    """SIGTERM ends a command as Ctrl-C does, through its clean-up, so that nothing half-written stays behind."""
    is_main = threading.current_thread() is threading.main_thread()  # handlers cannot be set elsewhere
    if is_main and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))


if __name__ == "__main__":
    app()
