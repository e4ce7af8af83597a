"""Tables as Markdown and as LaTeX (booktabs), from the same cells."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from cranpm._files import write_atomically
from cranpm._json import JsonObject, finite

_LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{character: "\\" + character for character in "&%_#$"},
}


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table with its caption; the first ``words`` columns hold words, the others figures."""

    title: str
    caption: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    words: int = 1

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.head):
                raise ValueError(f"{self.title}: a row has {len(row)} cells, the head {len(self.head)}.")

    def markdown(self) -> list[str]:
        """Lines, the last one empty."""
        return [
            f"## {self.title}",
            "",
            self.caption,
            "",
            f"| {' | '.join(self.head)} |",
            "|---" * len(self.head) + "|",
            *(f"| {' | '.join(cell.replace('|', ' ') for cell in row)} |" for row in self.rows),
            "",
        ]

    def latex(self) -> list[str]:
        """Lines, the last one empty."""
        lines = [" & ".join(map(escape, row)) + r" \\" for row in (self.head, *self.rows)]
        return [
            r"\begin{table}",
            rf"\caption{{{escape(f'{self.title}. {self.caption}')}}}",
            rf"\begin{{tabular}}{{{'l' * self.words}{'r' * (len(self.head) - self.words)}}}",
            r"\toprule",
            lines[0],
            r"\midrule",
            *lines[1:],
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
            "",
        ]


def escape(text: str) -> str:
    r"""Plain text for LaTeX.

    Examples
    --------
    >>> escape("95 % of R_1")
    '95 \\% of R\\_1'
    """
    return "".join(_LATEX.get(character, character) for character in text)


def write_documents(
    folder: Path,
    stem: str,
    *,
    about: JsonObject,
    rows: Sequence[JsonObject],
    markdown: str,
    latex: str,
) -> list[Path]:
    """Write ``STEM.csv``, ``.json``, ``.md`` and ``.tex``, each whole or not at all.

    Parameters
    ----------
    about : dict
        Plain values that stand in the JSON file beside ``rows``.
    rows : sequence of dict
        Tidy: one observation each; figures are rounded to five digits after the point.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rounded = [{k: round(v, 5) if isinstance(v, float) else v for k, v in row.items()} for row in rows]
    contents = {
        ".csv": pd.DataFrame(rounded).to_csv(index=False),
        ".json": json.dumps(finite({**about, "rows": rounded}), indent=1) + "\n",
        ".md": markdown,
        ".tex": latex,
    }
    written = []
    for suffix, content in contents.items():
        path = folder / f"{stem}{suffix}"
        write_atomically(path, content)
        written.append(path)
    return written


def fixed(value: float | None, digits: int = 2, *, sign: bool = False) -> str:
    """A figure; a dash where there is none.

    Examples
    --------
    >>> fixed(1.234), fixed(0.5, 1, sign=True), fixed(float("nan"))
    ('1.23', '+0.5', '-')
    """
    if value is None or value != value:
        return "-"
    return f"{value:+.{digits}f}" if sign else f"{value:.{digits}f}"


def percent(value: float | None, low: float | None = None, high: float | None = None) -> str:
    """A share in percent, with its interval where there is one.

    Examples
    --------
    >>> percent(0.1, 0.05, 0.2), percent(0.1), percent(None)
    ('+10.0 % [+5.0, +20.0]', '+10.0 %', '-')
    """
    if value is None or value != value:
        return "-"
    spread = "" if low is None or high is None or low != low else f" [{100 * low:+.1f}, {100 * high:+.1f}]"
    return f"{100 * value:+.1f} %{spread}"
