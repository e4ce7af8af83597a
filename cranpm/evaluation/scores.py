"""What `cranpm.score` gives: scores as a table, as plain values, and as a page with a picture."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd

from cranpm._files import check_output, write_atomically
from cranpm._json import JsonObject, finite
from cranpm.evaluation.assess import ALL_LAND, Assessment
from cranpm.verification.evaluate import ScoreRow
from cranpm.verification.report import draw_scores, score_page
from cranpm.verification.stations import ALL_STATIONS

INDEX = ["reference", "grid", "lead", "method"]
FIGURES = ["pairs", "rmse", "mae", "bias", "correlation", "skill", "skill_low", "skill_high"]


@dataclass(frozen=True, kw_only=True)
class Scores:
    """Forecasts of a checkpoint and of baselines on the same cells and pairs.

    ``about`` says on what: ``dataset``, ``source``, ``simulated``, ``checkpoint``, ``against``, ``init_days``,
    ``days_of_training_years``, ``left_out``, a line on each baseline that the data do not allow, and ``notes`` on how
    baselines were fitted or trained.
    """

    assessment: Assessment
    about: JsonObject

    def __repr__(self) -> str:
        about = self.about
        days = about["init_days"]
        return (
            f"<Scores of {about['checkpoint']['name']!r} on {about['dataset']!r}, {about['source']}: {len(days)} init "
            f"days, {days[0]} ... {days[-1]}; see .table(), .groups(), .left_out>"
        )

    @property
    def left_out(self) -> list[str]:
        """Baselines that the data do not allow, and why."""
        return list(self.about["left_out"])

    @property
    def pairs(self) -> pd.DataFrame | None:
        """Forecasts and observations at stations, one row a station, day and lead; None without stations."""
        return self.assessment.pairs

    @cached_property
    def frame(self) -> pd.DataFrame:
        """All scores, one row a reference, group, grid, lead and method."""
        return pd.DataFrame(self._rows)

    def table(self) -> pd.DataFrame:
        """Scores on all land and at all stations.

        Returns
        -------
        DataFrame
            Indexed by ``reference`` ("product" or "stations"), ``grid``, ``lead`` [days] and ``method``; columns
            ``pairs``, ``rmse``, ``mae``, ``bias`` (forecast minus reference) [ug m-3], ``correlation``, and ``skill``
            = 1 - RMSE / RMSE of the baseline with its 95 % interval from ``skill_low`` to ``skill_high``.
            ``attrs`` hold `about`.
        """
        whole = self.frame["where"].isin([ALL_LAND, ALL_STATIONS])
        table = self.frame[whole].set_index(INDEX)[FIGURES]
        table.attrs.update(self.about)
        return table

    def groups(self, score: str = "rmse") -> pd.DataFrame:
        """One score by region and kind of station (rows) and method and lead (columns), on the 1-km grid."""
        if score not in FIGURES:
            raise ValueError(f"Scores are {', '.join(FIGURES)}; got {score!r}.")
        fine = self.frame[self.frame["grid"] == "1 km"]
        return fine.pivot(index=["reference", "where"], columns=["method", "lead"], values=score)

    def to_dict(self) -> JsonObject:
        """Plain values for JSON: `about`, and ``rows`` with all scores (four digits; null where there is none)."""
        rounded = [
            {k: round(v, 4) if isinstance(v, float) else v for k, v in row.items()} for row in self._rows
        ]
        what = "forecast minus reference; all methods on the same cells and pairs"
        return {"what": what, **self.about, "rows": finite(rounded)}

    def page(self) -> str:
        """A report in Markdown."""
        return score_page(self.to_dict())

    def write(self, path: Path | str) -> Path:
        """Write ``FILE.json``, with the page as ``FILE.md`` and a picture as ``FILE.png`` beside it."""
        path = check_target(path)
        results = self.to_dict()
        write_atomically(path, json.dumps(results, indent=1) + "\n")
        write_atomically(path.with_suffix(".md"), score_page(results))
        draw_scores(results, path.with_suffix(".png"))
        return path

    @cached_property
    def _rows(self) -> list[ScoreRow]:
        return self.assessment.rows(self.about["against"])


def check_target(path: Path | str, *, overwrite: bool = True) -> Path:
    """Refuse another suffix, and a place that cannot or shall not be written, before anything is computed.

    Parameters
    ----------
    path : path
        ``FILE.json``; what is written beside it is checked as well.
    overwrite : bool
        Whether files that are there may be replaced.
    """
    path = Path(path)
    if path.suffix != ".json":
        raise ValueError(f"Results are written as .json (with .md and .png beside), got {path.name!r}.")
    for suffix in (".json", ".md", ".png"):
        check_output(path.with_suffix(suffix), overwrite=overwrite, is_ours=lambda _: _is_results(path))
    return path


def _is_results(path: Path) -> bool:
    """Whether a file holds results, so that it and the page and picture beside it may be replaced by others."""
    try:
        return {"what", "rows"} <= set(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return False
