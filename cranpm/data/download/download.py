"""One file over HTTP: resumed where it broke off, checked, and put in place in one step.

The bytes so far lie in ``.NAME.part``, what they are part of in ``.NAME.part.json``. A process that is killed at any
byte leaves both, and the next one goes on from there, provided that the server still has the same file.
pooch and the Copernicus client download too, but begin again after a kill: too much for a 3 GB month.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import BinaryIO

import requests
import urllib3

from cranpm._files import write_atomically
from cranpm._json import JsonObject
from cranpm._lock import Lock, LockHeldError
from cranpm.data.errors import DataFileError

log = logging.getLogger(__name__)

BLOCK = 2**20
LONGEST_WAIT = 300.0
"""Seconds; a server that asks for more is asked again after this."""

FIRST_WAIT = 2.0
"""Seconds before a busy server is asked again, doubled each time."""

_MOMENT = 1e9
"""Seconds; more than this is a time since 1970."""

BUSY = (408, 429, 500, 502, 503, 504)
_BROKEN = (requests.ConnectionError, requests.Timeout, urllib3.exceptions.HTTPError)

BytesProgress = Callable[[int, int | None], None]
"""Called with bytes there and bytes in all (None: the server does not say)."""


class DownloadError(RuntimeError):
    """A file that could not be fetched; what is there is kept, and running again goes on from it."""


class NotThereError(DownloadError):
    """The server has no such file."""


class AccessRefusedError(DownloadError):
    """The server does not let this person have the file."""


class WrongContentError(DownloadError, DataFileError):
    """What came is not what was announced: another size, another hash, a web page."""


class DownloadLockedError(DownloadError):
    """Another process is fetching the same file."""


@dataclass(frozen=True, kw_only=True)
class Retries:
    """How long a server that fails is asked again."""

    tries: int = 8
    """Failures in a row without a new byte before giving up."""
    first_wait: float = field(default_factory=lambda: FIRST_WAIT)
    """Seconds before the second try, doubled each time; a ``Retry-After`` of the server counts more."""
    timeout: float = 60.0
    """Seconds that the server may be silent."""
    sleep: Callable[[float], None] = time.sleep
    """How to pause [s]."""


def download(
    url: str,
    target: str | Path,
    *,
    session: requests.Session,
    hash: str | None = None,
    size: int | None = None,
    accept: Callable[[Path], object] | None = None,
    progress: BytesProgress | None = None,
    retries: Retries | None = None,
) -> Path:
    """Fetch a file, or what is still missing of it.

    Parameters
    ----------
    hash : str, optional
        ``md5:...`` or ``sha256:...`` that the whole file must have.
    size : int, optional
        Bytes that it must have, where the server's own word is not enough.
    accept : callable, optional
        Given the finished part before it is put in place; raises `DataFileError` if it is not what was wanted.
    retries : Retries, optional
        Eight tries, the first pause two seconds long, by default.

    Returns
    -------
    Path
        ``target``, complete and checked.

    Raises
    ------
    DownloadError
        Or one of its kinds, saying what was expected, what came and what to do.
    """
    target = Path(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.part")
    with _only_one(part):
        with part.open("ab") as file:
            transfer = _Transfer(url, file, part, session, size, progress, retries or Retries())
            for attempt in (1, 2):
                total = transfer.run()
                os.fsync(file.fileno())
                try:
                    _check(part, target.name, total if size is None else size, hash, accept)
                    break
                except DataFileError as error:
                    file.truncate(0)
                    if attempt == 2:
                        raise
                    log.warning("%s; it is fetched once more from the beginning.", str(error).rstrip("."))
        os.replace(part, target)  # closed: Windows renames no open file
        _note(part).unlink(missing_ok=True)
    return target


@dataclass(frozen=True)
class _Transfer:
    """Appends to the part of one file."""

    url: str
    file: BinaryIO
    part: Path
    session: requests.Session
    size: int | None
    progress: BytesProgress | None
    retries: Retries

    def run(self) -> int | None:
        """Go on until the server has no more; returns the size it announced."""
        tries, first_wait, name = self.retries.tries, self.retries.first_wait, self.part.name[1:-5]
        failures, wait = 0, first_wait
        while True:
            before, problem, pause = self.length, "", wait
            try:
                done, total, problem, asked = self._one_response()
                if done:
                    return total
                pause = wait if asked is None else asked
            except _BROKEN as error:
                problem = f"the connection broke ({type(error).__name__})"
            moved = self.length > before
            failures, wait = (1, first_wait) if moved else (failures + 1, min(wait * 2, LONGEST_WAIT))
            if failures >= tries:
                msg = f"{name}: {problem}, {tries} times without progress. Run the same command again later."
                raise DownloadError(msg)
            pause = min(pause, LONGEST_WAIT)
            log.warning("%s: %s; trying again in %.0f s.", name, problem, pause)
            self.retries.sleep(pause)

    def _one_response(self) -> tuple[bool, int | None, str, float | None]:
        """(finished, announced size, what went wrong, seconds the server asks to wait)."""
        have, note = self.length, _read_note(self.part)
        if have and note.get("url") != self.url:
            self.file.truncate(0)  # the part of another file
            have = 0
        if have and have in (self.size, note.get("total")):
            return True, have, "", None
        headers = {}
        if have:
            headers["Range"] = f"bytes={have}-"
            if note.get("validator"):
                headers["If-Range"] = note["validator"]  # another file meanwhile: send all of it
        with self.session.get(
            self.url, headers=headers, stream=True, timeout=self.retries.timeout
        ) as response:
            status = response.status_code
            if status in BUSY:
                return False, None, f"the server is busy ({status})", asked_to_wait(response)
            if status == 416:
                self.file.truncate(0)
                return False, None, "the server has another file than before", 0.0
            _refuse(response, self.part.name[1:-5])
            total = _announced(response, have)
            if status != 206 or not _continues(response, have) or (note.get("total") not in (None, total)):
                if have and status == 206:
                    self.file.truncate(0)
                    return False, None, "the server went on at another byte", 0.0
                self.file.truncate(0)
            _write_note(self.part, self.url, response, total)
            # iter_content would throw away the last, shorter block of a connection that breaks
            while block := response.raw.read1(BLOCK):
                self.file.write(block)
                self.file.flush()
                if self.progress:
                    self.progress(self.length, total)
        if total is not None and self.length < total:
            return False, total, f"{total - self.length} of {total} bytes did not come", None
        return True, total, "", None

    @property
    def length(self) -> int:
        """Bytes that are there."""
        return os.fstat(self.file.fileno()).st_size


def _refuse(response: requests.Response, name: str) -> None:
    status, host = response.status_code, response.url.split("/")[2]
    if status in (401, 403):
        msg = (
            f"{name}: {host} refuses access ({status}). Expected credentials that are valid and a licence that was "
            "accepted on the data's page; check both, then run the same command again."
        )
        raise AccessRefusedError(msg)
    if status in (404, 410):
        raise NotThereError(f"{name}: {host} has no such file ({status}): {response.url}. Has it moved?")
    if status not in (200, 206):
        raise DownloadError(f"{name}: expected the file from {host}, got status {status} {response.reason}.")


def _announced(response: requests.Response, have: int) -> int | None:
    found = re.match(r"bytes \d+-\d+/(\d+)$", response.headers.get("Content-Range", ""))
    if found:
        return int(found[1])
    length = response.headers.get("Content-Length")
    return None if length is None else int(length) + (have if response.status_code == 206 else 0)


def _continues(response: requests.Response, have: int) -> bool:
    return response.headers.get("Content-Range", f"bytes {have}-").startswith(f"bytes {have}-")


def asked_to_wait(response: requests.Response) -> float | None:
    """Seconds that a busy server asks to wait: ``Retry-After``, or OpenAQ's ``x-ratelimit-reset``; None if neither."""
    value = response.headers.get("Retry-After") or response.headers.get("x-ratelimit-reset")
    if value is None:
        return None
    if value.isdigit():
        # seconds from now, or the moment itself: OpenAQ's documentation says both
        return float(value) if float(value) < _MOMENT else max(float(value) - time.time(), 0.0)
    with contextlib.suppress(ValueError):
        return max(parsedate_to_datetime(value).timestamp() - time.time(), 0.0)
    return None


