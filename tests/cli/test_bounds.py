"""Every option that holds a number, a day or one of a few words refuses all others before any work begins."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from cranpm.cli.app import app


def commands(group: Any, path: tuple[str, ...] = ()):
    """Every command that does something, with its words."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name), command


COMMANDS = dict(commands(typer.main.get_command(app)))
DAYS = [
    "NaT",
    "now",
    "today",
    "2022",
    "20220105",
    "2022-02-30",
    "2022-1-5",
    "0000-00-00",
    "99999-01-01",
    "1066-10-14",
]


def kind_of(option: Any) -> str:
    """number, day or text."""
    if getattr(option, "is_flag", False) or option.param_type_name != "option":
        return "text"
    annotation = option.type_descriptor.annotation
    if annotation in (int, float, list[int], list[float]):
        return "number"
    if option.metavar == "YYYY-MM-DD":
        return "day"
    assert annotation is not datetime, "a day is a day_option: one way to write it, in every command"
    return "text"


def valid(option: Any) -> str:
    """Something that a required option takes."""
    kind = kind_of(option)
    return "2022-01-05" if kind == "day" else str(option.min) if kind == "number" else "x"


OPTIONS = [
    (path, option)
    for path, command in COMMANDS.items()
    for option in command.params
    if kind_of(option) != "text"
]


def refusal(path: tuple[str, ...], option: Any, value: str) -> str:
    """What is said of a value; fails where it is taken."""
    words = [*path]
    for other in COMMANDS[path].params:
        if other.required and other is not option:
            words += [valid(other)] if other.param_type_name == "argument" else [other.opts[0], valid(other)]
    result = CliRunner().invoke(app, [*words, f"{option.opts[0]}={value}"], env={"COLUMNS": "250"})
    said = " ".join(result.output.replace("│", " ").split())
    assert result.exit_code == 2, (value, said, result.exception)
    assert "Traceback" not in said and option.opts[0] in said, said
    return said


def test_all_kinds_are_found():
    kinds = [kind_of(option) for _, option in OPTIONS]
    assert kinds.count("number") >= 25 and kinds.count("day") >= 10


@pytest.mark.parametrize(
    ("path", "option"), OPTIONS, ids=lambda x: x[-1] if isinstance(x, tuple) else x.opts[0]
)
def test_what_cannot_be_is_refused(path: tuple[str, ...], option: Any, tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if kind_of(option) != "number":
        for value in DAYS:
            assert repr(value)[1:-1] in refusal(path, option, value)
        return
    if option.opts[0] == "--lead":  # a list of three that exist, checked by a test of its own
        refusal(path, option, "4")
        return
    assert option.min is not None and option.max is not None, "a number without bounds"
    for value, bound in (
        (option.min - 1, option.min),
        (-5, option.min),
        (option.max + 1, option.max),
        (10**30, option.max),
    ):
        assert f"or equal to {bound}" in refusal(path, option, str(value))
    for value in ("nan", "inf", "-inf", "abc", "", "1e400", "--1", "NaT"):
        refusal(path, option, value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "path", [path for path, c in COMMANDS.items() if any(o.name == "device" for o in c.params)]
)
@pytest.mark.parametrize("value", ["gpu", "cuda:-1", "cuda:x", "CPU ", "tpu", ""])
def test_devices_are_those_that_exist(path: tuple[str, ...], value: str):
    (device,) = (option for option in COMMANDS[path].params if option.name == "device")
    assert "expected auto, cpu, cuda" in refusal(path, device, value)
