"""What all answers beside the page have in common: its headers, and its login where it has one."""

from __future__ import annotations

from bokeh.server.views.auth_request_handler import AuthRequestHandler
from tornado.web import HTTPError

from .headers import set_security_headers


class Handler(AuthRequestHandler):
    """An answer beside the page, for whoever may see the page.

    Panel's own login (``--basic-auth``, ``--oauth-provider``) guards pages alone: without this, maps and files would be
    open to everybody who knows an address.
    """

    open_to_all = False
    """Whether it is answered without a login, too."""

    def set_default_headers(self) -> None:
        set_security_headers(self)

    async def prepare(self) -> None:
        """Find out who asks.

        Raises
        ------
        HTTPError
            403, if the server has a login and this reader has not gone through it.
        """
        await super().prepare()
        if not self.open_to_all and not self.current_user:
            raise HTTPError(403)

    def keep(self, how_long: str) -> None:
        """Let browsers keep the answer, and caches on the way too unless it is meant for some readers only."""
        provider = self.application.auth_provider  # type: ignore[attr-defined]
        login = provider.get_user is not None or provider.get_user_async is not None
        self.set_header("Cache-Control", f"{'private' if login else 'public'}, {how_long}")
