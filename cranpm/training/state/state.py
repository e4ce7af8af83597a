"""What a run needs to go on exactly where it was: written whole or not at all, checked when read.

A state is a folder ``train_state/step-00000120``: ``state.pt`` (weights, optimiser, schedule, average, random streams,
loop counters; read with PyTorch's weights-only loader, so nothing in it is executed) and ``state.json`` (step, recipe,
statistics, fingerprint of the data, sha256). The last two are kept.
"""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from cranpm import __version__
from cranpm._files import remove_partial_files, replacing, write_atomically
from cranpm._json import JsonObject
from cranpm.training.recipes.recipes import with_present_names

FORMAT = 1
KIND = "cranpm-train-state"
PAYLOAD, DOCUMENT, SCORES = "state.pt", "state.json", "scores.json"
KEPT = 2


class TrainStateError(RuntimeError):
    """A saved state that cannot be used, or cannot be written; the message says what to do."""


@dataclass(frozen=True, kw_only=True)
class SavedState:
    """One state on disk, verified."""

    folder: Path
    document: JsonObject

    @property
    def step(self) -> int:
        """Steps done."""
        return int(self.document["step"])

    @property
    def stage(self) -> str:
        """Stage of the run: "global" in pre-training, then "tiles"."""
        return str(self.document["stage"])

    def load(self) -> dict[str, Any]:
        """The tensors, on the CPU."""
        return torch.load(self.folder / PAYLOAD, map_location="cpu", weights_only=True)


class TrainStates:
    """The states of one run.

    Parameters
    ----------
    folder : Path
        ``OUT/train_state``.
    identity : dict
        What a state must have been made with to go on from it: JSON values under "recipe", "statistics", "data",
        "processes".
    """

    def __init__(self, folder: Path, identity: JsonObject) -> None:
        self.folder = Path(folder)
        self.identity: JsonObject = json.loads(json.dumps(identity))  # as it will be read back

    def save(self, payload: dict[str, Any], step: int, stage: str = "tiles", **facts: object) -> SavedState:
        """Write a state; older ones beyond the last two go once it stands.

        Raises
        ------
        TrainStateError
            If it cannot be written; earlier states are as they were.
        """
        final = self.folder / f"step-{_order(stage)}{step:08d}"
        try:
            content = _to_bytes(payload)
            document = {
                "kind": KIND,
                "format": FORMAT,
                "step": step,
                "stage": stage,
                "bytes": len(content),
                "sha256": hashlib.sha256(content).hexdigest(),
                "version": __version__,
                **json.loads(json.dumps(facts)),
                **self.identity,
            }
            document["seal"] = _seal(document)
            # a state of the same step, damaged or saved again after a stop, stands until then
            with replacing(final, is_ours=lambda _: True) as draft:
                draft.mkdir()
                (draft / PAYLOAD).write_bytes(content)
                (draft / DOCUMENT).write_bytes((json.dumps(document, indent=1) + "\n").encode())
            self.clean()
            for old in self._folders()[:-KEPT]:
                shutil.rmtree(old, ignore_errors=True)
        except OSError as error:
            raise TrainStateError(
                f"Cannot save the training state of step {step} in {self.folder} ({error.strerror or error}). "
                f"{self._what_stands()} Make room or give permission there, then resume."
            ) from error
        return SavedState(folder=final, document=document)

    def newest(self) -> SavedState | None:
        """The newest state that is whole; a damaged one is left out with a warning.

        Raises
        ------
        TrainStateError
            If there are states, but none of them whole, or one comes from a newer format.
        """
        folders = self._folders()
        for folder in reversed(folders):
            try:
                return SavedState(folder=folder, document=_verified(folder))
            except _DamagedError as error:
                warnings.warn(f"{error} It is left out.", stacklevel=2)
        if folders:
            raise TrainStateError(
                f"None of the {len(folders)} states in {self.folder} is whole; begin anew in another folder."
            )
        return None

    def find(self, resume: bool) -> SavedState | None:
        """Where a start goes on from: the newest state on resuming, else nothing.

        Raises
        ------
        TrainStateError
            If there is a run and ``resume`` is off, nothing to resume, or a state of another run.
        """
        saved = self.newest()
        if saved is not None and not resume:
            raise TrainStateError(
                f"{self.folder.parent} holds a run, at step {saved.step}. Go on with --resume, or name another folder."
            )
        if saved is None and resume:
            raise TrainStateError(f"Nothing to resume: {self.folder} holds no state. Start without --resume.")
        if saved is not None:
            self.refuse_other_run(saved)
        return saved

    def refuse_other_run(self, state: SavedState) -> None:
        """Raise unless a state was made with this recipe, these statistics, these data and as many processes."""
        for part, ours in self.identity.items():
            theirs = state.document.get(part)
            if theirs != ours:
                raise TrainStateError(
                    f"{state.folder} was made with another {_PARTS.get(part, part)}: {_differences(theirs, ours)}. "
                    "Resume with what it was started with, or begin anew in another folder."
                )

    def save_scores(self, step: int, scores: dict[str, float]) -> None:
        """Keep the last validation's figures beside the states."""
        try:
            write_atomically(self.folder / SCORES, json.dumps({"step": step, "scores": scores}))
        except OSError as error:
            raise TrainStateError(
                f"Cannot write {self.folder / SCORES} ({error.strerror or error}). {self._what_stands()}"
            ) from error

    def scores(self, step: int) -> dict[str, float]:
        """Figures of the last validation up to a step; empty if there is none."""
        try:
            document = json.loads((self.folder / SCORES).read_text())
        except (OSError, ValueError):
            return {}
        return document["scores"] if document["step"] <= step else {}

    def clean(self) -> None:
        """Remove what an interrupted write left (call with the run's lock held)."""
        remove_partial_files(self.folder)

    def _folders(self) -> list[Path]:
        return sorted(p for p in self.folder.glob("step-*") if p.is_dir())

    def _what_stands(self) -> str:
        folders = self._folders()
        return f"The state {folders[-1].name} stands." if folders else "No earlier state exists."


