"""The words of the command line: one for one thing, several values after one option, what the shell offers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from cranpm.cli import options
from cranpm.cli.app import app


def said(*arguments: str) -> tuple[int, str]:
    """Exit code and output, without the box around errors."""
    result = CliRunner().invoke(app, list(arguments), env={"COLUMNS": "200"})
    return result.exit_code, " ".join(result.output.replace("│", " ").split())


def commands(group: typer.core.TyperGroup, path: tuple[str, ...] = ()):
    """Every command that does something, with its words."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name), command


COMMANDS = dict(commands(typer.main.get_command(app)))


@pytest.fixture
def parsed():
    """``parsed("--lead", "1", ...)``: what a command with options of every kind makes of the words."""
    seen = {}
    little = options.App()

    @little.command()
    def run(lead: options.Leads = [1], name: list[str] = [], out: str = "") -> None:  # noqa: B006
        seen.update(lead=lead, name=name, out=out)

    def parse(*words: str) -> dict:
        result = CliRunner().invoke(little, list(words))
        assert result.exit_code == 0, result.output
        return seen

    return parse


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("", {"lead": [1], "name": [], "out": ""}),
        ("--lead 1 2 3", {"lead": [1, 2, 3]}),
        ("--lead 3 --lead 1", {"lead": [1, 3]}),
        ("--lead=2 3 --out f.nc", {"lead": [2, 3], "out": "f.nc"}),
        ("--out f.nc --name a b --lead 2 2", {"lead": [2], "name": ["a", "b"], "out": "f.nc"}),
        ("--name a --lead 1 --name b", {"lead": [1], "name": ["a", "b"]}),
    ],
)
def test_several_values_may_follow_one_option(parsed, words: str, expected: dict) -> None:
    found = parsed(*words.split())
    assert {key: found[key] for key in expected} == expected


def test_an_option_that_holds_one_value_takes_no_second() -> None:
    code, output = said("forecast", "--init", "2022-01-05", "--out", "f.nc", "g.nc")
    assert code == 2 and "unexpected extra argument" in output


@pytest.mark.parametrize("command", ["forecast", "score", "physics"])
def test_lead_times_are_checked_in_every_command(command: str) -> None:
    needed = ["--init", "2022-01-05", "--out", "f.nc"] if command == "forecast" else []
    code, output = said(command, *needed, "--lead", "1", "4")
    assert code == 2 and "lead times must be among 1 2 3 days, got 1 4" in output


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_one_word_for_one_thing(path: tuple[str, ...]) -> None:
    names = {name for param in COMMANDS[path].params for name in param.opts}
    assert not names & {"--dataset", "--leads", "--init-time", "--region"}


@pytest.mark.parametrize(
    ("words", "advice"),
    [
        ("forecast --dataset x", "--data"),
        ("score --leads 1", "--lead"),
        ("testbed build --region alps", "A grid is chosen with --domain"),
        ("data list --region alps", "A grid is chosen with --domain"),
        ("train --region alps", "A grid is chosen with --domain"),
        ("forcast", "Did you mean 'forecast'?"),
        ("data lst", "Did you mean 'list'?"),
    ],
)
def test_a_word_that_does_not_exist_leads_to_the_one_that_does(words: str, advice: str) -> None:
    code, output = said(*words.split())
    assert code == 2 and "No such" in output and advice in output


def test_presets_offered_are_those_that_exist() -> None:
    from typing import get_args

    from cranpm.model import PRESETS

    assert get_args(options.Preset) == tuple(PRESETS)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for folder in ("data/testbed", "data/europe-2022"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "dataset.json").write_text(json.dumps({"name": folder}))
    (tmp_path / "checkpoints" / "mine").mkdir(parents=True)
    (tmp_path / "checkpoints" / "mine" / "config.json").write_text("{}")
    (tmp_path / "checkpoints" / "mine" / "model.safetensors").touch()
    (tmp_path / "runs").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CRANPM_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("CRANPM_CHECKPOINTS", str(tmp_path / "checkpoints"))
    return tmp_path


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("cranpm forecast --data ", {"testbed", "europe-2022"}),
        ("cranpm score --data eu", {"europe-2022"}),
        ("cranpm physics --checkpoint ", {"mine", "demo"}),
        ("cranpm forecast --checkpoint ./ru", {"./runs"}),
        ("cranpm forecast --preset ", {"paper", "paper-small", "small", "tiny"}),
        ("cranpm forecast --lead 1 --lead ", {"1", "2", "3"}),
        ("cranpm train --domain ", {"europe", "alps", "central-europe"}),
        ("cranpm data fetch era5 --domain in", {"india"}),
        ("cranpm data check --data te", {"testbed"}),
        ("cranpm train --start-from m", {"mine"}),
        ("cranpm tes", {"testbed"}),
    ],
)
def test_the_shell_offers_what_is_there(machine: Path, line: str, offered: set[str]) -> None:
    variables = {"_CRANPM_COMPLETE": "complete_zsh", "_TYPER_COMPLETE_ARGS": line, "COLUMNS": "200"}
    result = CliRunner().invoke(app, [], prog_name="cranpm", env=variables)
    # a completion stands quoted, alone or before its help
    assert {word.split('"')[1] for word in result.output.splitlines() if word.count('"') >= 2} == offered
