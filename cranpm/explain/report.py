"""The results of `cranpm.explain.physics` as a page: goals, tables, intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypedDict

import numpy as np

from cranpm._json import JsonObject

if TYPE_CHECKING:
    from cranpm.explain.battery import BatteryRow, DirectionRow
    from cranpm.explain.puff import PuffRow

GOALS = """
Goals, set before any network was asked, on held-out testbed days: wind flip, both: T+1 RMSE at least 5 % worse; wind
flip, priors only: the interval excludes 0 (goal 1 %); puff: cosine at least 0.7, its interval above 0.5; terrain zero
near barriers, both: 2 %, priors only: the interval excludes 0; CAMS zero: 2 %.
""".strip()


class Goal(TypedDict):
    """A goal, the figure that it is read from with its interval, and whether it is met; None where not measured."""

    goal: str
    value: float | None
    ci_low: float | None
    ci_high: float | None
    met: bool | None


def verdicts(results: JsonObject) -> list[Goal]:
    """Which goals hold, with the figures they are read from; ``met`` is None where something was not measured."""
    rows = results["rows"]
    near = "near barriers > 700 m"
    found = [
        _goal(_row(rows, "wind flip", "both", "land"), "wind flip, both: T+1 RMSE >= +5 %", 5.0),
        _goal(_row(rows, "wind flip", "priors", "land"), "wind flip, priors: interval excludes 0", None),
        _goal(_row(rows, "wind flip", "priors", "land"), "wind flip, priors: >= +1 %", 1.0),
        _goal(_row(rows, "terrain zero", "both", near), "terrain zero near barriers, both: >= +2 %", 2.0),
        _goal(
            _row(rows, "terrain zero", "priors", near),
            "terrain zero near barriers, priors: interval > 0",
            None,
        ),
        _goal(_row(rows, "CAMS zero", "channels", "land"), "CAMS zero: >= +2 %", 2.0),
    ]
    puff = next((r for r in results.get("puff", []) if r["wind"] == "as it was" and r["lead"] == 1), None)
    figures = {k: None if puff is None else puff[k] for k in ("cosine", "cosine_low", "cosine_high")}
    found.append(
        {
            "goal": "puff, T+1: cosine >= 0.7, interval above 0.5",
            "value": figures["cosine"],
            "ci_low": figures["cosine_low"],
            "ci_high": figures["cosine_high"],
            "met": _puff_met(puff),
        }
    )
    return found


def _puff_met(puff: PuffRow | None) -> bool | None:
    cosine, low = (None, None) if puff is None else (puff["cosine"], puff["cosine_low"])
    if cosine is None or low is None or np.isnan(low):
        return None
    return bool(cosine >= 0.7 and low > 0.5)


def _row(rows: Sequence[BatteryRow], name: str, form: str, region: str) -> BatteryRow | None:
    wanted = (name, form, region, 1)
    return next((r for r in rows if (r["intervention"], r["form"], r["region"], r["lead"]) == wanted), None)


def _goal(row: BatteryRow | None, text: str, least: float | None) -> Goal:
    if row is None:
        return {"goal": text, "value": None, "ci_low": None, "ci_high": None, "met": None}
    wanted, least = (row["ci_low"], 0.0) if least is None else (row["rmse_change_pct"], least)
    met = None if wanted is None or np.isnan(wanted) else wanted > 0 if least == 0 else wanted >= least
    return {
        "goal": text,
        "value": row["rmse_change_pct"],
        "ci_low": row["ci_low"],
        "ci_high": row["ci_high"],
        "met": None if met is None else bool(met),
    }


def interval_text(value: float | None, low: float | None, high: float | None, form: str = "+.2f") -> str:
    """A number with its interval; a dash where there is none."""
    if value is None or not np.isfinite(value):
        return "-"
    if low is None or high is None or not np.isfinite([low, high]).all():
        return f"{value:{form}}"
    return f"{value:{form}} [{low:{form}}, {high:{form}}]"


def markdown(results: JsonObject) -> str:
    """The page beside the JSON."""
    simulated = " on simulated days (testbed, not real data)" if results.get("simulated") else ""
    checkpoint, days, tiles = results["checkpoint"], results["init_days"], results["tiles"]
    lines = [
        f"# Physics battery of checkpoint `{checkpoint['name']}`{simulated}",
        "",
        f"Checkpoint hash `{checkpoint['hash'][:12]}`, preset `{checkpoint['preset']}`.",
        f"{len(days)} init days ({days[0]} to {days[-1]}, split: {results['split']}), {len(tiles['land'])} tiles",
        f"of the land and {len(tiles['mountains'])} more near barriers, every tile on its own. Change of RMSE against",
        "the GHAP-like product, in per cent, with 95 % intervals from redrawn blocks of",
        f"{results['block_days']} init day(s). Positive: the intervention hurts, so what it took away was used.",
        "**Priors**: only scan, biases, transport and height see the changed field; **channels**: only the input",
        "channels do.",
        "",
        GOALS,
        "",
        "| goal | measured | met |",
        "|---|---|---|",
        *(
            f"| {v['goal']} | {interval_text(v['value'], v['ci_low'], v['ci_high'])} | "
            f"{'not measured' if v['met'] is None else 'yes' if v['met'] else '**no**'} |"
            for v in verdicts(results)
        ),
    ]
    for lead in results["leads"]:
        lines += ["", f"## T+{lead}", "", *_battery_table(results["rows"], lead)]
    if results.get("direction"):
        lines += ["", "## Where the change lies", "", *_direction_table(results["direction"])]
    if results.get("puff"):
        lines += ["", "## Inserted puff", "", *_puff_table(results["puff"])]
    if results.get("faithfulness"):
        lines += ["", "## Can attention be trusted?", "", *_faith_lines(results["faithfulness"])]
    if results.get("priors"):
        lines += ["", "## Strength of the priors", "", *(f"- {k}: {v}" for k, v in results["priors"].items())]
    return "\n".join([*lines, "", f"Made with `{results['command']}`.", ""])


def _battery_table(rows: Sequence[BatteryRow], lead: int) -> list[str]:
    lines = [
        "| intervention | form | region | RMSE | change of RMSE [%] | change of forecast, RMS | largest [ug m-3] |",
        "|---|---|---|---|---|---|---|",
    ]
    for r in rows:
        if r["lead"] == lead:
            change = interval_text(r["rmse_change_pct"], r["ci_low"], r["ci_high"])
            lines.append(
                f"| {r['intervention']} | {r['form']} | {r['region']} | {r['rmse']:.3f} | {change} | "
                f"{r['forecast_change_rms']:.3g} | {r['forecast_change_max']:.3g} |"
            )
    return lines


def _direction_table(rows: Sequence[DirectionRow]) -> list[str]:
    return [
        "Correlation of the forecast's change with today's PM2.5 one way of the *new* wind upwind, minus the",
        "same downwind: positive means that the change lies downwind of the new wind.",
        "",
        "| intervention | form | lead | score |",
        "|---|---|---|---|",
        *(
            f"| {r['intervention']} | {r['form']} | T+{r['lead']} | "
            f"{interval_text(r['score'], r['ci_low'], r['ci_high'], '+.3f')} |"
            for r in rows
        ),
    ]


def _puff_table(rows: Sequence[PuffRow]) -> list[str]:
    return [
        "A round puff added to the inputs of day t; displacement of the response's centre against the 10 m wind of",
        "day t. Under a flipped wind displacements are still measured against the true one, where transport asks for",
        "a negative cosine.",
        "",
        "| wind | lead | puffs | cosine | displacement / (wind x lead) | mean displacement along the wind [km] |",
        "|---|---|---|---|---|---|",
        *(
            f"| {r['wind']} | T+{r['lead']} | {r['puffs']} | "
            f"{interval_text(r['cosine'], r['cosine_low'], r['cosine_high'])} | "
            f"{interval_text(r['ratio'], r['ratio_low'], r['ratio_high'])} | {r['mean_displacement_km']:.0f} of "
            f"{r['mean_path_km']:.0f} |"
            for r in rows
        ),
    ]


def _faith_lines(summary: JsonObject) -> list[str]:
    parts: dict[str, JsonObject] = {at: summary[at] for at in ("input", "bridge") if at in summary}
    parts = parts or {"input": summary}  # results of version 0.1, which hid at the input only

    def mean(at: str, name: str) -> str:
        part = parts[at][name]
        return interval_text(part["mean"], part["ci_low"], part["ci_high"], ".3g")

    def ratio(at: str, name: str) -> str:
        part = parts[at][name]
        return interval_text(part["ratio"], part["ci_low"], part["ci_high"], ".2f")

    lines = [
        f"{summary['places']} places on {summary['days']} days; {summary['hidden']} patches hidden together; T+1.",
        "At the input, what patches hold is gone for the whole network; at the bridge, only their keys and values are.",
        "",
        "| hidden at | patches | change of the forecast there [ug m-3] | attention they hold |",
        "|---|---|---|---|",
    ]
    for at in parts:
        for patches, change, mass in (
            ("most attended", "most_attended", "mass"),
            ("nearest", "nearest", None),
            ("elsewhere, equal attention", "equal_mass_elsewhere", "mass_elsewhere"),
        ):
            held = "" if mass is None else mean(at, mass)
            lines.append(f"| {at} | {patches} | {mean(at, change)} | {held} |")
    if "bridge" in parts:
        lines.append(f"| bridge | all: the bridge off | {mean('bridge', 'bridge_off')} | |")
    lines.append("")
    for at in parts:
        lines.append(
            f"At the {at}: most attended over nearest {ratio(at, 'most_attended_over_nearest')}, over equal attention "
            f"elsewhere {ratio(at, 'most_attended_over_equal_mass_elsewhere')}; rank correlation of attention with "
            f"leave-one-out change {mean(at, 'rank_correlation')}, of nearness with it {mean(at, 'rank_distance')}."
        )
    return lines
