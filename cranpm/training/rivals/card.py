"""What a trained rival says of itself: facts for programs, a card for people."""

from __future__ import annotations

import math

from cranpm import __version__
from cranpm._json import JsonObject
from cranpm.training.batches.source import TrainingData, training_days
from cranpm.training.recipes.rivals import RivalRecipe
from cranpm.training.report.card import machine, revision
from cranpm.training.rivals.module import KeepBest
from cranpm.training.state.state import SavedState


def rival_meta(recipe: RivalRecipe, data: TrainingData, saved: SavedState, best: KeepBest) -> JsonObject:
    """What ``rival.json`` says of a training, as JSON values: data, period, steps, time, machine, scores."""
    days = training_days(data.source, recipe)
    facts, chosen = saved.document, best.best
    plain = recipe.to_dict()
    plain.pop("rival")
    known = {name: value for name, value in (chosen or {}).items() if math.isfinite(value)}
    return {
        "title": f"{recipe.rival.title}, {recipe.rival.size}",
        **data.about,
        "training": {
            "period": f"{days[0]}..{days[-1]}",
            "init_days": len(days),
            "steps": saved.step,
            "best_step": saved.step if chosen is None else chosen["step"],
            "finished": saved.step >= recipe.steps or best.exhausted,
            "ended_early": best.exhausted and saved.step < recipe.steps,
            "skipped_steps": facts.get("skipped", 0),
            "minutes": round(facts.get("seconds", 0.0) / 60, 1),
            "machine": machine(),
            "recipe": plain,
        },
        "scores": known,
        "code": {"version": __version__, "revision": revision()},
    }


def rival_card(meta: JsonObject, parameters: int) -> str:
    """The card, Markdown."""
    training, recipe, scores = meta["training"], meta["training"]["recipe"], meta["scores"]
    end = (
        f"ended early, {recipe['patience']} validations without a lower error"
        if training["ended_early"]
        else "to its end"
        if training["finished"]
        else "**not to its end**"
    )
    lines = [
        f"# {meta['title']}",
        "",
        f"- A rival of CRAN-PM at 25 km, {parameters:,} parameters; opened by `cranpm score --rival`",
        f"- Data: **{meta.get('source')}**; trained on {training['init_days']} init days, {training['period']}; "
        f"validation {'..'.join(recipe['splits']['validation'])}, test {'..'.join(recipe['splits']['test'])} (not "
        "opened in training)",
        f"- Training: {training['steps']:,} of {recipe['steps']:,} steps of {recipe['days_per_step']} days, {end}; "
        f"weights of step {training['best_step']:,}; {training['minutes']} minutes on {training['machine']}; seed "
        f"{recipe['seed']}",
        f"- Code: version {meta['code']['version']}, revision {meta['code']['revision']}",
        *([f"- Attribution: {meta['attribution']}"] if meta.get("attribution") else []),
        "",
    ]
    if "skill" not in scores:
        return "\n".join([*lines, "No scores: no validation day was held."]) + "\n"
    spread = ""
    if {"skill_low", "skill_high"} <= set(scores):
        spread = f" [{100 * scores['skill_low']:+.1f}, {100 * scores['skill_high']:+.1f}] (95 %, over days)"
    lines.append(
        f"On {scores['days']:.0f} validation days, at 25 km, all leads, area-weighted: RMSE {scores['rmse']:.2f} "
        f"ug m-3 against {scores['rmse_persistence']:.2f} for persistence, {100 * scores['skill']:+.1f} %{spread}."
    )
    if meta.get("simulated"):
        lines.append("**Simulated: not comparable with scores on real data.**")
    return "\n".join(lines) + "\n"