def _check(
    part: Path,
    name: str,
    size: int | None,
    hash: str | None,
    accept: Callable[[Path], object] | None,
) -> None:
    found = part.stat().st_size
    if not found or (size is not None and found != size):
        raise WrongContentError(f"{name}: expected {size or 'some'} bytes, got {found}.")
    if hash is not None and (digest := file_hash(part, hash.split(":")[0])) != hash:
        raise WrongContentError(f"{name}: expected {hash[:16]}..., got {digest[:16]}... .")
    if accept is not None:
        accept(part)


def file_hash(path: str | Path, algorithm: str = "sha256") -> str:
    """``sha256:...`` of a file, as the manifest and receipts write it."""
    with Path(path).open("rb") as file:
        return f"{algorithm}:{hashlib.file_digest(file, algorithm).hexdigest()}"


def _only_one(part: Path) -> Lock:
    try:
        return Lock(part.with_name(f"{part.name}.lock"))
    except LockHeldError as error:
        msg = f"{part.name[1:-5]} is being fetched by {error.holder}. Wait for it, or end it."
        raise DownloadLockedError(msg) from None


def _note(part: Path) -> Path:
    return part.with_name(f"{part.name}.json")


def _write_note(part: Path, url: str, response: requests.Response, total: int | None) -> None:
    tag = response.headers.get("ETag", "")
    validator = tag if tag and not tag.startswith("W/") else response.headers.get("Last-Modified")
    note = {"url": url, "total": total, "validator": validator}
    if note != _read_note(part):
        write_atomically(_note(part), json.dumps(note).encode())


def _read_note(part: Path) -> JsonObject:
    try:
        return json.loads(_note(part).read_text())
    except (OSError, ValueError):
        return {}
