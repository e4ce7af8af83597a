"""What moves the forecast, by intervention: physics battery, inserted puffs, and how far attention can be trusted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cranpm._lazy import lazy_names

__all__ = [
    "CATALOGUE",
    "PhysicsPlan",
    "PuffPlan",
    "interval_figure",
    "puff_figure",
    "run_physics",
    "run_puffs",
    "select",
]

if TYPE_CHECKING:
    from cranpm.explain.interventions import CATALOGUE, select
    from cranpm.explain.physics import PhysicsPlan, run_physics
    from cranpm.explain.pictures import interval_figure, puff_figure
    from cranpm.explain.puff import PuffPlan, run_puffs
else:
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "CATALOGUE": "cranpm.explain.interventions",
            "PhysicsPlan": "cranpm.explain.physics",
            "PuffPlan": "cranpm.explain.puff",
            "interval_figure": "cranpm.explain.pictures",
            "puff_figure": "cranpm.explain.pictures",
            "run_puffs": "cranpm.explain.puff",
            "run_physics": "cranpm.explain.physics",
            "select": "cranpm.explain.interventions",
        },
    )
