"""Docstrings are numpydoc: what is there is well formed everywhere, and complete where a name is offered to users."""

from __future__ import annotations

import ast
import functools
import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from numpydoc.validate import validate

import cranpm

WELL_FORMED = {
    "GL05",  # tabs
    "GL06",  # unknown sections
    "GL07",  # sections in another order
    "GL08",  # none at all
    "PR02",  # parameters that there are not
    "PR03",  # parameters in another order
    "PR04",  # no type
    "PR05",
    "PR10",  # no space before the colon
    "SS01",  # no summary
    "SS03",  # no full stop
    "SS06",  # a summary of several lines
}
COMPLETE = {"PR01", "RT01"}
"""What a name of the front door or of a room's ``__all__`` needs besides: every parameter, and what comes back."""


def modules() -> Iterator[ModuleType]:
    for found in pkgutil.walk_packages(cranpm.__path__, "cranpm."):
        if not found.name.startswith(("cranpm.dashboard", "cranpm.__main__")):
            yield importlib.import_module(found.name)


def described(value: Any) -> bool:
    return inspect.isfunction(value) or inspect.isclass(value)


def own_names(module: ModuleType) -> Iterator[str]:
    """Paths of the public functions, classes, methods and properties that a module defines."""
    for name, value in vars(module).items():
        if name.startswith("_") or not described(value) or value.__module__ != module.__name__:
            continue
        yield f"{module.__name__}.{name}"
        for member, what in vars(value).items() if inspect.isclass(value) else ():
            kinds = (property, classmethod, staticmethod, functools.cached_property)
            if member.startswith("_") or not (inspect.isfunction(what) or isinstance(what, kinds)):
                continue
            if not any(member in vars(base) for base in value.__mro__[1:]):  # explained where it is declared
                yield f"{module.__name__}.{name}.{member}"


def offered_names() -> Iterator[str]:
    """Paths of the functions that the front door and the rooms hand on by their ``__all__``."""
    for module in (cranpm, *modules()):
        for name in getattr(module, "__all__", ()) if hasattr(module, "__path__") else ():
            value = getattr(module, name)
            if inspect.isfunction(value):
                yield f"{value.__module__}.{value.__qualname__}"


def faults(name: str, codes: set[str]) -> list[str]:
    return [f"{name}: {code} {text}" for code, text in validate(name)["errors"] if code in codes]


ROOT = Path(__file__).parents[2]
SOURCES = sorted([*ROOT.glob("cranpm/**/*.py"), *ROOT.glob("dashboard/**/*.py")])


def says_what_it_is(source: str) -> bool:
    """Whether a module begins with a sentence about itself, which ends as a sentence does."""
    text = (ast.get_docstring(ast.parse(source)) or "").split("\n\n")[0].strip()
    return bool(text) and text.endswith((".", "?", ":"))


def test_every_module_says_what_it_is() -> None:
    """Private modules and those of the page, which have no page of their own in the reference, as well."""
    assert len(SOURCES) > 200
    silent = [path.relative_to(ROOT).as_posix() for path in SOURCES if not says_what_it_is(path.read_text())]
    assert not silent


@pytest.mark.parametrize("source", ["", "import os\n", '""""""\n', '"""stuff"""\n', "# A comment is none.\n"])
def test_a_module_that_does_not_is_found(source: str) -> None:
    assert not says_what_it_is(source)
    assert says_what_it_is('"""What stands here."""\n' + source)


@pytest.mark.filterwarnings("ignore:Unknown section:UserWarning")
def test_every_public_docstring_is_well_formed() -> None:
    names = [name for module in modules() for name in own_names(module)]
    assert len(names) > 1000
    assert not [fault for name in names for fault in faults(name, WELL_FORMED)]


def test_what_is_offered_is_documented_in_full() -> None:
    names = sorted(set(offered_names()))
    assert len(names) > 50
    assert not [fault for name in names for fault in faults(name, COMPLETE)]


def test_a_missing_parameter_is_found() -> None:
    name = "cranpm.baselines.blocks.block_sums"  # one line, no section of parameters
    assert faults(name, COMPLETE)
