"""One colour a method, the same in every figure: ours stands out, references are grey, rivals keep their order."""

from __future__ import annotations

from collections.abc import Iterable

OURS, TARGET = "#c8102e", "#1f5fa8"
"""As in the paper: ours is red, the product blue."""

OTHERS = ("#e08a1e", "#2e8b57", "#7a4fb5", "#0b9aa8", "#8c6239", "#d458a0", "#7f8c1f", "#4a5d73")
"""Of rivals, in the order in which a figure names them; distinct for readers who do not tell red from green."""

_DASHES = ("solid", "dashed", "dotted", "dotdash")


def method_styles(methods: Iterable[str], ours: str) -> dict[str, dict[str, object]]:
    """Colour and dash of each method.

    Parameters
    ----------
    methods : iterable of str
        In the order of the figure.
    ours : str
        The one that stands out.

    Returns
    -------
    dict
        HoloViews options of a curve; after the last colour the next dash begins.

    Examples
    --------
    >>> styles = method_styles(["persistence", "CRAN-PM demo"], "CRAN-PM demo")
    >>> styles["CRAN-PM demo"]["color"] == OURS, styles["persistence"]["line_dash"]
    (True, 'solid')
    """
    others = [method for method in dict.fromkeys(methods) if method != ours]
    styles: dict[str, dict[str, object]] = {
        method: {
            "color": OTHERS[number % len(OTHERS)],
            "line_dash": _DASHES[number // len(OTHERS) % len(_DASHES)],
            "line_width": 1.6,
        }
        for number, method in enumerate(others)
    }
    return {**styles, ours: {"color": OURS, "line_dash": "solid", "line_width": 3.0}}
