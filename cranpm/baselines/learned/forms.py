"""A trained rival as rows of a table, in two forms.

*Interpolated* is the paper's: the 25-km forecast (today's 25-km mean plus the change) interpolated to 1 km, which loses
the fine detail by construction. *On today's map* is the fair one: today's fine map plus the interpolated change. Both
are missing where today's map is, so that they are scored on the same cells, and an untrained rival is blurred
persistence in one and persistence in the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch

from cranpm.baselines.cams import ON_TODAY, add_change
from cranpm.baselines.learned.checkpoint import RivalCheckpoint, load_rival
from cranpm.baselines.learned.days import read_inputs
from cranpm.baselines.maps import LazyMaps, Maps, Method
from cranpm.baselines.nodes import DayMaps, hold_outwards, to_cells
from cranpm.domain import PM_SCALE

INTERPOLATED = " (25 km, interpolated)"


def learned_rows(
    checkpoint: Path | RivalCheckpoint, maps: DayMaps, leads: Sequence[int], notes: list[str]
) -> dict[str, Method]:
    """Both forms of a rival, by name.

    Parameters
    ----------
    checkpoint : path or RivalCheckpoint
    maps : DayMaps
        Of the days that are scored.
    leads : sequence of int
        Lead times that are asked for [days].
    notes : list of str
        Gets a line on how the rival was trained.

    Raises
    ------
    CheckpointError
        If the folder holds no rival.
    ValueError
        If it was not trained for one of the leads.
    """
    rival = checkpoint if isinstance(checkpoint, RivalCheckpoint) else load_rival(checkpoint)
    missing = sorted(set(leads) - set(rival.leads))
    if missing:
        raise ValueError(
            f"{rival.folder} was trained for lead times of {', '.join(map(str, rival.leads))} days; asked for "
            f"{', '.join(map(str, missing))}. Train it for these too, or leave them out."
        )
    training, title = rival.meta.get("training", {}), rival.config.title
    half = "" if rival.finished else "; **its training did not come to its end**"
    seed = training.get("recipe", {}).get("seed", "?")
    notes.append(
        f"{title} (`{rival.hash[:8]}`, {rival.config.size}): {training.get('steps', '?')} steps on {rival.period}, "
        f"seed {seed}, {training.get('minutes', '?')} minutes on {training.get('machine', 'an unnamed machine')}{half}"
    )

    @lru_cache(maxsize=1)
    def changes(day: np.datetime64) -> np.ndarray:
        return changes_at_nodes(rival, maps, day)

    def of(day: np.datetime64, lead: int) -> np.ndarray:
        return changes(day)[rival.leads.index(lead)]

    def interpolated(day: np.datetime64) -> Maps:
        return LazyMaps(leads, lambda lead: interpolated_form(maps, day, of(day, lead)))

    def fair(day: np.datetime64) -> Maps:
        return LazyMaps(leads, lambda lead: fair_form(maps, day, of(day, lead)))

    return {title + INTERPOLATED: interpolated, title + ON_TODAY: fair}


@torch.no_grad()
def changes_at_nodes(rival: RivalCheckpoint, maps: DayMaps, day: np.datetime64) -> np.ndarray:
    """The change by each lead at the nodes of the box [ug m-3].

    Returns
    -------
    ndarray, shape (L, Hc + 1, Wc + 1)
        Nodes round which today's map has no cell were never learned; they take the nearest node that was, like the last
        row and column, which networks do not see.
    """
    source = maps.source
    device = next(rival.network.parameters()).device
    inputs = read_inputs(source, maps.nodes, rival.statistics, [day]).to(device)
    rows, cols = source.domain.coarse.shape
    result = np.full((len(rival.leads), rows + 1, cols + 1), np.nan, np.float32)
    result[:, :rows, :cols] = PM_SCALE * rival.network(inputs)[0].float().cpu().numpy()
    result[:, ~np.isfinite(maps.nodes(day)[0])] = np.nan
    return np.stack([hold_outwards(field) for field in result])


def interpolated_form(maps: DayMaps, day: np.datetime64, change: np.ndarray) -> np.ndarray:
    """Today's mean at the nodes plus the change (Hc + 1, Wc + 1), interpolated to the cells (H, W) [ug m-3]."""
    forecast = np.maximum(hold_outwards(maps.nodes(day)[0]) + change, 0)
    result = to_cells(forecast, maps.source.domain)
    result[~np.isfinite(maps.pm2p5(day))] = np.nan
    return result


def fair_form(maps: DayMaps, day: np.datetime64, change: np.ndarray) -> np.ndarray:
    """Today's map (H, W) plus the interpolated change, never negative [ug m-3]."""
    return add_change(maps.pm2p5(day), to_cells(change, maps.source.domain))
