"""Tables the command line prints for people."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table


def print_info(console: Console, facts: dict[str, Any]) -> None:
    """The facts of `cranpm.cli.doctor.describe`, as tables."""
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
