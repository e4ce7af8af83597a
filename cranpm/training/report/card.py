"""Provenance of a checkpoint: facts for programs, a card for people. Generated, never typed."""

from __future__ import annotations

import platform
import subprocess
from pathlib import Path

import torch

from cranpm import __version__
from cranpm._json import JsonObject
from cranpm.training.recipes.recipes import Recipe


def checkpoint_meta(
    recipe: Recipe, about: JsonObject, *, period: str, init_days: int, facts: JsonObject
) -> JsonObject:
    """JSON values that go into ``config.json``.

    Parameters
    ----------
    about : dict
        Of the data (`source.TrainingData.about`).
    period : str
        Training days, first..last.
    facts : dict
        "step", "seconds" and "skipped" (earlier stages of the run included), "scores" of the saved state.
    """
    plain = recipe.to_dict()
    plain.pop("model")
    where = "testbed (simulated)" if about.get("simulated") else about.get("source")
    return {
        "title": f"{recipe.model.name} (trained on {where})",
        **about,
        "training": {
            "period": period,
            "init_days": init_days,
            "steps": facts.get("step", 0),
            "skipped_steps": facts.get("skipped", 0),
            "minutes": round(facts.get("seconds", 0.0) / 60, 1),
            "machine": machine(),
            "recipe": plain,
        },
        "scores": facts.get("scores", {}),
        "code": {"version": __version__, "revision": revision()},
    }


def write_card(meta: JsonObject, parameters: int, model_name: str) -> str:
    """The card, Markdown."""
    training, recipe = meta["training"], meta["training"]["recipe"]
    simulated = meta.get("simulated", False)
    limits = (
        "it has seen simulated weather and chemistry only. It says nothing about real air."
        if simulated
        else "it knows the region, period and products above; elsewhere, and in episodes unlike them, expect less."
    )
    began = meta.get("started_from")
    lines = [
        f"# {meta['title']}",
        "",
        f"- Architecture: `{model_name}`, {parameters:,} parameters",
        f"- Data: **{meta.get('source')}**{_identity(meta)}; trained on {training['init_days']} init days, "
        f"{training['period']}; validation {'..'.join(recipe['splits']['validation'])}, test "
        f"{'..'.join(recipe['splits']['test'])} (not opened in training)",
        *([_beginning(began)] if began else []),
        _steps(training),
        f"- Code: version {meta['code']['version']}, revision {meta['code']['revision']}",
        f"- Limits: {limits}",
        *([f"- Attribution: {meta['attribution']}"] if meta.get("attribution") else []),
        "- Licence: BSD-3-Clause",
        "",
        *_score_lines(meta.get("scores", {}), simulated),
    ]
    return "\n".join(lines) + "\n"


def _steps(training: JsonObject) -> str:
    recipe, skipped = training["recipe"], training["skipped_steps"]
    early = "" if training["steps"] >= recipe["steps"] else " (stopped early)"
    left_out = f", {skipped} steps left out for values that are not finite" if skipped else ""
    return (
        f"- Training: {training['steps']:,} of {recipe['steps']:,} steps{early}{left_out}, {training['minutes']} "
        f"minutes on {training['machine']}; seed {recipe['seed']}"
    )


def _beginning(began: JsonObject) -> str:
    line = f"- Began with: {began['title']} (`{began['hash'][:8]}`)"
    if "steps" not in began:
        return line
    return f"{line}, {began['steps']:,} steps in {began['minutes']} minutes on {began['machine']}"


def _identity(meta: JsonObject) -> str:
    if "world" in meta:
        return f", world {meta['world']['version']}"
    dataset = meta.get("dataset", {})
    return (
        f", dataset {dataset.get('name')} ({dataset.get('version') or dataset.get('hash')})"
        if dataset
        else ""
    )


def _score_lines(scores: dict[str, float], simulated: bool) -> list[str]:
    if "skill" not in scores:
        return ["No scores: no validation day was held."]
    lines = [
        "## Scores during training",
        "",
        f"Tiles of {scores['days']:.0f} validation days, all leads, land, pooled: RMSE {scores['rmse']:.2f} ug m-3 "
        f"against {scores['rmse_persistence']:.2f} for persistence, {100 * scores['skill']:+.1f} % "
        f"[{100 * scores['skill_low']:+.1f}, {100 * scores['skill_high']:+.1f}] (95 %, bootstrap over days).",
    ]
    groups = {
        "rmse_station": "in training blocks",
        "rmse_station_held_out": "in held-out blocks (2 x 2 degrees)",
    }
    at_stations = [f"{scores[name]:.2f} {where}" for name, where in groups.items() if name in scores]
    if at_stations:
        lines.append(f"At stations: RMSE {', '.join(at_stations)}.")
    if simulated:
        lines.append("**Simulated: not comparable with scores on real data.**")
    return lines


def machine() -> str:
    """The device that trains, in words."""
    if torch.cuda.is_available():
        return f"{torch.cuda.device_count()} x {torch.cuda.get_device_name()}"
    return f"{torch.get_num_threads()} CPU threads, {platform.machine()}"


def revision() -> str:
    """The code's git revision, "unknown" outside a checkout."""
    try:
        result = subprocess.run(
            ["git", "describe", "--always", "--dirty"],
            capture_output=True,
            text=True,
            check=False,
            cwd=Path(__file__).parent,
            timeout=10,
        )
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    return result.stdout.strip() or "unknown"
