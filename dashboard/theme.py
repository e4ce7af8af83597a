"""Colours, type and spacing of the page (Material UI theme)."""

from __future__ import annotations

from typing import Any

_FONT = 'Roboto, "Helvetica Neue", Arial, sans-serif'


def _palette(**colours: str) -> dict[str, Any]:
    return {
        "primary": {"main": colours["primary"], "contrastText": colours["on_primary"]},
        "secondary": {"main": colours["accent"]},
        "background": {"default": colours["ground"], "paper": colours["paper"]},
        "text": {"primary": colours["ink"], "secondary": colours["soft"]},
        "divider": colours["rule"],
    }


THEME: dict[str, Any] = {
    "light": {
        "palette": _palette(
            primary="#0b6180",
            on_primary="#ffffff",
            accent="#b4531f",
            ground="#e8eef2",
            paper="#ffffff",
            ink="#17222c",
            soft="#56646f",
            rule="#dde3e8",
        )
    },
    "dark": {
        "palette": _palette(
            primary="#6cc4e0",
            on_primary="#06222d",
            accent="#f0a070",
            ground="#0e141a",
            paper="#161e26",
            ink="#e9eff4",
            soft="#9fb0bd",
            rule="#2b3742",
        )
    },
}
for _mode in THEME.values():
    _mode |= {
        "typography": {
            "fontFamily": _FONT,
            "fontSize": 13,
            "button": {"textTransform": "none", "fontWeight": 500},
        },
        "shape": {"borderRadius": 8},
        "components": {"MuiToolbar": {"defaultProps": {"variant": "dense"}}},
    }

NARROW = 1199
"""Widest window whose drawer lies below the map instead of beside it [px]."""

SIDEBAR_WIDTH = 308
SHEET_HEIGHT = "44vh"

PAGE_SX: dict[str, Any] = {
    "& .header": {
        "backgroundColor": "var(--mui-palette-background-paper) !important",
        "color": "var(--mui-palette-text-primary) !important",
        "backgroundImage": "none",
        "boxShadow": "none",
        "borderBottom": "1px solid var(--mui-palette-divider)",
    },
    "& .main": {"backgroundColor": "var(--mui-palette-background-default)"},
    "& .MuiDrawer-paper": {"backgroundImage": "none", "borderColor": "var(--mui-palette-divider)"},
    # beside controls and drawer a narrow window has no room for the map: the drawer lies below it
    f"@media (max-width: {NARROW}px)": {
        "& nav:has(> .MuiDrawer-anchorRight)": {"width": 0, "flex": "0 0 0"},
        # the page would stretch the map over the place of a shut drawer, which here has none
        "& .main": {"marginRight": "0 !important"},
        "& .contextbar > .MuiToolbar-root": {"display": "none"},
        "& .MuiDrawer-anchorRight.MuiDrawer-docked": {
            "position": "fixed",
            "right": 0,
            "bottom": 0,
            "width": f"max(calc(100vw - {SIDEBAR_WIDTH}px), 320px)",
            "height": SHEET_HEIGHT,
            "zIndex": 1100,
            "pointerEvents": "none",
        },
        "& .contextbar.MuiDrawer-paper": {
            "position": "static",
            "width": "100% !important",
            "height": "100%",
            "borderTop": "1px solid var(--mui-palette-divider)",
            "pointerEvents": "auto",
        },
    },
}

STAGE_CSS = f"@media (max-width: {NARROW}px) {{ :host(.above-drawer) {{ margin-bottom: {SHEET_HEIGHT} !important; }} }}"
"""The map gives way to a drawer that lies below it."""

CARD: dict[str, str] = {
    "background": "color-mix(in srgb, var(--mui-palette-background-paper) 92%, transparent)",
    "border-radius": "10px",
    "box-shadow": "0 1px 5px rgb(0 0 0 / 22%)",
    "padding": "9px 13px",
    "z-index": "10",
    "position": "absolute",
}
"""A card that floats over the map."""

DIALOG_SX: dict[str, Any] = {
    "& .MuiDialog-paper": {"backgroundImage": "none"},
    # the cross that closes it would be black on a dark ground
    "& .MuiDialog-paper .MuiIconButton-root": {"color": "inherit"},
}
"""Of every dialog."""

CORNER: dict[str, str] = {
    "position": "absolute",
    "left": "12px",
    "bottom": "12px",
    "max-width": "calc(100% - 68px)",
    "z-index": "10",
    "pointer-events": "none",
}
"""What stands in the map's lower left corner, one above the other, beside its buttons; the map lies free around it."""

NOTICE: dict[str, str] = {
    "position": "absolute",
    "top": "12px",
    "right": "12px",
    "max-width": "380px",
    "z-index": "20",
}

STAGE: dict[str, str] = {
    "position": "relative",
    "overflow": "hidden",
    "background": "var(--mui-palette-background-default)",
}
"""What lies under the map; its colour is the sea's."""

INK = "color:var(--mui-palette-text-primary)"
SOFT = "color:var(--mui-palette-text-secondary)"
ACCENT = "color:var(--mui-palette-secondary-main)"
PILL = "background:#ffd166;color:#3a2a00;border-radius:99px;font-weight:600"

HEADING = (
    "font-size:11px;letter-spacing:.07em;text-transform:uppercase;font-weight:600;"
    "color:var(--mui-palette-text-secondary)"
)
