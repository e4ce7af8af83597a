"""Words of the command line, each defined once: an option means the same in every command.

Also what the shell offers for them. Completion imports neither torch nor a plotting library.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Iterable, Iterator
from glob import escape, glob
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
import typer.core


class Command(typer.core.TyperCommand):
    """A command whose repeatable options take several values at once: ``--lead 1 2 3``, ``--lead 1 --lead 2``.

    Only where nothing else could be meant: a command with arguments of its own takes one value an option.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        known = {name: option for option in self.params for name in option.opts if name.startswith("-")}
        if "--region" in args and "--region" not in known and "--domain" in known:
            ctx.fail(
                "No such option: --region. A grid is chosen with --domain; a region is a box inside one."
            )
        if not any(param.param_type_name == "argument" for param in self.params):
            repeatable = {name for name, option in known.items() if getattr(option, "multiple", False)}
            args = list(_one_value_each(args, repeatable))
        return super().parse_args(ctx, args)


def _one_value_each(args: Iterable[str], repeatable: set[str]) -> Iterator[str]:
    """``--lead 1 2`` as ``--lead 1 --lead 2``."""
    open_option, values = "", 0
    for word in args:
        if word.startswith("-"):
            name, joined, _ = word.partition("=")
            open_option, values = name if name in repeatable else "", len(joined)
        elif open_option:
            if values:
                yield open_option
            values += 1
        yield word


class App(typer.Typer):
    """A group of commands of the kind above."""

    def command(self, name: str | None = None, *, cls: Any = Command, **settings: Any) -> Any:
        return super().command(name, cls=cls, **settings)


def dataset_names(incomplete: str) -> list[str]:
    """Datasets on this machine, and folders once one is being typed."""
    from cranpm import registry

    return _beginning(incomplete, (entry.name for entry in registry.list_datasets()))


def dataset_address(name: str) -> str:
    """Names of datasets on this machine become folders; addresses stay."""
    if "://" in name or "::" in name:
        return name
    from cranpm import registry

    return str(registry.find_dataset(name).path)


def checkpoint_names(incomplete: str) -> list[str]:
    """Checkpoints on this machine, and folders once one is being typed."""
    from cranpm import registry

    return _beginning(incomplete, (entry.name for entry in registry.list_checkpoints()))


def domain_names(incomplete: str) -> list[str]:
    """The testbed's domains."""
    from cranpm.domain import DOMAINS

    return _beginning(incomplete, DOMAINS)


def domain_names_and_files(incomplete: str) -> list[str]:
    """The testbed's domains, those that come as files, and files of one's own."""
    from cranpm.data.domains import example_domains

    return [*domain_names(incomplete), *_beginning(incomplete, example_domains())]


def world_names(incomplete: str) -> list[str]:
    """World 1, and worlds that come as files."""
    from cranpm.testbed.simulation.constants import WORLD_1
    from cranpm.testbed.simulation.world_files import shipped_worlds

    return _beginning(incomplete, [WORLD_1, *shipped_worlds()])


def lead_times(incomplete: str) -> list[str]:
    """1, 2, 3."""
    from cranpm.domain import LEAD_DAYS

    return _beginning(incomplete, map(str, LEAD_DAYS))


def _beginning(incomplete: str, names: Iterable[str]) -> list[str]:
    paths = sorted(glob(f"{escape(incomplete)}*")) if Path(incomplete).name != incomplete else []
    return [name for name in names if name.startswith(incomplete)] + paths


def _known_leads(leads: list[int]) -> list[int]:
    from cranpm.domain import LEAD_DAYS

    if not set(leads) <= set(LEAD_DAYS):
        given, known = (" ".join(map(str, days)) for days in (leads, LEAD_DAYS))
        raise typer.BadParameter(f"lead times must be among {known} days, got {given}.")
    return sorted(set(leads))


def _known_day(text: str | None) -> str | None:
    """A calendar day that data can be of; NumPy would also take "NaT", "now" and years without end."""
    if text is None:
        return None
    try:
        day = dt.date.fromisoformat(text) if _DAY.fullmatch(text) else None
    except ValueError:
        day = None
    if day is None or not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise typer.BadParameter(
            f"a day is written YYYY-MM-DD, such as 2022-01-05, between {FIRST_YEAR} and {LAST_YEAR}; got {text!r}."
        )
    return text


def finite(value: float | None) -> float | None:
    """Bounds let "nan" through, which is neither below nor above them."""
    if value is not None and not math.isfinite(value):
        raise typer.BadParameter(f"a number is needed, got {value}.")
    return value


def _known_device(text: str) -> str:
    if not _DEVICE.fullmatch(text):
        raise typer.BadParameter(f"expected auto, cpu, cuda or cuda:NUMBER, got {text!r}.")
    return text


_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_DEVICE = re.compile(r"auto|cpu|cuda(:[0-9]{1,2})?")
FIRST_YEAR, LAST_YEAR = 1940, 2100  # ERA5 begins in 1940


def day_option(help_text: str) -> Any:
    """An option that takes a UTC day."""
    return typer.Option(help=help_text, metavar="YYYY-MM-DD", callback=_known_day)


Data = Annotated[
    str | None,
    typer.Option(
        "--data", help="Dataset, name or folder; default: the testbed.", autocompletion=dataset_names
    ),
]
Checkpoint = Annotated[str, typer.Option(help="Name or folder.", autocompletion=checkpoint_names)]
Leads = Annotated[
    list[int],
    typer.Option(
        "--lead",
        help="Lead times in days, one or several: --lead 1 2 3.",
        callback=_known_leads,
        autocompletion=lead_times,
    ),
]
DomainOrFile = Annotated[
    str,
    typer.Option(
        "--domain",
        help="A domain's name, or a file that describes one (YAML or JSON).",
        autocompletion=domain_names_and_files,
    ),
]
WorldOrFile = Annotated[
    str,
    typer.Option(
        "--world-constants",
        help="A simulated world's name, or a file of the constants that differ from world-1 (YAML or JSON).",
        autocompletion=world_names,
    ),
]
NamedDomain = Annotated[
    str, typer.Option("--domain", help="europe, alps or central-europe.", autocompletion=domain_names)
]
TrainingData = Annotated[
    str | None,
    typer.Option(
        "--data",
        help="Dataset to train on: a folder, a name, or any fsspec address.",
        autocompletion=dataset_names,
    ),
]
TrainingWorld = Annotated[
    Path | None, typer.Option("--world", help="Folder of simulated days; missing ones are simulated.")
]
Geography = Annotated[
    Path | None,
    typer.Option("--geography", help="Exported geography file, for machines with torch and NumPy only."),
]
Simulate = Annotated[
    list[str] | None,
    typer.Option("--simulate", help="START:DAYS to simulate into --world; may be given again."),
]
Scheduler = Annotated[
    str | None,
    typer.Option(help="Address of a Dask scheduler, tcp://HOST:8786; default: processes of this machine."),
]
DayWorkers = Annotated[
    int, typer.Option("--workers", min=1, max=256, help="Processes of this machine; they share its cores.")
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace what an earlier run wrote there.")]
Device = Annotated[
    str,
    typer.Option(
        help="auto, cpu or cuda.", callback=_known_device, autocompletion=lambda: ["auto", "cpu", "cuda"]
    ),
]
Precision = Annotated[
    Literal["auto", "float32", "bfloat16"],
    typer.Option(help="Of matrix products; auto: bfloat16 where the device multiplies it natively."),
]
Preset = Literal["paper", "paper-small", "small", "tiny"]
