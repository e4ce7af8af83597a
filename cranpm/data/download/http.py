"""Small questions to providers (listings, countries, places), asked again when they are busy."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

import requests

from cranpm.data.download import download as transfers
from cranpm.data.download.download import BUSY, LONGEST_WAIT, AccessRefusedError, DownloadError, asked_to_wait
from cranpm.data.download.endpoints import endpoint

log = logging.getLogger(__name__)

TRIES = 6


def request_with_retries(
    session: requests.Session,
    method: str,
    url: str,
    *,
    timeout: float = 60,
    sleep: Callable[[float], None] | None = None,
    **what: Any,
) -> requests.Response:
    """The answer to a question, after as many pauses as the provider asks for.

    Parameters
    ----------
    sleep : callable, optional
        Used for pauses [s] instead of the clock's.
    **what
        Passed on to ``requests`` (``json``, ``headers``, ...).

    Raises
    ------
    AccessRefusedError
        If the provider wants other credentials.
    DownloadError
        If it does not answer, or answers with an error.
    """
    name = url.split("/")[2]
    for attempt in range(TRIES):
        pause = transfers.FIRST_WAIT * 2**attempt
        try:
            response = session.request(method, endpoint(url), timeout=timeout, **what)
        except requests.RequestException as error:
            problem = type(error).__name__
        else:
            if response.status_code in (401, 403):
                raise AccessRefusedError(
                    f"{name} refuses access ({response.status_code}): {response.text[:200]}"
                )
            if response.status_code not in BUSY:
                if not response.ok:
                    raise DownloadError(
                        f"{name} answered {response.status_code} to {url}: {response.text[:200]}"
                    )
                return response
            problem, asked = f"status {response.status_code}", asked_to_wait(response)
            pause = pause if asked is None else asked
        if attempt + 1 < TRIES:
            pause = min(pause, LONGEST_WAIT)
            log.warning("%s: %s; asking again in %.0f s.", name, problem, pause)
            (sleep or time.sleep)(pause)
    raise DownloadError(f"{name} does not answer ({problem}). Run the same command again later.")
