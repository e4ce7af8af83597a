"""Table 3: variants retrained with paired seeds, as tidy CSV, JSON, Markdown and LaTeX.

::

    RUNS/VARIANT-seedN/                       a run each, shared by the tables
    OUT/ablation-TABLE-RECIPE.csv .json .md .tex
"""

from __future__ import annotations

import datetime
import os
import platform
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from cranpm._json import JsonObject
from cranpm.evaluation.document import Table, fixed, percent, write_documents
from cranpm.training.batches.source import TrainingData
from cranpm.training.compare import THREE_SEEDS, ComparisonPlan, compare_ablations
from cranpm.training.comparison import STATION_GROUPS, Comparison
from cranpm.training.job import CHECKPOINT_FOLDER
from cranpm.training.recipes.ablations import TABLES, same_recipe
from cranpm.training.recipes.recipes import Recipe
from cranpm.training.report.card import revision
from cranpm.training.state.options import TrainerOptions


def missing_runs(recipe: Recipe, tables: Sequence[str], runs: Path, seeds: Sequence[int]) -> list[str]:
    """Names of the runs that have no checkpoint yet, in the order in which they are trained.

    Raises
    ------
    ValueError
        If there is no such table.
    """
    wanted = [
        f"{same_recipe(name, recipe)}-seed{seed}"
        for table in tables
        for name in _variants(table)
        for seed in seeds
    ]
    return [
        name
        for name in dict.fromkeys(wanted)
        if not (runs / name / CHECKPOINT_FOLDER / "config.json").is_file()
    ]


def _variants(table: str) -> tuple[str, ...]:
    if table not in TABLES:
        raise ValueError(f"Unknown part of Table 3 {table!r}; expected one of {', '.join(TABLES)}.")
    of = TABLES[table]
    return tuple(dict.fromkeys((of.reference, *of.variants)))


def run_ablations(
    recipe: Recipe,
    data: TrainingData,
    tables: Sequence[str],
    *,
    runs: Path,
    out: Path,
    plan: ComparisonPlan = THREE_SEEDS,
    options: TrainerOptions | None = None,
    report: Callable[[str], None] = print,
) -> list[Path]:
    """Train what is missing of Table 3 and write its parts.

    Interrupted, the same call goes on where it was.

    Parameters
    ----------
    recipe : Recipe
        What parts are taken out of.
    data : TrainingData
        Holds days of the training and of the validation split.
    tables : sequence of str
        Keys of `cranpm.training.recipes.ablations.TABLES`.
    runs, out : Path
        Folders of the runs, and of the tables.
    plan : ComparisonPlan
        Seeds of each variant, held-out days and tiles.
    options : TrainerOptions, optional
        Devices, workers, how often to validate.
    report : callable
        Takes lines for people.

    Returns
    -------
    list of Path
        Files that were written.

    Raises
    ------
    ValueError
        See `cranpm.training.compare.compare_ablations`; or if there is no such table.
    TrainingStopped
        If asked to stop.
    """
    variants = {table: _variants(table) for table in tables}
    written: list[Path] = []
    for table, names in variants.items():
        report(f"Table 3{table}: {len(names)} variants, {len(plan.seeds)} seeds")
        found = compare_ablations(
            recipe,
            data,
            names,
            runs,
            reference=TABLES[table].reference,
            plan=plan,
            options=options,
            report=report,
        )
        written += write_ablation(out, table, found, recipe, data.about)
    return written


def write_ablation(out: Path, table: str, found: Comparison, recipe: Recipe, about: JsonObject) -> list[Path]:
    """Write a part of Table 3; the CSV holds one row a variant, seed and day."""
    facts = _about(table, found, recipe, about)
    rows = found.rows()
    page = ablation_page(facts, found, rows)
    tidy = [
        {
            "variant": name,
            "seed": seed,
            "init_day": day,
            "rmse": float(np.sqrt(squared)),
            "rmse_persistence": float(np.sqrt(found.persistence[number])),
        }
        for name, each in found.squared.items()
        for seed, of_days in zip(found.seeds, each, strict=True)
        for number, (day, squared) in enumerate(zip(found.days, of_days, strict=True))
    ]
    stem = f"ablation-{table}-{recipe.model.name}"
    summary = [
        {**row, "same_as": found.same_as.get(row["variant"]), **found.trained.get(row["variant"], {})}
        for row in rows
    ]
    return write_documents(
        out,
        stem,
        about={**facts, "variants": summary},
        rows=tidy,
        markdown="\n".join([f"# Table 3{table}: {TABLES[table].title}", "", *page.markdown()]).rstrip()
        + "\n",
        latex="\n".join(page.latex()),
    )


