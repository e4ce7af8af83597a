"""Functions take few things at a time: what belongs together is one object with a name of its own."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MOST = 8
"""Parameters of a function; what always comes as a pair is a frozen dataclass, as `TileSelection`."""
ALLOWED = {
    "cranpm/forecasting/api.py: forecast": "the front door: settings by keyword, as one types them",
    "cranpm/evaluation/scoring.py: score": "the front door: settings by keyword, as one types them",
    "cranpm/evaluation/assess.py: assess": "the front door's `score`, with its tables",
    "cranpm/evaluation/final.py: evaluate_protocol": "`cranpm evaluate`, with its options",
    "cranpm/forecasting/many_days.py: forecast_days": "`cranpm forecast --start`, with its options",
    "cranpm/evaluation/development.py: evaluate_dataset": "`cranpm evaluate`, with its options",
}
"""Functions with more, and why. Commands (`cranpm/cli`) have one parameter an option and are not counted."""


def functions(folder: Path) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    """Functions and methods below a folder, each with its file and name."""
    for path in sorted(folder.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield f"{path.relative_to(ROOT).as_posix()}: {node.name}", node


def parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> list[str]:
    """Names of the parameters that a caller gives."""
    given = function.args
    named = [one.arg for one in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
    return [name for name in named if name not in ("self", "cls")]


@pytest.fixture(scope="module")
def many() -> dict[str, int]:
    """Number of parameters of every function that has more than `MOST`."""
    found = [*functions(ROOT / "cranpm"), *functions(ROOT / "dashboard")]
    assert len(found) > 1000, "the functions were not found"
    return {
        name: len(given)
        for name, function in found
        if len(given := parameters(function)) > MOST and not name.startswith("cranpm/cli/")
    }


def test_no_function_takes_more_than_eight_things(many: dict[str, int]) -> None:
    assert {name: count for name, count in many.items() if name not in ALLOWED} == {}


def test_every_exception_is_still_one(many: dict[str, int]) -> None:
    assert set(ALLOWED) <= set(many)


def test_parameters_are_counted_in_all_their_kinds() -> None:
    (function,) = ast.parse("def f(self, a, /, b, c=1, *more, d, e=2, **rest): ...").body
    assert isinstance(function, ast.FunctionDef)
    assert parameters(function) == ["a", "b", "c", "d", "e"]
