"""``cranpm physics``: does wind, terrain, chemistry and yesterday matter to a checkpoint?"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cranpm._files import write_atomically, write_figure
from cranpm._json import JsonObject, finite
from cranpm.cli.console import console, plain_errors, stages
from cranpm.cli.options import Checkpoint, Data, Device, Leads, Overwrite

if TYPE_CHECKING:
    import numpy as np

    from cranpm.data.store.source import DaySource


def physics(
    checkpoint: Checkpoint = "demo",
    data: Data = None,
    world: Annotated[
        Path | None, typer.Option(help="Folder of prepared simulated days instead (European testbed).")
    ] = None,
    days: Annotated[
        int, typer.Option(min=1, max=3660, help="Init days, spread over the held-out ones.")
    ] = 12,
    tiles: Annotated[int, typer.Option(min=1, max=1000, help="Tiles of the land, every k-th one.")] = 8,
    mountain_tiles: Annotated[
        int, typer.Option(min=0, max=1000, help="Further tiles near barriers, for terrain.")
    ] = 4,
    lead: Leads = [1],  # noqa: B006
    puffs: Annotated[int, typer.Option(min=0, max=1000, help="Inserted puffs a day; 0 for none.")] = 3,
    places: Annotated[
        int, typer.Option(min=0, max=1000, help="Places a tile to test attention at; 0 for none.")
    ] = 4,
    patches: Annotated[
        int, typer.Option(min=2, max=5000, help="Coarse patches hidden one by one there.")
    ] = 18,
    only: Annotated[
        list[str] | None, typer.Option(help='Only this intervention, such as "wind flip".')
    ] = None,
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Of tiles and places.")] = 0,
    device: Device = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="The results on standard output.")] = False,
    out: Annotated[
        Path | None, typer.Option(help="FILE.json; FILE.md and FILE.png are written beside.")
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Intervene on wind, terrain, channels and priors; insert puffs; hide what attention points at.

    One tile costs about 0.15 s on an idle core (preset small): 12 days x 8 tiles x 38 interventions take ten minutes.
    """
    with plain_errors():
        from cranpm.evaluation.scores import check_target
        from cranpm.explain.interventions import CATALOGUE, select
        from cranpm.explain.physics import PhysicsPlan, run_physics
        from cranpm.explain.report import markdown
        from cranpm.forecasting.engine import choose_device
        from cranpm.model.checkpoint import load_checkpoint

        if out is not None:
            check_target(out, overwrite=overwrite)
        plan = PhysicsPlan(
            days=days, tiles=tiles, mountain_tiles=mountain_tiles, leads=tuple(lead), puffs=puffs,
            places=places, patches=patches, seed=seed, interventions=select(only) if only else CATALOGUE,
        )  # fmt: skip
        chosen = choose_device(device)
        loaded = load_checkpoint(checkpoint, device=chosen)
        source, barriers = _open(data, world)

        def keep(results: JsonObject) -> None:
            if out is not None:
                plain = finite(results | {"command": _command()})
                _write(out, plain, markdown(plain))

        with stages("Physics", unit="steps", as_json_to=sys.stderr if as_json else None) as report:
            results = run_physics(
                loaded, source, plan, barriers=barriers, device=str(chosen), report=report, keep=keep
            )
        keep(results)
        results = finite(results | {"command": _command()})
    if as_json:
        sys.stdout.write(json.dumps(results) + "\n")
        return
    print_physics(results)


def _open(data: str | None, world: Path | None) -> tuple[DaySource, np.ndarray | None]:
    """The days, and the mask of cells near high barriers where the domain's geography is known."""
    from cranpm.domain import DOMAINS, EUROPE
    from cranpm.testbed.geography.geography import load_geography
    from cranpm.testbed.studies.ladder import near_barriers

    if world is not None:
        from cranpm.testbed.source import WorldSource

        geography = load_geography(EUROPE)
        return WorldSource(geography, world), near_barriers(geography)
    from cranpm.data.datasets import open_source

    source = open_source(data)
    known = DOMAINS.get(source.domain.name) == source.domain
    return source, near_barriers(load_geography(source.domain)) if known else None


def _command() -> str:
    return " ".join(["cranpm", *(f'"{word}"' if " " in word else word for word in sys.argv[1:])])


def _write(out: Path, results: JsonObject, page: str) -> None:
    from cranpm.explain.pictures import interval_figure

    write_atomically(out, json.dumps(results, indent=1) + "\n")
    picture = out.with_suffix(".png")
    write_figure(picture, interval_figure(results, results["leads"][0]))
    write_atomically(
        out.with_suffix(".md"), page + f"\n![Change of RMSE under every intervention]({picture.name})\n"
    )


def print_physics(results: JsonObject) -> None:
    """The goals, then the battery, as tables."""
    from rich.table import Table

    from cranpm.explain.report import interval_text, verdicts

    battery = Table("intervention", "form", "region", "lead", "RMSE [%]", "forecast, RMS", "largest")
    for r in results["rows"]:
        battery.add_row(
            r["intervention"], r["form"], r["region"], f"T+{r['lead']}",
            interval_text(r["rmse_change_pct"], r["ci_low"], r["ci_high"]),
            f"{r['forecast_change_rms']:.3g}", f"{r['forecast_change_max']:.3g}",
        )  # fmt: skip
    console.print(battery)
    goals = Table("goal", "measured", "met")
    for v in verdicts(results):
        met = {None: "not measured", True: "[green]yes[/]", False: "[red]no[/]"}[v["met"]]
        goals.add_row(v["goal"], interval_text(v["value"], v["ci_low"], v["ci_high"]), met)
    console.print(goals)
    for row in results["direction"]:
        score = interval_text(row["score"], row["ci_low"], row["ci_high"], "+.3f")
        console.print(f"{row['intervention']}, {row['form']}, T+{row['lead']}: change lies downwind {score}")
