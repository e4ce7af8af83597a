"""Scores of the ladder as a table in Markdown and JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from cranpm._files import write_atomically
from cranpm._json import JsonObject


@dataclass(frozen=True, kw_only=True)
class Score:
    """RMSE of one forecast at one lead, and its change against damped persistence."""

    forecast: str
    grid: str
    lead: int
    rmse: float
    change: float
    """Against damped persistence [%]; negative is better."""


@dataclass(frozen=True, kw_only=True)
class Ladder:
    """All scores, and what they were computed on."""

    scores: tuple[Score, ...]
    meta: JsonObject

    def to_markdown(self) -> str:
        """The page ``testbed_ladder.md``."""
        lines = [
            "# Ladder of the simulated world (testbed, not real data)", "",
            f"World {self.meta['world_version']}, domain {self.meta['domain']}, seed {self.meta['seed']}; "
            f"{self.meta['starts']} starts in {self.meta['period']}; climatology and damping from "
            f"{self.meta['training']}. RMSE in ug/m3, in brackets the change against damped persistence.", "",
        ]  # fmt: skip
        for grid in dict.fromkeys(score.grid for score in self.scores):
            lines += [f"| {grid} | T+1 | T+2 | T+3 |", "|---|---|---|---|"]
            mine = [score for score in self.scores if score.grid == grid]
            for name in dict.fromkeys(score.forecast for score in mine):
                cells = [f"{s.rmse:.2f} ({s.change:+.0f} %)" for s in mine if s.forecast == name]
                lines.append(f"| {name} | " + " | ".join(cells) + " |")
            lines.append("")
        return "\n".join(lines)

    def write(self, markdown: Path) -> None:
        """Markdown, and JSON beside it."""
        write_atomically(markdown, self.to_markdown() + "\n" + self.meta.get("note", "") + "\n")
        payload = {"meta": self.meta, "scores": [asdict(score) for score in self.scores]}
        write_atomically(markdown.with_suffix(".json"), json.dumps(payload, indent=1) + "\n")


def score_table(rmse: dict[str, np.ndarray], grid: str) -> list[Score]:
    """Scores of forecasts from their RMSE by lead, each of shape (leads,)."""
    base = rmse["damped persistence"]
    return [
        Score(
            forecast=name, grid=grid, lead=lead + 1, rmse=round(float(values[lead]), 4),
            change=round(float(100 * (values[lead] / base[lead] - 1)), 2),
        )
        for name, values in rmse.items() for lead in range(len(values))
    ]  # fmt: skip
