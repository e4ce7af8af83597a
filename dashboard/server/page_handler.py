"""The page itself as an answer: Panel's document, with a nonce on its own scripts."""

from __future__ import annotations

import re
import secrets
from typing import Any

from panel.io.server import DocHandler

from .headers import content_policy

_SCRIPT = re.compile(r"<script(?=[\s>])")


class PageHandler(DocHandler):
    """Serves a page; stands in for Panel's handler.

    Everything in the document comes from Panel's and Bokeh's templates, and what the page shows is JSON in it, so
    that its script tags are known to be theirs. What is put into the page later gets no nonce and does not run.
    """

    def write(self, chunk: Any) -> None:
        if isinstance(chunk, str):
            nonce = secrets.token_urlsafe(16)
            self.set_header("Content-Security-Policy", content_policy(nonce))
            chunk = _SCRIPT.sub(f'<script nonce="{nonce}"', chunk)
        super().write(chunk)
