"""Scores as a page and a picture, from the plain values that ``cranpm score`` writes."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from cranpm._files import write_figure
from cranpm._json import JsonObject
from cranpm.verification.evaluate import ScoreRow
from cranpm.verification.stations import FLAT_TERRAIN, STEEP_TERRAIN

OF_MAPS = (
    ("area_rmse", "RMSE by area"),
    ("area_bias", "bias by area"),
    ("ssim_100", "SSIM (range 100)"),
    ("ssim_20", "SSIM (range 20)"),
)
"""Scores that only whole maps have, and their headings."""


def score_page(results: JsonObject) -> str:
    """Markdown: maps, stations, and both by group."""
    rows, leads = results["rows"], sorted({row["lead"] for row in results["rows"]})
    days = results["init_days"]
    lines = [
        f"# Scores on {results['dataset']}",
        "",
        f"Source: {results['source']}. Checkpoint: {results['checkpoint']['title']} "
        f"(`{results['checkpoint']['hash'][:8]}`). {len(days)} init days, {days[0]} to {days[-1]}.",
        "RMSE, MAE and bias (forecast minus reference) in ug m-3, pooled; "
        f"skill = 1 - RMSE / RMSE of {results['against']}, with a 95 % interval (bootstrap over blocks",
        "of days). All methods on the same cells and pairs.",
    ]
    if results["simulated"]:
        lines.append("**Simulated: not comparable with scores on real data.**")
    if results["days_of_training_years"]:
        lines.append(
            f"**{results['days_of_training_years']} of the init days lie in the years that checkpoints train on "
            "(2017-2020): no held-out score.**"
        )
    lines += [f"- Left out: {line}" for line in results["left_out"]]
    lines += [f"- {line}" for line in results.get("notes", [])]
    for title, chosen in (
        ("Maps, 1 km, all land", _chosen(rows, "product", "all land", "1 km")),
        ("Maps, 25 km means, all land", _chosen(rows, "product", "all land", "25 km")),
        ("Stations", _chosen(rows, "stations", "all stations", "1 km")),
    ):
        if chosen:
            lines += ["", f"## {title}", "", *_table(chosen, leads)]
    terrain = [row for row in rows if row["where"] in (FLAT_TERRAIN, STEEP_TERRAIN) and row["grid"] == "1 km"]
    if terrain:
        lines += ["", "## Flat and complex terrain", "", *_terrain(terrain)]
    events = [row for row in rows if row["reference"] == "stations" and row["where"] == "all stations"]
    if events:
        lines += [
            "",
            "## Days above 15, 25 and 50 ug m-3 at stations (POD / FAR / CSI)",
            "",
            *_events(events),
        ]
    for reference, title, whole in (
        ("product", "Maps by region", "all land"),
        ("stations", "Stations by group", "all stations"),
    ):
        groups = [
            row
            for row in rows
            if row["reference"] == reference
            and row["where"] != whole
            and row["grid"] == "1 km"
            and row["lead"] == leads[0]
        ]
        if groups:
            lines += ["", f"## {title}, T+{leads[0]}: RMSE", "", *_groups(groups)]
    return "\n".join(lines) + "\n"


def draw_scores(results: JsonObject, path: Path) -> None:
    """Skill with intervals by lead time, against the product and against stations."""
    from matplotlib.figure import Figure

    parts = [
        (title, chosen)
        for title, chosen in (
            ("maps, 1 km", _chosen(results["rows"], "product", "all land", "1 km")),
            ("stations", _chosen(results["rows"], "stations", "all stations", "1 km")),
        )
        if chosen
    ]
    figure = Figure(figsize=(5.2 * max(1, len(parts)), 3.4), layout="constrained")
    for axes, (title, rows) in zip(
        figure.subplots(1, max(1, len(parts)), sharey=True, squeeze=False)[0], parts, strict=True
    ):
        methods = [m for m in dict.fromkeys(row["method"] for row in rows) if m != results["against"]]
        for number, method in enumerate(methods):
            mine = [row for row in rows if row["method"] == method]
            places = [row["lead"] + 0.08 * (number - (len(methods) - 1) / 2) for row in mine]
            values = [100 * row["skill"] for row in mine]
            spread = [
                [
                    abs(value - 100 * (row[end] if row[end] is not None else row["skill"]))
                    for value, row in zip(values, mine)
                ]
                for end in ("skill_low", "skill_high")
            ]
            axes.errorbar(places, values, yerr=spread, fmt="o", ms=5, capsize=3, label=method)
        axes.axhline(0, color="0.5", lw=0.8)
        axes.set_xticks(sorted({row["lead"] for row in rows}))
        axes.set_xlabel("lead time [days]")
        axes.set_title(title, fontsize=10)
        axes.grid(axis="y", alpha=0.3)
    if parts:
        figure.axes[0].set_ylabel(f"less RMSE than {results['against']} [%]")
        figure.axes[0].legend(frameon=False, fontsize=7)
    note = " (simulated)" if results["simulated"] else ""
    figure.suptitle(f"{results['dataset']}{note}, {len(results['init_days'])} init days", fontsize=10)
    write_figure(path, figure)


def _chosen(rows: Iterable[ScoreRow], reference: str, where: str, grid: str) -> list[ScoreRow]:
    return [row for row in rows if (row["reference"], row["where"], row["grid"]) == (reference, where, grid)]


def _table(rows: list[ScoreRow], leads: list[int]) -> list[str]:
    of_maps = [(key, title) for key, title in OF_MAPS if rows[0].get(key) is not None]
    titles = ["method", "lead", "N", "RMSE", "MAE", "bias", "r", *(title for _, title in of_maps), "skill"]
    lines = [f"| {' | '.join(titles)} |", "|---" * len(titles) + "|"]
    for lead in leads:
        for row in (r for r in rows if r["lead"] == lead):
            lines.append(
                f"| {row['method']} | T+{lead} | {row['pairs']:,} | {_number(row['rmse'])} | {_number(row['mae'])} | "
                f"{_number(row['bias'], sign=True)} | {_number(row['correlation'])} | "
                + "".join(f"{_number(row[key], digits=3 if 'ssim' in key else 2)} | " for key, _ in of_maps)
                + f"{_skill(row)} |"
            )
    return lines


def _events(rows: list[ScoreRow]) -> list[str]:
    thresholds = [key.removeprefix("pod_") for key in rows[0] if key.startswith("pod_")]
    lines = [
        "| method | lead | " + " | ".join(f"> {t}" for t in thresholds) + " | FAIRMODE MQI, 90th percentile |"
    ]
    lines.append("|---" * (3 + len(thresholds)) + "|")
    for row in rows:
        cells = [
            " / ".join(_number(row[f"{name}_{t}"]) for name in ("pod", "far", "csi")) for t in thresholds
        ]
        lines.append(
            f"| {row['method']} | T+{row['lead']} | " + " | ".join(cells) + f" | {_number(row['mqi_90'])} |"
        )
    return lines


def _groups(rows: list[ScoreRow]) -> list[str]:
    methods = list(dict.fromkeys(row["method"] for row in rows))
    lines = ["| where | N | " + " | ".join(methods) + " |", "|---" * (2 + len(methods)) + "|"]
    for where in dict.fromkeys(row["where"] for row in rows):
        group = {row["method"]: row for row in rows if row["where"] == where}
        pairs = next(iter(group.values()))["pairs"]
        lines.append(
            f"| {where} | {pairs:,} | " + " | ".join(_number(group[m]["rmse"]) for m in methods) + " |"
        )
    return lines


def _terrain(rows: list[ScoreRow]) -> list[str]:
    """RMSE, MAE and bias by terrain, of maps and at stations."""
    lines = ["| against | where | method | lead | N | RMSE | MAE | bias |", "|---" * 8 + "|"]
    for row in rows:
        lines.append(
            f"| {row['reference']} | {row['where']} | {row['method']} | T+{row['lead']} | {row['pairs']:,} | "
            f"{_number(row['rmse'])} | {_number(row['mae'])} | {_number(row['bias'], sign=True)} |"
        )
    return lines


def _number(value: float | None, *, sign: bool = False, digits: int = 2) -> str:
    return "-" if value is None else f"{value:+.{digits}f}" if sign else f"{value:.{digits}f}"


def _skill(row: ScoreRow) -> str:
    if row["skill"] is None:
        return "-"
    text = f"{100 * row['skill']:+.1f} %"
    if row["skill_low"] is None:
        return text
    return f"{text} [{100 * row['skill_low']:+.1f}, {100 * row['skill_high']:+.1f}]"
