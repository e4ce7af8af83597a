"""Does a field lie where it says? Pressure follows the terrain and the satellite map follows the coast.

Coordinates can be right while the values are upside down or one row off: nothing in the file tells. The ground does.
"""

from __future__ import annotations

import numpy as np

from cranpm.data.errors import WrongGridError

LEAST_RELIEF = 150.0
"""Standard deviation of the terrain [m] below which pressure says nothing about place."""

BETTER = 0.02
"""How much better another placement must fit before a field is refused (correlation, or share of cells)."""

_LEAST_COAST = 0.05
"""Share of land, and of sea, below which the coast says nothing about place."""


class GeoreferenceError(WrongGridError):
    """Values that fit the ground better upside down, mirrored or shifted."""


def check_pressure(pressure: np.ndarray, elevation: np.ndarray, *, name: str = "surface pressure") -> None:
    """Refuse surface pressure that follows the terrain better when it is flipped or moved by a node.

    Parameters
    ----------
    pressure : array, shape (Hc + 1, Wc + 1)
        Of one day [Pa].
    elevation : array, shape (Hc + 1, Wc + 1)
        Around the same nodes [m].

    Raises
    ------
    GeoreferenceError
        Naming the placement that fits better.
    """
    if float(np.std(elevation)) < LEAST_RELIEF:
        return
    fits = {how: -_correlation(placed, elevation) for how, placed in _placements(pressure)}
    best = max(fits, key=lambda how: fits[how])
    if fits[best] > fits["as it is"] + BETTER * (1 - max(fits["as it is"], 0)):
        msg = (
            f"{name}: it follows the terrain better {best} (correlation {-fits[best]:.3f}) than as it is "
            f"({-fits['as it is']:.3f}). The values do not lie where the coordinates say; download the file again."
        )
        raise GeoreferenceError(msg)


def check_coast(known: np.ndarray, land: np.ndarray, *, name: str = "PM2.5") -> None:
    """Refuse a land-only map whose coast fits the land mask better when it is flipped or mirrored.

    Parameters
    ----------
    known, land : array of bool, shape (H, W)
        Where the map has values; where the mask has land.

    Raises
    ------
    GeoreferenceError
        Naming the placement that fits better.
    """
    if (
        not _LEAST_COAST < land.mean() < 1 - _LEAST_COAST
        or not _LEAST_COAST < known.mean() < 1 - _LEAST_COAST
    ):
        return
    fits = {how: float((placed == land).mean()) for how, placed in _flips(known)}
    best = max(fits, key=lambda how: fits[how])
    if fits[best] > fits["as it is"] + BETTER:
        msg = (
            f"{name}: its coast fits the land mask better {best} ({fits[best]:.1%} of the cells) than as it is "
            f"({fits['as it is']:.1%}). The values do not lie where the coordinates say."
        )
        raise GeoreferenceError(msg)


def _flips(field: np.ndarray) -> list[tuple[str, np.ndarray]]:
    return [
        ("as it is", field),
        ("upside down", field[::-1]),
        ("mirrored", field[:, ::-1]),
        ("turned round", field[::-1, ::-1]),
    ]


def _placements(field: np.ndarray) -> list[tuple[str, np.ndarray]]:
    moved = [
        (f"moved by a node to the {where}", np.roll(field, shift, axis=(0, 1)))
        for where, shift in {"south": (1, 0), "north": (-1, 0), "east": (0, 1), "west": (0, -1)}.items()
    ]
    return _flips(field) + moved


def _correlation(field: np.ndarray, elevation: np.ndarray) -> float:
    """Over the inner nodes, so that a moved field loses no more than its rim."""
    a, b = field[1:-1, 1:-1].ravel().astype(float), elevation[1:-1, 1:-1].ravel().astype(float)
    known = np.isfinite(a) & np.isfinite(b)
    if known.sum() < 10 or a[known].std() == 0 or b[known].std() == 0:
        return 0.0
    return float(np.corrcoef(a[known], b[known])[0, 1])
