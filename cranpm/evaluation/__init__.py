"""A checkpoint on a dataset, beside baselines. Imported when first used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cranpm._lazy import lazy_names

__all__ = [
    "Scores",
    "score",
]

if TYPE_CHECKING:
    from cranpm.evaluation.scores import Scores
    from cranpm.evaluation.scoring import score
else:
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "Scores": "cranpm.evaluation.scores",
            "score": "cranpm.evaluation.scoring",
        },
    )