def ablation_page(about: JsonObject, found: Comparison, rows: Sequence[JsonObject]) -> Table:
    """A part of Table 3 as a table."""
    cells = []
    groups = [group for group in STATION_GROUPS if rows and f"{group}_rmse" in rows[0]]
    for row in rows:
        name = row["variant"]
        meaning = row["meaning"] + (
            f" (here the same as {found.same_as[name]})" if name in found.same_as else ""
        )
        is_reference = name == found.reference
        change = (
            "reference"
            if is_reference
            else percent(*(row[key] / 100 for key in ("change_pct", "low", "high")))
        )
        minutes = [value for value in found.trained.get(name, {}).get("minutes", []) if value is not None]
        cells.append(
            [
                name,
                meaning,
                fixed(row["rmse"]),
                percent(row["below_persistence_pct"] / 100),
                change,
                *(_at_stations(row, group, is_reference) for group in groups),
                fixed(float(np.mean(minutes)) if minutes else None, 0),
            ]
        )
    return Table(
        title=f"Table 3{about['table']}, recipe {about['recipe']}",
        caption=_caption(about, found),
        head=[
            "variant",
            "what",
            "RMSE",
            "below persistence",
            "change of RMSE",
            *(STATIONS[group] for group in groups),
            "minutes a run",
        ],
        rows=cells,
        words=2,
    )


STATIONS = {"station": "RMSE at stations (change)", "held_out_station": "at stations held out (change)"}
"""Heads of columns."""


def _at_stations(row: JsonObject, group: str, is_reference: bool) -> str:
    rmse = fixed(row[f"{group}_rmse"])
    if is_reference or rmse == "-":
        return rmse
    change = percent(*(row[f"{group}_{key}"] / 100 for key in ("change_pct", "low", "high")))
    return f"{rmse} ({change})"


def _caption(about: JsonObject, found: Comparison) -> str:
    over = "seeds and days" if len(found.seeds) > 1 else "days only, as there is one seed"
    simulated = " Simulated: not comparable with scores on real data." if about["simulated"] else ""
    return (
        f"{about['source']}; {len(found.days)} held-out init days of the validation split, {found.days[0]} to "
        f"{found.days[-1]}, all lead times, tiles on land; seeds {', '.join(map(str, found.seeds))}, paired. RMSE in "
        f"ug m-3 against the fine product; positive changes are worse than {found.reference}, with 95 % intervals over "
        f"{over}; many comparisons at once: exploratory. Development days, not final ones. {about['machine']}, "
        f"{about['hours']:.1f} h of training.{simulated}"
    )


def _about(table: str, found: Comparison, recipe: Recipe, about: JsonObject) -> JsonObject:
    machines = {facts["machine"] for facts in found.trained.values()}
    minutes = sum(
        value or 0.0
        for name, facts in found.trained.items()
        if name not in found.same_as
        for value in facts["minutes"]
    )
    return {
        "table": table,
        "recipe": recipe.model.name,
        "steps": recipe.steps,
        "source": about.get("source", "unnamed data"),
        "simulated": bool(about.get("simulated")),
        "data": {key: about[key] for key in ("world", "dataset") if key in about},
        "seeds": list(found.seeds),
        "init_days": list(found.days),
        "reference": found.reference,
        "splits": {name: list(getattr(recipe.splits, name)) for name in ("train", "validation")},
        "machine": ", ".join(sorted(machines)) or f"{os.cpu_count()} CPU cores, {platform.machine()}",
        "hours": minutes / 60,
        "revision": revision(),
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
    }
