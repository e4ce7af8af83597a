"""The work behind ``cranpm bench``: parts one after the other, what each measured or why not, and a table."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cranpm._json import finite
from cranpm.bench.blend import measure_blend
from cranpm.bench.ceilings import Ceilings, find_ceilings
from cranpm.bench.figures import Figure, PartUnavailableError, table
from cranpm.bench.forecast import measure_forecast
from cranpm.bench.machine import describe_machine, versions
from cranpm.bench.model import measure_model
from cranpm.bench.prepare import measure_prepare
from cranpm.bench.render import measure_render
from cranpm.bench.settings import BenchSettings
from cranpm.bench.training import measure_training
from cranpm.bench.verify import measure_verify

Measure = Callable[[BenchSettings, Ceilings], list[Figure]]

PARTS: dict[str, Measure] = {
    "model": measure_model,
    "blend": measure_blend,
    "forecast": measure_forecast,
    "render": measure_render,
    "prepare": measure_prepare,
    "training": measure_training,
    "verify": measure_verify,
}
"""What can be measured, in the order of a run."""

QUICK_LIMIT = 42.0
"""Seconds that a quick run may measure for; with starting Python it stays below 45."""

QUICK_WORK = {
    "ceilings": 5.0,
    "model": 20.0,
    "blend": 7.0,
    "forecast": 15.0,
    "render": 8.0,
    "prepare": 9.0,
    "training": 12.0,
    "verify": 12.0,
}
"""About what each takes of a quick run [seconds of a core]; only their ratios are used, with the pace of this run."""

_FAILURES = (ValueError, LookupError, OSError, RuntimeError, ImportError)


class NothingMeasuredError(RuntimeError):
    """A run that has no figure to show."""


@dataclass(kw_only=True)
class BenchResults:
    """Figures of a run, with all that they depend on.

    Attributes
    ----------
    figures : list of Figure
    left_out, failed : dict of str to str
        Parts without figures: those that this machine does not allow, and those that broke, with the reason.
    """

    about: dict[str, Any]
    ceilings: dict[str, Any]
    figures: list[Figure] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; null where there is no number."""
        return finite(
            {
                "what": "cranpm bench",
                **self.about,
                "ceilings": self.ceilings,
                "figures": [figure.to_dict() for figure in self.figures],
                "left_out": self.left_out,
                "failed": self.failed,
            }
        )

    def lines(self) -> list[str]:
        """For people."""
        machine = self.about["machine"]
        memory = f"{machine['memory_gb']:g} GB"
        packages = ", ".join(f"{name} {number}" for name, number in self.about["versions"].items())
        lines = [
            f"{machine['processor']}, {machine['cores']} cores, {machine['threads']} threads, {memory}; "
            f"device {machine['device']}; load before {machine['load']}",
            packages,
        ]
        for name, ceiling in self.ceilings.items():
            lines.append(
                f"ceiling {name}: {_rate(ceiling['median'], ceiling['unit'])} "
                f"({_rate(ceiling['low'], '')}..{_rate(ceiling['high'], '')}), "
                f"{ceiling['what']}, {ceiling['library']}"
            )
        lines += ["", *table(self.figures)]
        of_parts = ", ".join(
            f"{part} {seconds:g}" for part, seconds in self.about["seconds_of_parts"].items()
        )
        lines.append(f"{self.about['seconds']:g} s in all: {of_parts}")
        lines += [f"left out: {part}: {reason}" for part, reason in self.left_out.items()]
        lines += [f"FAILED: {part}: {reason}" for part, reason in self.failed.items()]
        return lines


def run_bench(
    settings: BenchSettings,
    parts: Iterable[str] = PARTS,
    *,
    report: Callable[[str], None] = lambda line: None,
) -> BenchResults:
    """Measure parts.

    Parameters
    ----------
    settings : BenchSettings
    parts : iterable of str
        Of `PARTS`.
    report : callable
        Told which part begins.

    Returns
    -------
    BenchResults

    Raises
    ------
    ValueError
        For a part that there is not.
    NothingMeasuredError
        If no part gave a figure; the message says why for each.
    """
    chosen = check_parts(parts)
    device = settings.device
    about = {
        "quick": settings.quick,
        "preset": settings.preset,
        "domain": settings.domain.name,
        "machine": describe_machine(device),
        "versions": versions(),
    }
    report("ceilings")
    begun, seconds_of = time.perf_counter(), dict[str, float]()
    ceilings = find_ceilings(settings.config, device)
    results = BenchResults(about=about, ceilings=ceilings.to_dict(device, 1.0))
    seconds_of["ceilings"] = round(time.perf_counter() - begun, 2)
    for part in chosen:
        if settings.quick and results.figures and _would_end(part, seconds_of) > QUICK_LIMIT:
            results.left_out[part] = (
                f"at the pace of this run it would end after the {QUICK_LIMIT:.0f} s of a quick one; measure it with "
                f"--only {part}"
            )
            continue
        report(part)
        started = time.perf_counter()
        try:
            results.figures += PARTS[part](settings, ceilings)
        except PartUnavailableError as reason:
            results.left_out[part] = str(reason)
        except _FAILURES as error:
            results.failed[part] = f"{type(error).__name__}: {error}"
        seconds_of[part] = round(time.perf_counter() - started, 2)
    about["seconds_of_parts"] = seconds_of
    about["seconds"] = round(time.perf_counter() - begun, 1)
    if not results.figures:
        reasons = "; ".join(f"{part}: {why}" for part, why in {**results.left_out, **results.failed}.items())
        raise NothingMeasuredError(f"Nothing was measured. {reasons}")
    return results


def _would_end(part: str, seconds_of: Mapping[str, float]) -> float:
    """When a part would end [s], at the pace of what is done.

    Examples
    --------
    >>> _would_end("forecast", {"ceilings": 5.0, "model": 30.0})  # 25 s of work took 35
    56.0
    """
    passed = sum(seconds_of.values())
    return passed + QUICK_WORK[part] * passed / sum(QUICK_WORK[done] for done in seconds_of)


def check_parts(parts: Iterable[str]) -> list[str]:
    """Parts in the order of a run, each once.

    Parameters
    ----------
    parts : iterable of str

    Returns
    -------
    list of str

    Raises
    ------
    ValueError
        For one that there is not, or none.

    Examples
    --------
    >>> check_parts(["blend", "model"])
    ['model', 'blend']
    """
    asked = list(parts)
    unknown = [part for part in asked if part not in PARTS]
    if unknown or not asked:
        raise ValueError(
            f"Parts to measure are {', '.join(PARTS)}; got {', '.join(map(repr, unknown)) or 'none'}."
        )
    return [part for part in PARTS if part in asked]


def _rate(value: float, unit: str) -> str:
    for size, prefix in ((1e12, "T"), (1e9, "G"), (1e6, "M")):
        if value >= size:
            return f"{value / size:.3g} {prefix}{unit}".rstrip()
    return f"{value:.3g} {unit}".rstrip()
