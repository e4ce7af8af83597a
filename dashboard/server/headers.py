"""The headers of every answer: what a page may load, and who may frame it."""

from __future__ import annotations

from tornado.web import RequestHandler

SECURITY_HEADERS: dict[str, str] = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",
    "Referrer-Policy": "same-origin",
}


def content_policy(nonce: str = "") -> str:
    """The Content-Security-Policy of an answer.

    Nothing comes from elsewhere, and no script that stands in a document runs unless it carries the answer's own
    ``nonce``. Bokeh compiles callbacks (``CustomJS``) in the browser, hence 'unsafe-eval', and Panel loads its
    components as modules from ``blob:``. Both need code that already runs; markup alone starts neither.
    """
    scripts = f"'self' 'nonce-{nonce}'" if nonce else "'self'"
    return (
        f"default-src 'self'; script-src {scripts} 'unsafe-eval' blob:; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self' ws: wss: blob: data:; "
        "object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'self'"
    )


def set_security_headers(handler: RequestHandler) -> None:
    """Stand-in for ``RequestHandler.set_default_headers``."""
    for name, value in SECURITY_HEADERS.items():
        handler.set_header(name, value)
    handler.set_header("Content-Security-Policy", content_policy())
