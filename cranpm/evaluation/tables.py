"""Results of a protocol as tidy CSV, JSON, Markdown and LaTeX."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from cranpm._files import write_atomically
from cranpm._json import finite

Row = dict[str, Any]

WHOLE = (
    ("product", "all land", "1 km"),
    ("product", "all land", "25 km"),
    ("stations", "all stations", "1 km"),
)


def write_tables(folder: Path, stem: str, results: dict[str, Any]) -> list[Path]:
    """Write ``STEM.csv``, ``.json``, ``.md`` and ``.tex``, each whole or not at all.

    Parameters
    ----------
    results : dict
        ``about`` (plain values) and ``rows``, one a set, reference, group, grid, lead and method.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rows = [
        {k: round(v, 5) if isinstance(v, float) else v for k, v in row.items()} for row in results["rows"]
    ]
    contents = {
        ".csv": pd.DataFrame(rows).to_csv(index=False),
        ".json": json.dumps({**results["about"], "rows": finite(rows)}, indent=1) + "\n",
        ".md": markdown(results),
        ".tex": latex(results),
    }
    written = []
    for suffix, content in contents.items():
        path = folder / f"{stem}{suffix}"
        write_atomically(path, content)
        written.append(path)
    return written


def markdown(results: dict[str, Any]) -> str:
    """A page: what was scored on what, and a table for each set."""
    about = results["about"]
    lines = [
        f"# Protocol {about['protocol']['name']}: {about['checkpoint']['title']}",
        "",
        *_facts(about),
        "",
    ]
    for name, part in _sets(results):
        for (reference, where, grid), rows, leads in _whole(part):
            lines += [f"## {name}: {reference}, {where}, {grid}", "", _caption(about, name, rows), ""]
            maps = any(row.get("ssim_100") is not None for row in rows)
            head = ["method", *(f"T+{n} RMSE | T+{n} ours lower by" for n in leads)]
            head += [f"T+{n} SSIM 100 / 20" for n in leads] if maps else []
            lines += [f"| {' | '.join(head)} |", "|---" * (1 + (3 if maps else 2) * len(leads)) + "|"]
            for method, of in _by_method(rows):
                cells = [f"{of[n]['rmse']:.2f} | {_less(of[n])}" for n in leads]
                cells += (
                    [f"{_fixed(of[n].get('ssim_100'))} / {_fixed(of[n].get('ssim_20'))}" for n in leads]
                    if maps
                    else []
                )
                lines.append(f"| {method} | {' | '.join(cells)} |")
            lines.append("")
        lines += _terrain(name, part)
    lines += [f"- Left out: {line}" for line in about["left_out"]] + [f"- {line}" for line in about["notes"]]
    return "\n".join(lines).rstrip() + "\n"


def latex(results: dict[str, Any]) -> str:
    """The maps' and stations' tables for a paper (booktabs)."""
    about, lines = results["about"], []
    for name, part in _sets(results):
        for (reference, where, grid), rows, leads in _whole(part):
            lines += [
                r"\begin{table}",
                rf"\caption{{{_escape(f'{name}, {reference}, {where}, {grid}. {_caption(about, name, rows)}')}}}",
                rf"\begin{{tabular}}{{l{'rr' * len(leads)}}}",
                r"\toprule",
                " & ".join(["method", *(f"T+{n} & ours lower by" for n in leads)]) + r" \\",
                r"\midrule",
            ]
            for method, of in _by_method(rows):
                cells = [f"{of[n]['rmse']:.2f} & {_escape(_less(of[n]))}" for n in leads]
                lines.append(" & ".join([_escape(method), *cells]) + r" \\")
            lines += [r"\bottomrule", r"\end{tabular}", r"\end{table}", ""]
    return "\n".join(lines)


def _facts(about: dict[str, Any]) -> list[str]:
    checkpoint, simulated = about["checkpoint"], about["simulated"]
    return [
        f"Checkpoint `{checkpoint['name']}`, hash `{checkpoint['hash'][:12]}`; code {about['revision']}; "
        f"{about['date']}; {about['machine']}, {about['hours']:.2f} h of computing.",
        "RMSE in ug m-3, pooled over cells or pairs and days; all methods on the same ones. In brackets 95 % intervals",
        f"from blocks of {about['block_days']} init days (a season of a world). {about['looks']} look(s) at this "
        "protocol are logged, this one included.",
        "Many comparisons at once: single intervals are exploratory.",
        *(["**Simulated: not comparable with scores on real data.**"] if simulated else []),
    ]


def _caption(about: dict[str, Any], name: str, rows: list[Row]) -> str:
    of = about["sets"][name]
    worlds = "; ".join(f"{w['world']}, seed {w['seed']}" for w in of["worlds"])
    return (
        f"{about['source']}; {worlds}. {of['init_days']} init days, {of['first']} to {of['last']}; "
        f"{rows[0]['pairs']:,} pairs at T+{rows[0]['lead']}. {about['machine']}, {about['hours']:.2f} h."
    )


def _terrain(name: str, rows: list[Row]) -> list[str]:
    groups = [row for row in rows if row["where"].startswith(("terrain", "blocks")) and row["grid"] == "1 km"]
    if not groups:
        return []
    lines = [f"## {name}: by terrain, and by blocks of stations", ""]
    lines += ["| against | where | method | lead | N | RMSE | MAE | bias |", "|---" * 8 + "|"]
    for row in groups:
        lines.append(
            f"| {row['reference']} | {row['where']} | {row['method']} | T+{row['lead']} | {row['pairs']:,} | "
            f"{row['rmse']:.2f} | {row['mae']:.2f} | {row['bias']:+.2f} |"
        )
    return [*lines, ""]


def _sets(results: dict[str, Any]) -> list[tuple[str, list[Row]]]:
    names = dict.fromkeys(row["set"] for row in results["rows"])
    return [(name, [row for row in results["rows"] if row["set"] == name]) for name in names]


def _whole(rows: list[Row]) -> Iterator[tuple[tuple[str, str, str], list[Row], list[int]]]:
    """Of each table of `WHOLE` that there is: what it is of, its rows, and its lead times."""
    for of in WHOLE:
        found = [row for row in rows if (row["reference"], row["where"], row["grid"]) == of]
        if found:
            yield of, found, sorted({row["lead"] for row in found})


def _by_method(rows: list[Row]) -> Iterator[tuple[str, dict[int, Row]]]:
    """The rows of each method, by lead time."""
    for method in dict.fromkeys(row["method"] for row in rows):
        yield method, {row["lead"]: row for row in rows if row["method"] == method}


def _less(row: Row) -> str:
    if row.get("less") is None:
        return "-"
    low, high = row["less_low"], row["less_high"]
    known = low is not None and low == low
    return f"{100 * row['less']:+.1f} %" + (f" [{100 * low:+.1f}, {100 * high:+.1f}]" if known else "")


def _fixed(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _escape(text: str) -> str:
    for character in "&%_#$":
        text = text.replace(character, "\\" + character)
    return text
