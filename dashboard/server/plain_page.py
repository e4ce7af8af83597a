"""Pages that are plain HTML: nothing is built for them, and nothing of them comes from elsewhere."""

from __future__ import annotations

from pathlib import Path

import panel.auth

from .headers import set_security_headers

_STATIC = Path(__file__).parent.parent / "static"


def plain_template(name: str) -> str:
    """A template among the static files with the style that all of them share in the place of ``$style``."""
    page, style = ((_STATIC / file).read_text(encoding="utf-8") for file in (name, "plain.css"))
    return page.replace("$style", style)


def own_login_page() -> None:
    """Panel's login (``--basic-auth``) gets this program's page and headers; Panel's fetches a picture from its makers.

    To be called before the server is made. A template of the command line (``--basic-login-template``) goes first.
    """
    panel.auth.BASIC_LOGIN_TEMPLATE = panel.auth._env.from_string(plain_template("login.html"))
    panel.auth.BasicLoginHandler.set_default_headers = set_security_headers  # type: ignore[assignment, method-assign]
