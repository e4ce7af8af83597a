"""What a forecast will cost: what the last one like it did. Before a first one nothing is known or guessed."""

from __future__ import annotations

from operator import attrgetter
from pathlib import Path

from cranpm.forecasting.service.request import RunRequest
from cranpm.forecasting.service.run_folder import RunCost, run_folders

_ALIKE = attrgetter("dataset", "checkpoint_hash", "leads", "interventions", "tiles", "device", "precision")
"""What costs hang on; the day is not among it."""


def expected_cost(root: Path, request: RunRequest) -> RunCost | None:
    """Cost of the last finished forecast of another or the same day that asked for as much.

    Parameters
    ----------
    root : Path
        Where run folders are.
    request : RunRequest

    Returns
    -------
    RunCost or None
        As measured; None where no such forecast is kept, or none of which the cost was recorded.
    """
    found = []
    for folder in run_folders(root):
        status = folder.written_status()
        if status.cost is None:
            continue
        try:
            asked = folder.request()
        except (OSError, ValueError, KeyError, TypeError):  # removed meanwhile, or of another version
            continue
        if _ALIKE(asked) == _ALIKE(request):
            found.append((status.updated, status.cost))
    return max(found, key=lambda one: one[0])[1] if found else None
