"""Bokeh's server hooks. This file runs once, after the command line is read and before the server exists.

That order is used: routes appended to Bokeh's lists of patterns are taken up by the application that is built next,
which is how they come under plain ``panel serve dashboard`` without further options.
"""

import logging
import os

import bokeh.server.server
import panel as pn
from bokeh.server.urls import per_app_patterns, toplevel_patterns
from bokeh.server.views.auth_request_handler import AuthRequestHandler
from cranpm.dashboard import (
    pages,  # noqa: F401  imported here, so that the first visitor does not wait for it
    settings,
)
from cranpm.dashboard.background import failed
from cranpm.dashboard.server.definitions import hide_folders
from cranpm.dashboard.server.downloads import DOWNLOADS
from cranpm.dashboard.server.headers import set_security_headers
from cranpm.dashboard.server.page_handler import AutoloadHandler, PageHandler
from cranpm.dashboard.server.plain_page import own_login_page
from cranpm.dashboard.server.routes import ROUTES
from cranpm.dashboard.server.socket_handler import SocketHandler

log = logging.getLogger("cranpm.dashboard")

try:
    settings.check()
except ValueError as wrong:
    raise SystemExit(
        str(wrong)
    ) from None  # anything else would be logged, and the page served without its hooks

known = {pattern[0] for pattern in toplevel_patterns}
toplevel_patterns.extend(route for route in (*ROUTES, *DOWNLOADS) if route[0] not in known)
OWN = (PageHandler, AutoloadHandler, SocketHandler)
per_app_patterns[:] = [
    (route, next((own for own in OWN if issubclass(own, handler)), handler))
    for route, handler, *_ in per_app_patterns
]

hide_folders()
own_login_page()

# what goes wrong in a callback of a control: otherwise the browser gets the traceback
pn.config.exception_handler = lambda error: failed(pn.state.curdoc, error)

AuthRequestHandler.set_default_headers = set_security_headers  # type: ignore[assignment, method-assign]


def _bind_loopback(bind_sockets):  # type: ignore[no-untyped-def]
    """Without ``--address`` Bokeh listens on every interface; here it then listens on this machine only."""

    def bind(address, port):  # type: ignore[no-untyped-def]
        if not address and os.environ.get("CRANPM_PUBLIC") != "1":
            address = "127.0.0.1"
        elif address not in ("localhost", "127.0.0.1", "::1", None, ""):
            log.warning("This page has no login: everybody who can reach %s can use it.", address)
        return bind_sockets(address, port)

    bind.loopback_by_default = True  # type: ignore[attr-defined]
    return bind


if not hasattr(bokeh.server.server.bind_sockets, "loopback_by_default"):
    bokeh.server.server.bind_sockets = _bind_loopback(bokeh.server.server.bind_sockets)


def on_server_loaded(server_context):  # type: ignore[no-untyped-def]
    """Import and read ahead what the first page needs, so that it opens at once."""
    from cranpm.dashboard.server.warm import warm_up

    warm_up()
