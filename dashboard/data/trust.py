"""How far the picture of a place's attention can be trusted, in words and numbers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pandas as pd

from ..markup import signed

if TYPE_CHECKING:
    from cranpm.explain.place_answer import Effect, PlaceAnswer

CAVEAT = "Attention is not source apportionment: it shows what the network read, not where the particles came from."

MAIN = 4
"""Patches hidden together that the words are about; the plot and the table have the others, too."""

ALIKE = 1.1
"""Changes within this factor of each other are called alike: one place is no average over many."""

SLIGHT = 0.05
"""Changes below this [ug m-3] do not show where values are told to 0.1: their order is of little interest."""

SETS = {"most_attended": "most attended", "nearest": "nearest", "elsewhere": "elsewhere, as much"}


def effects_of(answer: PlaceAnswer) -> pd.DataFrame:
    """For `cranpm.plot.curves.hiding_curves`: changes of the place, with their range over draws, and of its tile."""
    rows = []
    for name in SETS:
        for count, effect in zip(answer.counts, getattr(answer, name), strict=True):
            rows.append((name, count, "place", effect.place, effect.low, effect.high))
            rows.append((name, count, "tile", effect.tile, effect.tile, effect.tile))
    return pd.DataFrame(rows, columns=["hidden", "count", "where", "change", "low", "high"])


def table_of(answer: PlaceAnswer) -> list[tuple[str, ...]]:
    """Rows of a table: what is hidden, how many patches, their share of the attention, change of place and of tile."""
    rows = [
        (f"{count} {title}" if name != "elsewhere" else f"{title} as {count}", *_cells(effect))
        for name, title in SETS.items()
        for count, effect in zip(answer.counts, getattr(answer, name), strict=True)
    ]
    return [
        *rows,
        ("the whole bridge", "–", "100 %", amount(answer.bridge_off), amount(answer.bridge_off_tile)),
    ]


def _cells(effect: Effect) -> tuple[str, ...]:
    return f"{effect.patches:.0f}", share(effect.mass), amount(effect.place), amount(effect.tile)


def verdict(answer: PlaceAnswer) -> str:
    """One sentence: what the picture is worth here."""
    most, nearest, elsewhere = _main(answer)
    shared = answer.shared[_index(answer)]
    largest = max(most.place, nearest.place, elsewhere.place)
    if not largest:
        return "This forecast does not change whatever is hidden: the picture says nothing about it."
    if largest < SLIGHT:
        return (
            f"This forecast hardly minds what is hidden (it changes by {amount(largest)} µg/m³ at most): "
            "the picture says little about what it is made of."
        )
    if elsewhere.place * ALIKE >= most.place:
        return "As much attention elsewhere changes the forecast as much or more: do not trust this picture here."
    if shared == answer.counts[_index(answer)]:
        return (
            "The most attended patches matter, and they are the nearest ones: "
            "the picture says no more here than a map of distances would."
        )
    if nearest.place > ALIKE * most.place:
        return (
            "The nearest patches matter more than the most attended: "
            "a map of distances would say more here than this picture."
        )
    if most.place > ALIKE * nearest.place:
        return "The most attended patches matter most: the picture shows what this forecast depends on."
    return (
        "The most attended patches matter about as much as the nearest: "
        "the picture says about as much here as a map of distances would."
    )


def paragraphs(answer: PlaceAnswer, precision: str = "float32") -> list[str]:
    """What was found and how, for who does not look at the plot; ``precision`` is that of the map."""
    most, nearest, elsewhere = _main(answer)
    count, shared = answer.counts[_index(answer)], answer.shared[_index(answer)]
    found = [
        f"Without the {_patches(count, 'most attended coarse')} the forecast of this place "
        f"({answer.cells} × {answer.cells} cells) changes by {amount(most.place)} of {answer.forecast:.1f} µg/m³; "
        f"without the {_patches(count, 'nearest')} by {amount(nearest.place)}; without as much attention elsewhere "
        f"({elsewhere.patches:.0f} patches) by {amount(elsewhere.place)}, between {amount(elsewhere.low)} and "
        f"{amount(elsewhere.high)} in {answer.draws} draws.",
    ]
    if elsewhere.mass < 0.9 * most.mass:
        found.append(
            f"Elsewhere lies only {share(elsewhere.mass)} of the attention, against {share(most.mass)} on the most "
            "attended, so that comparison is not on equal terms."
        )
    if 0 < shared < count:
        found.append(
            f"{shared} of the most attended {'is' if shared == 1 else 'are'} also among the nearest."
        )
    found.append(f"Without the whole bridge it would change by {amount(answer.bridge_off)}.")
    how = [
        "Patches are hidden at the bridge alone: this place cannot attend to them, all else stays as it was "
        "(transport and the coarse forecast still know them)."
    ]
    if precision == "bfloat16":
        how.append(
            "The map was computed in bfloat16, whose rounding can be as large as these changes; the test is in float32."
        )
    return [" ".join(found), _ranks(answer), " ".join(how)]


def _ranks(answer: PlaceAnswer) -> str:
    if not math.isfinite(answer.rank_attention):
        return f"Hidden one by one, {answer.tried} patches give no ranking: nothing changes."
    return (
        f"Hidden one by one, {answer.tried} patches: the rank correlation of the change with attention is "
        f"{signed(answer.rank_attention, 2)}, with nearness {signed(answer.rank_distance, 2)}."
    )


def _main(answer: PlaceAnswer) -> tuple[Effect, Effect, Effect]:
    index = _index(answer)
    return answer.most_attended[index], answer.nearest[index], answer.elsewhere[index]


def _index(answer: PlaceAnswer) -> int:
    return answer.counts.index(MAIN) if MAIN in answer.counts else len(answer.counts) - 1


def _patches(count: int, which: str) -> str:
    return f"{which} patch" if count == 1 else f"{count} {which} patches"


def amount(value: float) -> str:
    """A change with two digits that say something: “1.23”, “0.042”, “0”."""
    if not math.isfinite(value):
        return "–"
    if value == 0:
        return "0"
    return f"{value:.2f}" if value >= 0.1 else f"{value:.2g}" if value >= 1e-4 else "< 0.0001"


def share(value: float) -> str:
    """“35 %”."""
    return f"{100 * value:.0f} %"
