"""What the pages say can be done: commands parse, Python compiles and finds its names, links have the form of links."""

from __future__ import annotations

import ast
import importlib
import pydoc
import re
import shlex
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import nbformat
import pytest
import typer

from cranpm.cli.app import app

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("docs/[!_]*/*.md")])
PAGES = [path for path in PAGES if path.parent.name != "generated"]
NOTEBOOKS = sorted(ROOT.glob("notebooks/*.ipynb"))
BLOCK = re.compile(r"^```([^\n]*)\n(.*?)^```", re.DOTALL | re.MULTILINE)
COMMAND = re.compile(r"(?:^|[|;&]\s*|\bdo\s+|[A-Z_]+=\S+\s+)(cranpm\s+[^#|;&\n]+)")


def blocks(text: str, *languages: str) -> list[str]:
    return [body for language, body in BLOCK.findall(text) if language.strip() in languages]


def commands(text: str) -> list[str]:
    """Calls of ``cranpm`` in the blocks of a page that are for a shell; a backslash joins lines."""
    lines = "\n".join(blocks(text, "", "sh", "bash", "console")).replace("\\\n", " ")
    return [match.strip() for line in lines.split("\n") for match in COMMAND.findall(line.strip())]


def refused(command: str) -> str | None:
    """Why the command line does not understand a command; None if it does. Nothing is run."""
    at: Any = typer.main.get_command(app)
    words = shlex.split(re.sub(r"\$day\b", "2022-01-10", command))[1:]  # of a loop over days
    context = None
    try:
        while True:
            context = at.make_context(at.name, words, parent=context)
            if not hasattr(at, "resolve_command"):
                return None
            _, at, words = at.resolve_command(context, [*context._protected_args, *context.args])
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def test_a_command_is_found_and_an_unknown_option_is_refused() -> None:
    text = "```\nCRANPM_DATA=x cranpm info --json | less   # all of it\n```\n"
    assert commands(text) == ["cranpm info --json"]
    assert refused("cranpm info --json") is None
    assert "No such option" in str(refused("cranpm info --jason"))


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_commands_of_a_page_parse(path: Path) -> None:
    wrong = {command: why for command in commands(path.read_text()) if (why := refused(command))}
    assert not wrong


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_python_of_a_page_compiles_and_its_names_are_offered(path: Path) -> None:
    for block in blocks(path.read_text(), "python"):
        tree = ast.parse(block)
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("cranpm"):
                module = importlib.import_module(str(node.module))
                assert not [alias.name for alias in node.names if not hasattr(module, alias.name)]


NAME = re.compile(r"(?<![\w/.:-])cranpm(?:\.[A-Za-z_]\w*)+")


def unknown_names(text: str) -> set[str]:
    """Dotted names of the package in a text, prose and code alike, that lead nowhere."""
    return {name for name in NAME.findall(text) if pydoc.locate(name) is None}


def text_of(path: Path) -> str:
    """What a page says; of a notebook its cells."""
    if path.suffix != ".ipynb":
        return path.read_text(encoding="utf-8")
    return "\n".join(cell.source for cell in nbformat.read(path, as_version=4).cells)


def test_a_name_that_leads_nowhere_is_found() -> None:
    text = "`cranpm.open_dataset` and cranpm.plot.whole.plot_map, but `cranpm.forecasts`; data/cranpm.nc is a file."
    assert unknown_names(text) == {"cranpm.forecasts"}
    assert unknown_names("{py:mod}`cranpm.data.store.scheme`") == {"cranpm.data.store.scheme"}


SPEAKS_OF_NOW = [path for path in (*PAGES, *NOTEBOOKS) if path.name != "CHANGELOG.md"]


@pytest.mark.parametrize("path", SPEAKS_OF_NOW, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_names_of_the_package_exist(path: Path) -> None:
    assert not unknown_names(text_of(path))


def test_links_that_lead_outside_are_whole() -> None:
    """They are tried by ``make linkcheck`` where there is internet; here their form is checked."""
    link = re.compile(r"\]\((\w+:[^)\s]*)\)|<(https?:[^>\s]*)>")
    found = [(page, first or second) for page in PAGES for first, second in link.findall(page.read_text())]
    assert len(found) > 5
    for page, address in found:
        parts = urlsplit(address)
        assert parts.scheme in ("https", "http", "mailto"), (page, address)
        assert parts.scheme == "mailto" or "." in parts.netloc or parts.netloc.startswith("127.0.0.1:"), (
            address
        )
        assert parts.scheme != "http" or parts.hostname == "127.0.0.1", f"{page}: {address} is not encrypted"


def test_every_page_is_reached_by_a_table_of_contents() -> None:
    """Sphinx says so too, but only at a build."""
    listed = set()
    for index in ROOT.glob("docs/**/index.md"):
        for body in blocks(index.read_text(), "{toctree}"):
            listed |= {
                (index.parent / line).resolve() for line in body.split("\n") if line and line[0] != ":"
            }
    site = [page for page in PAGES if (ROOT / "docs") in page.parents and page.name != "index.md"]
    assert not [page for page in site if page.with_suffix("") not in listed]
