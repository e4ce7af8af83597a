"""The learning curve of a run, from its CSV logs."""

from __future__ import annotations

import csv
import math
from pathlib import Path

from cranpm._files import write_figure

Curve = list[tuple[int, float]]
"""(step, value)."""


def read_curves(folder: Path) -> dict[str, Curve]:
    """All logged figures of a run by name; where a run was resumed, the later start counts.

    Parameters
    ----------
    folder : Path
        With ``csv/version_*/metrics.csv``.

    Returns
    -------
    dict of str to list of (int, float)
        Steps and values, such as those of "validation/skill"; empty if nothing has been logged.
    """
    curves: dict[str, dict[int, float]] = {}
    for path in sorted(folder.glob("csv/version_*/metrics.csv"), key=_version):
        with path.open(newline="") as file:
            for row in csv.DictReader(file):
                step = int(float(row.get("step") or 0))
                for name, text in row.items():
                    if text and name not in (None, "step", "epoch"):
                        curves.setdefault(name, {})[step] = float(text)
    return {name: sorted(values.items()) for name, values in curves.items()}


def draw_learning_curve(folder: Path, target: Path) -> bool:
    """Write the learning curve: RMSE [ug m-3] beside persistence, and skill on validation tiles, against the step.

    Parameters
    ----------
    folder : Path
        Of the run, with ``csv/version_*/metrics.csv``.
    target : Path
        Picture to write, ``.svg`` or ``.png``.

    Returns
    -------
    bool
        False where Matplotlib is not installed or there is nothing to draw yet.
    """
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError:
        return False
    curves = read_curves(folder)
    if "train/rmse" not in curves:
        return False
    figure = Figure(figsize=(8, 6), layout="constrained")
    errors, skill = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    for name, label, colour in (
        ("train/persistence", "persistence, same tiles", "0.6"),
        ("train/rmse", "training tiles", "C0"),
    ):
        steps, values = zip(*smoothed(curves.get(name, [])) or [(0, math.nan)])
        errors.plot(steps, values, color=colour, label=label)
    if "validation/rmse" in curves:
        errors.plot(*zip(*curves["validation/rmse"]), "o-", color="C1", ms=3, label="validation tiles")
        skill.plot(*zip(*[(s, 100 * v) for s, v in curves["validation/skill"]]), "o-", color="C1", ms=3)
        low, high = dict(curves["validation/skill_low"]), dict(curves["validation/skill_high"])
        both = sorted(set(low) & set(high))
        skill.fill_between(
            both, [100 * low[s] for s in both], [100 * high[s] for s in both], color="C1", alpha=0.2
        )
    errors.set_ylabel("RMSE [µg m$^{-3}$]")
    errors.legend(frameon=False)
    skill.axhline(0, color="0.6", lw=0.8)
    skill.set_ylabel("validation: RMSE below\npersistence [%], 95 %")
    skill.set_xlabel("step")
    write_figure(target, figure)
    return True


def smoothed(curve: Curve, share: float = 0.05) -> Curve:
    """Running mean over a share of the curve's points."""
    width = max(1, int(len(curve) * share))
    return [
        (step, sum(v for _, v in curve[max(0, i - width + 1) : i + 1]) / min(width, i + 1))
        for i, (step, _) in enumerate(curve)
    ]


def _version(path: Path) -> int:
    return int(path.parent.name.removeprefix("version_"))
