"""Tables 1 and 2 of an evaluation: tidy CSV, JSON, Markdown and LaTeX."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from cranpm._json import JsonObject
from cranpm.evaluation.assess import ALL_LAND
from cranpm.evaluation.document import Table, fixed, percent, write_documents
from cranpm.verification.evaluate import ScoreRow
from cranpm.verification.stations import ALL_STATIONS, FLAT_TERRAIN, HELD_OUT, IN_LOSS, STEEP_TERRAIN

GRIDS = ("1 km", "25 km")

STATION_GROUPS = (ALL_STATIONS, FLAT_TERRAIN, STEEP_TERRAIN, IN_LOSS, HELD_OUT)
"""Of Table 2."""


def write_tables(folder: Path, stem: str, results: JsonObject) -> list[Path]:
    """Write ``STEM.csv``, ``.json``, ``.md`` and ``.tex``, each whole or not at all.

    Parameters
    ----------
    results : dict
        ``about`` (plain values) and ``rows``, one a set, reference, group, grid, lead and method.
    """
    return write_documents(
        folder,
        stem,
        about=results["about"],
        rows=results["rows"],
        markdown=markdown(results),
        latex="\n".join(line for table in all_tables(results) for line in table.latex()),
    )


def markdown(results: JsonObject) -> str:
    """A page: what was scored on what, and the tables."""
    about = results["about"]
    title = (
        f"Protocol {about['protocol']['name']}"
        if "protocol" in about
        else f"Development days of {about['dataset']}"
    )
    lines = [f"# {title}: {about['checkpoint']['title']}", "", *_facts(about), ""]
    lines += [line for table in all_tables(results) for line in table.markdown()]
    lines += [f"- Left out: {line}" for line in about["left_out"]] + [f"- {line}" for line in about["notes"]]
    return "\n".join(lines).rstrip() + "\n"


def all_tables(results: JsonObject) -> Iterator[Table]:
    """Of each set Table 1 on both grids, Table 2 for each lead time, and the land by terrain."""
    about = results["about"]
    for name in dict.fromkeys(row["set"] for row in results["rows"]):
        rows = [row for row in results["rows"] if row["set"] == name]
        for grid in GRIDS:
            found = [
                row
                for row in rows
                if (row["reference"], row["where"], row["grid"]) == ("product", ALL_LAND, grid)
            ]
            if found:
                yield _table_1(about, name, grid, found)
        at_stations = [
            row for row in rows if row["reference"] == "stations" and row["where"] in STATION_GROUPS
        ]
        for lead in sorted({row["lead"] for row in at_stations}):
            yield _table_2(about, name, lead, [row for row in at_stations if row["lead"] == lead])
        terrain = [
            row
            for row in rows
            if (row["reference"], row["grid"]) == ("product", "1 km")
            and row["where"] in (FLAT_TERRAIN, STEEP_TERRAIN)
        ]
        if terrain:
            yield _by_terrain(about, name, terrain)


def _table_1(about: JsonObject, name: str, grid: str, rows: list[ScoreRow]) -> Table:
    leads = sorted({row["lead"] for row in rows})
    by_area = any(row.get("area_rmse") is not None for row in rows)
    scores = ["RMSE", *(["RMSE by area"] if by_area else []), "SSIM 100 / 20", "ours lower by"]
    cells = []
    for method in dict.fromkeys(row["method"] for row in rows):
        of = {row["lead"]: row for row in rows if row["method"] == method}
        line = [method]
        for lead in leads:
            row = of[lead]
            line += [fixed(row["rmse"]), *([fixed(row.get("area_rmse"))] if by_area else [])]
            line += [_ssim(row), _less(row)]
        cells.append(line)
    return Table(
        title=f"Table 1, {name}: product, all land, {grid}",
        caption=_caption(about, name, f"{rows[0]['pairs']:,} pairs at T+{rows[0]['lead']}"),
        head=["method", *(f"T+{lead} {score}" for lead in leads for score in scores)],
        rows=cells,
    )


def _table_2(about: JsonObject, name: str, lead: int, rows: list[ScoreRow]) -> Table:
    ordered = sorted(rows, key=lambda row: STATION_GROUPS.index(row["where"]))
    return Table(
        title=f"Table 2, {name}: stations, T+{lead}",
        caption=_caption(about, name, "SSIM of windows of 64 cells around stations, against the product"),
        head=["stations", "method", "N", "RMSE", "MAE", "SSIM 100 / 20", "bias", "ours lower by"],
        rows=[
            [
                f"{row['where']} ({row['stations']:,})",
                row["method"],
                f"{row['pairs']:,}",
                fixed(row["rmse"]),
                fixed(row["mae"]),
                _ssim(row),
                fixed(row["bias"], sign=True),
                _less(row),
            ]
            for row in ordered
        ],
        words=2,
    )


def _by_terrain(about: JsonObject, name: str, rows: list[ScoreRow]) -> Table:
    return Table(
        title=f"{name}: product by terrain, 1 km",
        caption=_caption(about, name, "land cells"),
        head=["land", "method", "lead", "N", "RMSE", "MAE", "bias", "ours lower by"],
        rows=[
            [
                row["where"],
                row["method"],
                f"T+{row['lead']}",
                f"{row['pairs']:,}",
                fixed(row["rmse"]),
                fixed(row["mae"]),
                fixed(row["bias"], sign=True),
                _less(row),
            ]
            for row in rows
        ],
        words=3,
    )


def _facts(about: JsonObject) -> list[str]:
    checkpoint = about["checkpoint"]
    training = ", ".join(
        text
        for text, known in (
            (f"trained on {checkpoint['trained_on']}", checkpoint["trained_on"]),
            (f"seed {checkpoint['seed']}", checkpoint["seed"] is not None),
            (
                f"{checkpoint['minutes']} minutes on {checkpoint['machine']}",
                checkpoint["minutes"] is not None,
            ),
        )
        if known
    )
    looks = (
        "**Development days: anything may be chosen on them, so nothing here is quoted as skill.**"
        if about["looks"] is None
        else f"{about['looks']} look(s) at this protocol are logged, this one included."
    )
    return [
        f"Checkpoint `{checkpoint['name']}`, hash `{checkpoint['hash'][:12]}` ({training}); code {about['revision']}; "
        f"{about['date']}; {about['machine']}, {about['hours']:.2f} h of computing.",
        "RMSE, MAE and bias (forecast minus reference) in ug m-3, pooled over cells or pairs and days, by area with "
        "cells weighted by it; SSIM at data ranges of 100 and 20 ug m-3, mean of days; all methods on the same "
        "cells. In",
        f"brackets 95 % intervals from blocks of at most {about['block_days']} init days. {looks}",
        "Many comparisons at once: single intervals are exploratory.",
        *(["**Simulated: not comparable with scores on real data.**"] if about["simulated"] else []),
    ]


def _caption(about: JsonObject, name: str, more: str) -> str:
    of = about["sets"][name]
    data = (
        "; ".join(f"{world['world']}, seed {world['seed']}" for world in of["worlds"])
        if "worlds" in of
        else f"dataset {of['dataset']}"
    )
    seed = about["checkpoint"]["seed"]
    trained = "" if seed is None else f"Seed of training {seed}. "
    return (
        f"{about['source']}; {data}. {of['init_days']} init days, {of['first']} to {of['last']}; {more}. {trained}"
        f"{about['machine']}, {about['hours']:.2f} h."
    )


def _less(row: ScoreRow) -> str:
    return percent(*(row.get(key) for key in ("less", "less_low", "less_high")))


def _ssim(row: ScoreRow) -> str:
    values: Sequence[float | None] = [row.get("ssim_100"), row.get("ssim_20")]
    return " / ".join(fixed(value, 3) for value in values)
