"""A trained rival on disk: ``rival.safetensors``, ``rival.json``, ``card.md``. Nothing in it is executed.

The names differ from those of CRAN-PM's own checkpoints, so that neither is taken for the other.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load as parse_safetensors
from safetensors.torch import save as dump_safetensors

from cranpm._files import ForeignFilesError, replacing
from cranpm._json import JsonObject
from cranpm.baselines.learned.blocks import Rival
from cranpm.baselines.learned.kinds import RivalConfig
from cranpm.domain import Statistics
from cranpm.model.weights import CheckpointError, check_header, refuse_pickle

KIND, FORMAT = "cranpm-rival", 1
WEIGHTS, DOCUMENT, CARD = "rival.safetensors", "rival.json", "card.md"


@dataclass(frozen=True, kw_only=True)
class RivalCheckpoint:
    """A trained rival and all that belongs to it."""

    folder: Path
    config: RivalConfig
    network: Rival
    """In evaluation mode."""
    statistics: Statistics
    leads: tuple[int, ...]
    """Lead time of each of the network's outputs [days]."""
    meta: JsonObject = field(default_factory=dict)
    """``training`` with ``period`` and ``steps``, ``scores``, ``source``, ``simulated``, ...: as the trainer knew."""
    hash: str = ""
    """sha256 over weights, architecture and statistics."""

    @property
    def finished(self) -> bool:
        """Whether its training came to its end."""
        return bool(self.meta.get("training", {}).get("finished", False))

    @property
    def period(self) -> str:
        """First and last day that it was trained on."""
        return str(self.meta.get("training", {}).get("period", ""))


def save_rival(
    folder: Path | str,
    config: RivalConfig,
    network: Rival,
    statistics: Statistics,
    leads: tuple[int, ...],
    *,
    meta: JsonObject | None = None,
    card: str = "",
) -> RivalCheckpoint:
    """Write a checkpoint; the folder appears complete or not at all.

    Raises
    ------
    CheckpointError
        If the folder holds something else.
    """
    folder = Path(folder)
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    weights = dump_safetensors(tensors, metadata={"kind": KIND})
    sha256 = hashlib.sha256(weights).hexdigest()
    plain = json.loads(json.dumps([config.to_dict(), statistics.to_dict(), list(leads)]))
    document = {
        "kind": KIND,
        "format": FORMAT,
        "hash": _identity(sha256, *plain),
        "weights": {"file": WEIGHTS, "bytes": len(weights), "sha256": sha256},
        "rival": plain[0],
        "statistics": plain[1],
        "leads": plain[2],
        "meta": meta or {},
    }
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        with replacing(folder, is_ours=lambda found: (found / DOCUMENT).is_file()) as draft:
            draft.mkdir()
            (draft / WEIGHTS).write_bytes(weights)
            (draft / DOCUMENT).write_text(
                json.dumps(document, indent=1, allow_nan=False) + "\n", encoding="utf-8"
            )
            (draft / CARD).write_text(card, encoding="utf-8")
    except ForeignFilesError as error:
        raise CheckpointError(
            f"{folder} exists and is no rival's checkpoint; it is left alone. Choose another folder."
        ) from error
    return load_rival(folder)


def load_rival(folder: Path | str, device: torch.device | str = "cpu") -> RivalCheckpoint:
    """Open a checkpoint: verify it, build its network and fill in the weights.

    Raises
    ------
    CheckpointError
        If the folder is none, or was changed after saving.
    """
    folder = Path(folder)
    document = _read_document(folder)
    try:
        config, statistics = (
            RivalConfig.from_dict(document["rival"]),
            Statistics.from_dict(document["statistics"]),
        )
        sha256, size = document["weights"]["sha256"], int(document["weights"]["bytes"])
        leads = tuple(int(lead) for lead in document["leads"])
        identity = _identity(sha256, document["rival"], document["statistics"], document["leads"])
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(
            f"{folder / DOCUMENT} does not describe a rival completely: {error}."
        ) from error
    if document.get("hash") != identity:
        raise CheckpointError(f"{folder / DOCUMENT} was changed after saving. Copy it again, or train anew.")
    path = folder / WEIGHTS
    refuse_pickle(path)
    with torch.device("meta"):  # shapes without memory
        shapes = {name: tuple(t.shape) for name, t in config.build().state_dict().items()}
    check_header(path, expected_bytes=size, expected_shapes=shapes)
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != sha256:
        raise CheckpointError(f"{path} is damaged: its sha256 is not the one in {DOCUMENT}. Copy it again.")
    network = config.build()
    try:
        network.load_state_dict(parse_safetensors(content))
    except SafetensorError as error:
        raise CheckpointError(f"{path} cannot be read as safetensors ({error}). Copy it again.") from error
    network.eval().requires_grad_(False)
    return RivalCheckpoint(
        folder=folder,
        config=config,
        network=network.to(device),
        statistics=statistics,
        leads=leads,
        meta=document.get("meta", {}),
        hash=identity,
    )


def _identity(sha256: str, rival: JsonObject, statistics: JsonObject, leads: list[int]) -> str:
    text = json.dumps([sha256, rival, statistics, leads], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _read_document(folder: Path) -> JsonObject:
    for name in (DOCUMENT, WEIGHTS):
        if not (folder / name).is_file():
            raise CheckpointError(
                f"{folder} is no rival's checkpoint: {name} is missing. Train one with 'cranpm train --recipe "
                "rival-convlstm'; it lies in the run's folder, under checkpoint."
            )
    try:
        document = json.loads((folder / DOCUMENT).read_text(encoding="utf-8"))
    except ValueError as error:
        raise CheckpointError(f"{folder / DOCUMENT} is not JSON ({error}). Copy it again.") from error
    if not isinstance(document, dict) or document.get("kind") != KIND:
        raise CheckpointError(f"{folder / DOCUMENT} does not describe a rival (kind is not {KIND!r}).")
    if not isinstance(document.get("format"), int) or document["format"] > FORMAT:
        raise CheckpointError(
            f"{folder} has format {document.get('format')}; this cranpm reads up to {FORMAT}. Update cranpm."
        )
    return document
