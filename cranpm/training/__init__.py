"""Training: recipes, batches, the fit, its reports, and ablations in pairs. Imported when first used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cranpm._lazy import lazy_names

__all__ = [
    "ABLATIONS",
    "ComparisonPlan",
    "TrainerOptions",
    "compare_ablations",
    "draw_learning_curve",
    "get_recipe",
    "open_world",
    "override",
    "read_curves",
]

if TYPE_CHECKING:
    from cranpm.training.batches.source import open_world
    from cranpm.training.compare import ComparisonPlan, compare_ablations
    from cranpm.training.job import TrainerOptions
    from cranpm.training.recipes.ablations import ABLATIONS
    from cranpm.training.recipes.overrides import override
    from cranpm.training.recipes.recipes import get_recipe
    from cranpm.training.report.curve import draw_learning_curve, read_curves
else:
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "ABLATIONS": "cranpm.training.recipes.ablations",
            "ComparisonPlan": "cranpm.training.compare",
            "TrainerOptions": "cranpm.training.job",
            "compare_ablations": "cranpm.training.compare",
            "draw_learning_curve": "cranpm.training.report.curve",
            "get_recipe": "cranpm.training.recipes.recipes",
            "open_world": "cranpm.training.batches.source",
            "override": "cranpm.training.recipes.overrides",
            "read_curves": "cranpm.training.report.curve",
        },
    )
