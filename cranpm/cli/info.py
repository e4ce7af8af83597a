"""``cranpm info``: what this installation is and holds."""

from __future__ import annotations

import json
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated

import typer
from rich.table import Table

from cranpm import __version__, registry
from cranpm._json import JsonObject
from cranpm.cli.console import console

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


def info(as_json: Annotated[bool, typer.Option("--json", help="Machine-readable.")] = False) -> None:
    """Version, grid, channels, token and tile counts, parameters of each preset, data and checkpoints found."""
    facts = describe()
    if as_json:
        print(json.dumps(facts, indent=2))
    else:
        _print(facts)


def describe() -> JsonObject:
    """Version, grids, channels, tile and token counts, parameter counts, data and checkpoints found.

    Imports torch to build the presets' shapes on the meta device; takes a few seconds.
    """
    from cranpm.domain import COARSE_CHANNELS, DOMAINS, LOCAL_CHANNELS, plan_tiles
    from cranpm.model import PRESETS
    from cranpm.model.parameters import describe_parameters

    fine = DOMAINS["europe"].fine
    return {
        "version": __version__,
        "packages": {name: installed_version(name) for name in PACKAGES},
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


def _print(facts: JsonObject) -> None:
    """The facts of `describe`, as tables."""
    console.print(f"CRAN-PM Explorer [bold]{facts['version']}[/] on {facts['device']}", highlight=False)
    grids = Table("domain", "fine", "pixels", "coarse", title="Domains")
    for name, domain in facts["domains"].items():
        fine, coarse = (" x ".join(map(str, domain[key])) for key in ("fine", "coarse"))
        grids.add_row(name, fine, f"{domain['pixels']:,}", coarse)
    console.print(grids)
    tiles = ", ".join(f"{count} ({how})" for how, count in facts["tiles"].items())
    tokens = ", ".join(f"{count} {where}" for where, count in facts["tokens"].items())
    console.print(f"Tiles over Europe: {tiles}\nTokens: {tokens}", highlight=False)
    channels = facts["channels"]
    console.print(
        f"Channels: {len(channels['coarse'])} coarse, {len(channels['local'])} local", highlight=False
    )
    presets = Table("preset", "trainable parameters", title="Presets")
    for name, counts in facts["presets"].items():
        presets.add_row(name, f"{counts['trainable']:,}")
    console.print(presets)
    for kind in ("datasets", "checkpoints"):
        names = (
            ", ".join(e["name"] + (" (simulated)" if e.get("simulated") else "") for e in facts[kind])
            or "none"
        )
        console.print(f"{kind.capitalize()}: {names}", highlight=False)


def _describe_domain(name: str) -> JsonObject:
    from cranpm.domain import DOMAINS

    domain = DOMAINS[name]
    west, south, east, north = domain.fine.extent
    return {
        "title": domain.title,
        "fine": list(domain.fine.shape),
        "pixels": domain.fine.rows * domain.fine.cols,
        "coarse": list(domain.coarse.shape),
        "extent": {"west": west, "south": south, "east": east, "north": north},
    }


def installed_version(name: str) -> str | None:
    """Version of an installed distribution; None if it is not there."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _device() -> str:
    import torch

    if torch.cuda.is_available():
        return torch.cuda.get_device_name(0)
    return f"cpu, {torch.get_num_threads()} threads"
