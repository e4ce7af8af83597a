"""Commands that messages, docs and notebooks advise: each exists, with the options that are named."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from cranpm.cli.app import app

ROOT = Path(__file__).parents[1]
ROOT_COMMAND = typer.main.get_command(app)
TARGETS = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
EXTRAS = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"])

HISTORY = {"CHANGELOG.md"}
"""Says what was."""

QUOTE = r"(?P<quote>^\$? *|[`'\">] ?)"
"""What stands before a command that is meant as one: a quote, or the beginning of a line."""


def tracked(*patterns: str) -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", *patterns], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return [
        ROOT / name for name in listed.stdout.splitlines() if name not in HISTORY and (ROOT / name).is_file()
    ]


def strings(source: str) -> Iterator[str]:
    """Texts in a Python file, docstrings too; what an f-string fills in is VALUE."""
    inside: set[int] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.JoinedStr):
            inside |= {id(part) for part in node.values}
            yield "".join(str(p.value) if isinstance(p, ast.Constant) else "VALUE" for p in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inside:
            yield node.value


def texts() -> Iterator[tuple[Path, str]]:
    """What a person may read as advice, from every file of the repository but the tests."""
    for path in tracked("*.md", "*.yaml", "*.cff", "Makefile", ".ci/run", "constraints.txt"):
        yield path, path.read_text(encoding="utf-8")
    for path in tracked("cranpm/*.py", "dashboard/*.py", "scripts/*.py"):
        for text in strings(path.read_text(encoding="utf-8")):
            yield path, text
    for path in tracked("notebooks/*.ipynb"):
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            yield path, "".join(cell["source"])


def words_of(command: str) -> list[str]:
    """The words of a command line in a text, up to where it ends or something else begins."""
    line = re.split(r"[|;#()`'\"<>]|&&|\.\.\.|, |\. |: | or ", command)[0]
    return [word.strip(".,:") for word in line.split()]


def fault(words: list[str]) -> str:
    """Why the command line would not understand these words; nothing if it would."""
    command, path = ROOT_COMMAND, ["cranpm"]
    for word in words:
        if word.startswith("-"):
            name = word.partition("=")[0]
            known = {option for param in command.params for option in (*param.opts, *param.secondary_opts)}
            if name not in known | {"--help"}:
                return f"'{' '.join(path)}' has no option {name}"
        elif hasattr(command, "commands"):
            if word not in command.commands and not word.isupper():
                return f"'{' '.join(path)}' has no command {word}"
            command, path = command.commands.get(word, command), [*path, word]
    return ""


def faults_in(text: str) -> list[str]:
    """Advice in a text that cannot be followed."""
    found = []
    for match in re.finditer(rf"{QUOTE}?cranpm (?P<rest>[^\n]*)", text, re.MULTILINE):
        words = words_of(match["rest"])
        # "this cranpm reads ..." is prose, and "from cranpm import" is Python
        prose = match["quote"] is None and (not words or words[0] not in ROOT_COMMAND.commands)
        if not prose and words[:1] != ["="] and (reason := fault(words)):
            found.append(reason)
    fenced = "".join(re.findall(r"^```.*?^```", text, re.MULTILINE | re.DOTALL))
    named = re.findall(r"[`'\">]make ([a-z]+)", text) + re.findall(r"^make ([a-z]+)", fenced, re.MULTILINE)
    found += [f"make has no target {target}" for target in named if target not in TARGETS]
    for match in re.finditer(r"cranpm-explorer\[([a-zA-Z,]+)\]", text):
        found += [f"there is no extra {name}" for name in match[1].split(",") if name not in EXTRAS]
    for match in re.finditer(
        r"(?<![\w/.])(?:scripts|docs|tests|notebooks)/[\w/-]+\.(?:py|md|ipynb|svg|png)\b", text
    ):
        if not (ROOT / match[0]).exists():
            found.append(f"there is no {match[0]}")
    return found


def test_what_is_advised_exists() -> None:
    found = {f"{path.relative_to(ROOT)}: {reason}" for path, text in texts() for reason in faults_in(text)}
    assert sorted(found) == []


ASK_FOR_A_CHECKOUT = {"cranpm/cli/doctor.py", "cranpm/cli/dashboard.py"}
"""Advise `make` only where there is a Makefile."""


def test_an_installed_package_advises_no_make() -> None:
    advising = {
        path.relative_to(ROOT).as_posix()
        for path in tracked("cranpm/*.py", "dashboard/*.py")
        for text in strings(path.read_text(encoding="utf-8"))
        if any(re.search(rf"\bmake {target}\b", text) for target in TARGETS)
    }
    assert advising == ASK_FOR_A_CHECKOUT


OTHERS_OPTIONS = {
    "--allow-websocket-origin": "panel serve", "--use-xheaders": "panel serve", "--basic-auth": "panel serve",
    "--cookie-secret": "panel serve", "--oauth-provider": "panel serve",
    "--force-reinstall": "pip", "--no-deps": "pip", "--always": "git", "--dirty": "git",
    "--sides": "scripts/scaling.py", "--rounds": "scripts/scaling.py", "--dollars": "scripts/scaling.py",
    "--job-name": "sbatch", "--time": "sbatch", "--signal": "sbatch", "--cpus-per-task": "sbatch",
    "--ntasks-per-node": "sbatch", "--gpus-per-node": "sbatch",
    "--arrivals": "scripts/load_page.py", "--cycles": "scripts/load_page.py",
    "--count": "scripts/load_sessions.py", "--minutes": "scripts/load_sessions.py", "--ticks": "scripts/bench_page.py",
    "--small": "scripts/gpu_session.py", "--nthreads": "dask worker",
}  # fmt: skip


def test_options_that_stand_apart_from_their_command_exist() -> None:
    """Parts of advice that are put together elsewhere, such as ``f" --domain {name}"``."""
    ours, found = set(options_of(ROOT_COMMAND)), set()
    for path, text in texts():
        name = path.relative_to(ROOT).as_posix()
        if name.startswith(("cranpm/", "docs/", "README")) and name != "cranpm/cli/options.py":
            found |= set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", text))
    assert found - ours - {"--help"} == set(OTHERS_OPTIONS)


def options_of(command) -> Iterator[str]:
    for param in command.params:
        yield from (*param.opts, *param.secondary_opts)
    for below in getattr(command, "commands", {}).values():
        yield from options_of(below)


def test_the_search_reaches_messages_docs_and_notebooks() -> None:
    """Counted by hand at least so many; a search that finds nothing would always pass."""
    where: dict[str, int] = {}
    for path, text in texts():
        number = sum(m[1] in ROOT_COMMAND.commands for m in re.finditer(r"\bcranpm ([a-z]+)", text))
        folder = path.relative_to(ROOT).parts[0]
        where[folder] = where.get(folder, 0) + number
    assert where["cranpm"] > 20 and where["README.md"] > 4 and where["docs"] > 20 and where["notebooks"] > 0


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Run 'cranpm trane'.", "'cranpm' has no command trane"),
        ("Build it with 'cranpm testbed built --days 3'.", "'cranpm testbed' has no command built"),
        (
            "cranpm forecast --init 2022-01-10 --dataset x --out f.nc",
            "'cranpm forecast' has no option --dataset",
        ),
        ("as `cranpm score --leads=1` says", "'cranpm score' has no option --leads"),
        ("get it: cranpm data fetch era5 --region alps", "'cranpm data fetch' has no option --region"),
        ("nothing is there; run 'make setup'", "make has no target setup"),
        ("```\nmake tests\n```", "make has no target tests"),
        ("pip install 'cranpm-explorer[gribs]'", "there is no extra gribs"),
        ("see docs/nowhere.md", "there is no docs/nowhere.md"),
    ],
)
def test_advice_that_cannot_be_followed_is_found(text: str, reason: str) -> None:
    assert faults_in(text) == [reason]


@pytest.mark.parametrize(
    "text",
    [
        "cranpm data list | fetch | prepare",
        "Run `cranpm testbed build --days 16 --start 2022-01-03`, then cranpm forecast --lead 1 2 3.",
        "cranpm --install-completion",
        "cranpm dashboard --no-show",
        "from cranpm import registry",
        "this cranpm reads up to 3",
        "fields that make a map",
        "make dashboard PORT=5007",
    ],
)
def test_advice_that_can_be_followed_is_not(text: str) -> None:
    assert faults_in(text) == []
