"""A page for when the map cannot be shown: what is wrong and the command that mends it."""

from __future__ import annotations

from ..markup import Html, Markup, without_paths
from .header import BRAND

CARD_STYLES: dict[str, str] = {
    "max-width": "640px",
    "margin": "9vh auto",
    "padding": "28px 34px",
    "border-radius": "14px",
    "background": "var(--mui-palette-background-paper)",
    "color": "var(--mui-palette-text-primary)",
    "box-shadow": "0 2px 16px rgb(0 0 0 / 14%)",
    "font-size": "15px",
    "line-height": "1.5",
}
"""A card in the middle of an otherwise empty page."""

_COMMAND = Markup(
    "<p style='margin-top:18px'>This mends it:</p><pre style='padding:10px 14px;border-radius:8px;overflow:auto;"
    "background:var(--mui-palette-background-default);font-size:13.5px'>{}</pre>"
)


def problem_html(title: str, message: str, command: str = "") -> Markup:
    """Title, sentence and command."""
    return Markup(
        "<div class='cranpm-problem'>{}<h2 style='margin:22px 0 6px;font-size:21px'>{}</h2>"
        "<p style='margin:0'>{}</p>{}</div>"
    ).format(BRAND, title, without_paths(message), _COMMAND.format(command) if command else "")


def problem_pane(title: str, message: str, command: str = "") -> Html:
    return Html(
        problem_html(title, message, command), sizing_mode="stretch_width", margin=0, styles=CARD_STYLES
    )
