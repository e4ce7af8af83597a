"""Where requests go, and how this program introduces itself there."""

from __future__ import annotations

import os
from urllib.parse import urlsplit

import requests

from cranpm import __version__

VARIABLE = "CRANPM_ENDPOINTS"
"""Environment variable with the address of a stand-in for all providers, such as ``http://127.0.0.1:8000``."""

USER_AGENT = f"cranpm-explorer/{__version__} (research software; daily PM2.5 maps)"
# Zenodo turns away the default agents of HTTP libraries and asks for one that names the tool


def endpoint(url: str) -> str:
    """The address to ask for a provider's address: itself, or its place on the stand-in server.

    Examples
    --------
    >>> endpoint("https://zenodo.org/api/records/1")
    'https://zenodo.org/api/records/1'
    """
    base = os.environ.get(VARIABLE)
    if not base:
        return url
    parts = urlsplit(url)
    query = f"?{parts.query}" if parts.query else ""
    return f"{base.rstrip('/')}/{parts.netloc}{parts.path}{query}"


def is_mock(url: str) -> bool:
    """Whether an address lies on this machine: what came from there is simulated, whatever it looks like."""
    return urlsplit(url).hostname in ("127.0.0.1", "localhost", "::1")


def polite_session() -> requests.Session:
    """A session with one connection at a time and a name; whole bytes, so that transfers can go on where they ended."""
    session = requests.Session()
    adapter = requests.adapters.HTTPAdapter(pool_connections=1, pool_maxsize=1, pool_block=True)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    session.headers.update({"User-Agent": USER_AGENT, "Accept-Encoding": "identity"})
    return session
