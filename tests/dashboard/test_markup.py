"""Text that comes from elsewhere stays text."""

from __future__ import annotations

import ast
import html
from pathlib import Path

import pytest
from cranpm.dashboard.markup import Html, Markup, join, without_paths
from cranpm.dashboard.server.headers import content_policy
from cranpm.dashboard.views.header import badge
from cranpm.dashboard.views.notice import Notice
from cranpm.dashboard.views.problem import problem_html

HARM = "<img src=x onerror=alert(1)>"
SAFE = "&lt;img src=x onerror=alert(1)&gt;"
SOURCES = sorted((Path(__file__).parents[2] / "dashboard").rglob("*.py"))


def shown(pane: Html) -> str:
    """What the browser's element gets as HTML."""
    return html.unescape(pane._transform_object(pane.object)["object"])  # Panel escapes once more for the way


def test_a_pane_shows_text_as_text_and_fragments_as_html():
    assert shown(Html(HARM)) == SAFE
    assert shown(Html(Markup("<b>{}</b>").format(HARM))) == f"<b>{SAFE}</b>"
    assert shown(Html("<b>" + Markup("<i>{}</i>").format(1) + "</b>")) == "&lt;b&gt;<i>1</i>&lt;/b&gt;"
    assert join([Markup("<br>"), HARM]) == f"<br>{SAFE}"


def test_what_is_said_about_a_file_or_a_link_is_text():
    for fragment in (badge(HARM, True), badge(HARM, False), problem_html(HARM, HARM, HARM)):
        assert HARM not in fragment
        assert SAFE in fragment
    notice = Notice(f"No {HARM} here")
    assert SAFE in shown(notice.text)
    assert not notice.root.object  # decoded twice by the component itself, so never used


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_no_other_way_leads_to_html(path: Path):
    """Panes are `Html`, and an f-string within `Markup(...)`, which escapes nothing, holds constants only."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in (
            "HTML",
            "Markdown",
            "Str",
            "StaticText",
            "Typography",
        ):
            assert path.stem == "markup", f"line {node.lineno}: show text in a markup.Html"
        if not (isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Markup"):
            continue
        for argument in node.args:
            assert isinstance(argument, ast.Constant | ast.JoinedStr), (
                f"line {node.lineno}: only what is written here"
            )
            for part in getattr(argument, "values", []):
                name = getattr(getattr(part, "value", None), "id", "CONSTANT")
                assert name.isupper(), f"line {node.lineno}: {name} belongs into .format(), which escapes it"


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        ("No file /srv/data/testbed/coarse.zarr here", "No file …/coarse.zarr here"),
        ("[Errno 2] No such file: '/srv/my data/x.nc'", "[Errno 2] No such file: '…/x.nc'"),
        (r"C:\Users\someone\data\x.nc is damaged", "…/x.nc is damaged"),
        ("3 of 5 / 7 µg/m³", "3 of 5 / 7 µg/m³"),
        ("see http://127.0.0.1:5006/dashboard/help", "see http://127.0.0.1:5006/dashboard/help"),
    ],
)
def test_paths_are_cut_to_their_last_part(text: str, cut: str):
    assert without_paths(text) == cut


def test_no_script_of_a_document_runs_without_the_answers_nonce():
    scripts = next(part for part in content_policy("abc").split(";") if "script-src" in part)
    assert "'nonce-abc'" in scripts
    assert "'unsafe-inline'" not in scripts