_PARTS = {
    "statistics": "set of statistics",
    "data": "data set",
    "processes": "number of processes",
    "started_from": "checkpoint to begin with",
}


class _DamagedError(Exception):
    pass


def _order(stage: str) -> int:
    """States of pretraining sort before those of the tiles."""
    return {"global": 0, "tiles": 1}[stage]


def _verified(folder: Path) -> JsonObject:
    try:
        document = json.loads((folder / DOCUMENT).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _DamagedError(f"{folder}/{DOCUMENT} cannot be read ({error}).") from error
    if not isinstance(document, dict) or document.get("kind") != KIND:
        raise _DamagedError(f"{folder}/{DOCUMENT} does not describe a training state.")
    if not isinstance(document.get("format"), int) or document["format"] > FORMAT:
        raise TrainStateError(
            f"{folder} has state format {document.get('format')}; this cranpm reads up to {FORMAT}. Update cranpm."
        )
    if document.get("seal") != _seal(document):
        raise _DamagedError(f"{folder}/{DOCUMENT} is damaged: its seal does not fit its content.")
    digest, size = hashlib.sha256(), 0
    try:
        with (folder / PAYLOAD).open("rb") as file:
            while block := file.read(1 << 22):
                digest.update(block)
                size += len(block)
    except OSError as error:
        raise _DamagedError(f"{folder}/{PAYLOAD} cannot be read ({error}).") from error
    if size != document.get("bytes") or digest.hexdigest() != document.get("sha256"):
        raise _DamagedError(f"{folder}/{PAYLOAD} is damaged: its sha256 is not the one in {DOCUMENT}.")
    if isinstance(document.get("recipe"), dict):
        document["recipe"] = with_present_names(document["recipe"])
    return document


def _seal(document: JsonObject) -> str:
    """sha256 over everything else in the document."""
    rest = {key: value for key, value in document.items() if key != "seal"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


def _to_bytes(payload: dict[str, Any]) -> memoryview:
    buffer = io.BytesIO()
    torch.save(payload, buffer)
    return buffer.getbuffer()


def _differences(theirs: object, ours: object, name: str = "") -> str:
    """The fields that differ, in words; the first few."""
    if isinstance(theirs, dict) and isinstance(ours, dict):
        parts = [
            _differences(theirs.get(key), ours.get(key), f"{name}.{key}" if name else key)
            for key in sorted(set(theirs) | set(ours))
            if theirs.get(key) != ours.get(key)
        ]
        return ", ".join(parts[:6]) + (f" and {len(parts) - 6} more" if len(parts) > 6 else "")
    return f"{name or 'it'} was {_short(theirs)}, is {_short(ours)}"


def _short(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."
