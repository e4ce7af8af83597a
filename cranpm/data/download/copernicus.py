"""The Climate and the Atmosphere Data Store through ECMWF's client: credentials, cost, waiting, the result's address.

One account serves both stores, but a settings file holds the address of one: the address is therefore always given
here, and only the key comes from the environment or the file.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

import requests

from cranpm import extras
from cranpm._files import write_atomically
from cranpm._json import JsonObject
from cranpm.data.download.download import AccessRefusedError, DownloadError
from cranpm.data.download.endpoints import endpoint

log = logging.getLogger(__name__)

STORES = {
    "cds": "https://cds.climate.copernicus.eu/api",
    "ads": "https://ads.atmosphere.copernicus.eu/api",
}


TRIES = 10
"""Of a request to a busy store."""

_Answer = TypeVar("_Answer")


class MissingCredentialsError(AccessRefusedError):
    """No key, or one of a kind that no longer works."""


class LicenceError(AccessRefusedError):
    """The licence of the data has not been accepted yet."""


class RequestRefusedError(DownloadError):
    """The store cannot or will not answer this request."""


@dataclass(frozen=True, kw_only=True)
class RequestCost:
    """What a request costs, in the store's own units (about: fields); None where the store does not say."""

    cost: float | None
    limit: float | None

    @property
    def too_much(self) -> bool:
        """Whether the store says that it would refuse the request for its size."""
        return self.cost is not None and self.limit is not None and self.cost > self.limit

    def __str__(self) -> str:
        if self.cost is None:
            return "cost unknown"
        return f"cost {self.cost:g}" + ("" if self.limit is None else f" of {self.limit:g} allowed")


@dataclass(frozen=True, kw_only=True)
class Asset:
    """A result that waits to be downloaded."""

    url: str
    size: int


def find_key() -> str:
    """The personal access token: ``ECMWF_DATASTORES_KEY``, ``CDSAPI_KEY``, or the files of either client.

    Raises
    ------
    MissingCredentialsError
        Saying where to get one and where to put it.
    """
    files = {
        "ECMWF_DATASTORES_RC_FILE": "~/.ecmwfdatastoresrc",
        "CDSAPI_RC": "~/.cdsapirc",
    }
    key = os.environ.get("ECMWF_DATASTORES_KEY") or os.environ.get("CDSAPI_KEY") or ""
    for variable, default in files.items():
        path = Path(os.environ.get(variable, default)).expanduser()
        if not key and path.is_file():
            settings = dict(line.split(":", 1) for line in path.read_text().splitlines() if ":" in line)
            key = settings.get("key", "").strip()
    if not key:
        msg = (
            "No key for the Copernicus data stores. Make a free ECMWF account at https://cds.climate.copernicus.eu, "
            "copy the personal access token of your profile page, and put it into ~/.ecmwfdatastoresrc as a line "
            "'key: TOKEN' (or into the environment as ECMWF_DATASTORES_KEY)."
        )
        raise MissingCredentialsError(msg)
    if ":" in key:
        msg = (
            "The key has the old form UID:KEY, which the stores no longer answer. Copy the personal access token of "
            "https://cds.climate.copernicus.eu/profile in its place."
        )
        raise MissingCredentialsError(msg)
    return key


class DataStore:
    """One of the two stores.

    Parameters
    ----------
    patience : float
        Seconds between tries when the store is busy; also the longest pause between looks at a waiting request.
    """

    def __init__(self, store: Literal["cds", "ads"], *, patience: float = 60.0) -> None:
        client = extras.load("ecmwf.datastores", "Fetching ERA5 and CAMS")
        self.store = store
        self._address = endpoint(STORES[store])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # it warns when the store's messages cannot be read
            self._client = client.Client(
                url=self._address,
                key=find_key(),
                progress=False,
                sleep_max=patience,
                retry_after=patience,
                maximum_tries=TRIES,
                timeout=60,
            )

    def estimate(self, dataset: str, request: JsonObject) -> RequestCost:
        """What the store would charge, asked before anything is submitted."""
        answer = self._ask(dataset, lambda: self._client.estimate_costs(dataset, request))
        cost, limit = (answer.get(key) for key in ("cost", "limit"))
        return RequestCost(
            cost=None if cost is None else float(cost),
            limit=None if limit is None else float(limit),
        )

    def result(self, dataset: str, request: JsonObject, ticket: Path) -> Asset:
        """Submit a request, or find the one submitted before, and wait for its result.

        Parameters
        ----------
        ticket : Path
            Remembers the request's number, so that a program that was stopped asks for the same result again instead
            of queueing twice.
        """
        digest = hashlib.sha256(json.dumps([dataset, request], sort_keys=True).encode()).hexdigest()
        remote = self._remembered(ticket, digest)
        if remote is None:
            remote = self._ask(dataset, lambda: self._client.submit(dataset, request))
            content = json.dumps({"request_id": remote.request_id, "digest": digest}).encode()
            write_atomically(ticket, content)
        try:
            results = self._ask(dataset, remote.get_results)
        except RequestRefusedError:
            ticket.unlink(missing_ok=True)  # asking again must not meet the same refusal
            raise
        return Asset(url=results.location, size=results.content_length)

    def _remembered(self, ticket: Path, digest: str) -> Any:
        try:
            note = json.loads(ticket.read_text())
            if note["digest"] != digest:
                return None
            remote = self._client.get_remote(note["request_id"])
            return remote if remote.status in ("accepted", "running", "successful") else None
        except (OSError, ValueError, KeyError, requests.RequestException):
            return None  # never asked, or the store has forgotten it

    def _ask(self, dataset: str, what: Callable[[], _Answer]) -> _Answer:
        """Call the client; its errors become ours, with the way out in them."""
        processing = extras.load("ecmwf.datastores.processing", "Fetching ERA5 and CAMS")
        try:
            return what()
        except processing.ProcessingFailedError as error:
            raise RequestRefusedError(f"{dataset}: the store could not make the file: {error}") from error
        except requests.HTTPError as error:
            raise self._refusal(dataset, error) from error
        except requests.RequestException as error:
            msg = f"{dataset}: {self._address} does not answer ({type(error).__name__}). Run the same command again."
            raise DownloadError(msg) from error

    def _refusal(self, dataset: str, error: requests.HTTPError) -> DownloadError:
        status = error.response.status_code if error.response is not None else 0
        text = " ".join(str(error).split())
        page = f"{STORES[self.store].removesuffix('/api')}/datasets/{dataset}"
        if "licen" in text.lower():
            msg = f"{dataset}: its licence is not accepted yet. Accept it once at {page}?tab=download, then go on."
            return LicenceError(msg)
        if status in (401, 403):
            msg = (
                f"{dataset}: the store does not accept the key ({status}): expired or mistyped. Copy the token of "
                f"{STORES[self.store].removesuffix('/api')}/profile again. The store said: {text[:200]}"
            )
            return MissingCredentialsError(msg)
        if status == 404:
            return RequestRefusedError(f"{dataset}: the store knows no such dataset (404). See {page}.")
        return RequestRefusedError(f"{dataset}: the store refuses the request: {text[:400]}")
