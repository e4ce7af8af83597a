"""A page for when the map cannot be shown: what is wrong and the command that mends it."""

from __future__ import annotations

import re
from html import escape

import panel as pn

from .header import BRAND

_PATH = re.compile(r"(?<![\w.])(?:~|/)[\w.@+-]+(?:/[\w.@+-]+)+/?")

_CARD = (
    "max-width:640px;margin:9vh auto;padding:28px 34px;border-radius:14px;"
    "background:var(--mui-palette-background-paper);"
    "color:var(--mui-palette-text-primary);box-shadow:0 2px 16px rgb(0 0 0 / 14%);font-size:15px;line-height:1.5"
)


def without_paths(text: str) -> str:
    """The text with absolute paths cut to their last part: where files lie is nobody's business in a browser."""
    return _PATH.sub(lambda match: "…/" + match.group().rstrip("/").rsplit("/", 1)[-1], text)


def problem_html(title: str, message: str, command: str = "") -> str:
    """Title, sentence and command as HTML; everything is escaped."""
    code = (
        "<p style='margin-top:18px'>This mends it:</p><pre style='padding:10px 14px;border-radius:8px;overflow:auto;"
        f"background:var(--mui-palette-background-default);font-size:13.5px'>{escape(command)}</pre>"
        if command
        else ""
    )
    return (
        f"<div class='cranpm-problem' style='{_CARD}'>{BRAND}"
        f"<h2 style='margin:22px 0 6px;font-size:21px'>{escape(title)}</h2>"
        f"<p style='margin:0'>{escape(without_paths(message))}</p>{code}</div>"
    )


def problem_pane(title: str, message: str, command: str = "") -> pn.pane.HTML:
    return pn.pane.HTML(problem_html(title, message, command), sizing_mode="stretch_width", margin=0)
