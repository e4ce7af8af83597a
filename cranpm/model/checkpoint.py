"""A checkpoint is a folder: model.safetensors, config.json, card.md, SHA256SUMS. Nothing in it is executed.

``config.json`` carries the architecture, channels with units, statistics, where it was trained, and the sha256 of the
weights, so the folder alone is enough to run the network on the right inputs. What a file is, is decided by its
content, never by its suffix. No bit of the folder can change unseen: ``SHA256SUMS`` is what ``sha256sum`` writes and
checks, and is checked here when weights are opened.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors import SafetensorError
from safetensors.torch import load as parse_safetensors
from safetensors.torch import save as dump_safetensors

from cranpm import registry
from cranpm._files import ForeignFilesError, replacing
from cranpm._json import JsonObject

from .config import ModelConfig
from .network import CranPM
from .weights import CheckpointError, check_header, refuse_pickle

if TYPE_CHECKING:
    from cranpm.domain.normalise import Statistics

__all__ = [
    "Checkpoint",
    "CheckpointError",
    "CheckpointInfo",
    "load_checkpoint",
    "read_info",
    "replace_card",
    "save_checkpoint",
]

FORMAT = 1
KIND = "cranpm-checkpoint"
WEIGHTS, CONFIG, CARD, SUMS = "model.safetensors", "config.json", "card.md", "SHA256SUMS"
_OURS = (WEIGHTS, CONFIG, CARD, SUMS)


@dataclass(frozen=True, kw_only=True)
class CheckpointInfo:
    """What can be said of a checkpoint without opening its weights."""

    folder: Path
    config: ModelConfig
    statistics: Statistics | None
    """Of the inputs that it was trained on; None where it was saved without."""
    meta: JsonObject = field(default_factory=dict)
    """Title, data, training period, code version, scores: whatever the saver knew."""
    hash: str = ""
    """sha256 over weights, architecture and statistics: two checkpoints with one hash give one forecast."""

    def require_statistics(self) -> Statistics:
        """Its statistics, for whoever cannot do without.

        Raises
        ------
        CheckpointError
            If it was saved without.
        """
        if self.statistics is None:
            raise CheckpointError(
                f"{self.folder} holds no channel statistics, so that inputs cannot be normalised as they were in its "
                "training. Save it again with them (save_checkpoint), or name another checkpoint."
            )
        return self.statistics

    @property
    def short_hash(self) -> str:
        """First 12 digits of the hash, for labels and file attributes."""
        return self.hash[:12]

    @property
    def title(self) -> str:
        """A name for people."""
        return str(self.meta.get("title", self.folder.name))

    @property
    def card(self) -> str:
        """The card's text, Markdown."""
        path = self.folder / CARD
        return path.read_text(encoding="utf-8") if path.is_file() else ""


@dataclass(frozen=True, kw_only=True)
class Checkpoint(CheckpointInfo):
    """A loaded checkpoint: a network in evaluation mode and all that belongs to it."""

    network: CranPM


def save_checkpoint(
    folder: str | Path,
    network: CranPM,
    statistics: Statistics | None = None,
    card: str = "",
    meta: JsonObject | None = None,
) -> CheckpointInfo:
    """Write a checkpoint; the folder appears complete or not at all.

    Parameters
    ----------
    folder : path
        Replaced if it exists.
    network : CranPM
    statistics : Statistics, optional
        Of the training period, with ``to_dict``.
    card : str
        Markdown: data, scores with intervals, limits, licence.
    meta : dict, optional
        JSON values.
    """
    folder = Path(folder)
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    weights = dump_safetensors(tensors, metadata={"kind": KIND})
    document = _document(network.config, statistics, _sha256(weights), len(weights), meta or {})
    config = (json.dumps(document, indent=1, allow_nan=False) + "\n").encode()
    return _write_folder(folder, {WEIGHTS: weights, CONFIG: config, CARD: card.encode()})


def replace_card(folder: str | Path, card: str) -> CheckpointInfo:
    """Give a checkpoint another card (scores are known later than weights); its hash stays."""
    checked = load_checkpoint(folder).folder
    kept = {name: (checked / name).read_bytes() for name in (WEIGHTS, CONFIG)}
    return _write_folder(checked, kept | {CARD: card.encode()})


def load_checkpoint(
    checkpoint: str | Path | Checkpoint = "demo", device: str | torch.device | None = None
) -> Checkpoint:
    """Open a checkpoint: verify it, build its network and fill in the weights.

    Parameters
    ----------
    checkpoint : str, path or Checkpoint
        A name that `cranpm.list_checkpoints` knows, or a folder; a loaded one is given back.
    device : str or torch.device, optional
        Where the network shall be; by default the CPU, and where it is for a loaded one.

    Returns
    -------
    Checkpoint
        ``network`` in evaluation mode, ``config``, ``statistics`` of the training days, ``title``, ``card``, ``hash``.

    Raises
    ------
    NotFoundError
        If there is none of that name; the message lists those that are there.
    CheckpointError
        If the folder is none, or was changed after saving.

    Examples
    --------
    >>> import cranpm
    >>> demo = cranpm.load_checkpoint("demo")
    >>> demo.network.training, len(demo.hash)
    (False, 64)
    """
    if isinstance(checkpoint, Checkpoint):
        return checkpoint if device is None else replace(checkpoint, network=checkpoint.network.to(device))
    info = read_info(_folder_of(checkpoint))
    document = _read_document(info.folder)
    weights = info.folder / WEIGHTS
    refuse_pickle(weights)
    try:
        with torch.device("meta"):  # shapes without memory
            network = CranPM(info.config)
    except RuntimeError as error:  # sizes beyond what torch can count
        raise CheckpointError(
            f"{info.folder / CONFIG}: no network can be built from this architecture ({str(error).splitlines()[0]}). "
            "Copy or download the checkpoint again."
        ) from error
    check_header(
        weights,
        expected_bytes=document["weights"]["bytes"],
        expected_shapes={name: tuple(t.shape) for name, t in network.state_dict().items()},
    )
    content = weights.read_bytes()
    if _sha256(content) != document["weights"]["sha256"]:
        raise CheckpointError(
            f"{weights} is damaged: its sha256 is not the one in {CONFIG}. Copy or download the "
            "checkpoint again."
        )
    _refuse_changed(info.folder, document["weights"]["sha256"])
    try:
        tensors = parse_safetensors(content)
    except SafetensorError as error:
        raise CheckpointError(
            f"{weights} cannot be read as safetensors ({error}). Copy the checkpoint again."
        ) from error
    network = CranPM(info.config)  # again, with memory: buffers are computed, weights are then copied in
    network.load_state_dict(tensors)
    network.eval().requires_grad_(False)
    return Checkpoint(**info.__dict__, network=network.to(device or "cpu"))


def _folder_of(checkpoint: str | Path) -> Path:
    if isinstance(checkpoint, Path) or (Path(checkpoint) / CONFIG).is_file():
        return Path(checkpoint)
    return registry.find_checkpoint(checkpoint).path


def read_info(folder: str | Path) -> CheckpointInfo:
    """Read ``config.json`` alone; raises ``CheckpointError``."""
    folder = Path(folder)
    document = _read_document(folder)
    try:
        config = ModelConfig.from_dict(document["model"])
        statistics = _statistics_from(document["statistics"])
        identity = _identity(document["weights"]["sha256"], document["model"], document["statistics"])
        if document["hash"] != identity:
            raise CheckpointError(
                f"{folder / CONFIG} was changed after saving: its architecture, statistics and weights "
                "no longer give its hash. Copy or download the checkpoint again."
            )
        return CheckpointInfo(
            folder=folder, config=config, statistics=statistics, meta=document.get("meta", {}), hash=identity
        )
    except (KeyError, TypeError, ValueError) as error:
        if isinstance(error, CheckpointError):
            raise
        raise CheckpointError(
            f"{folder / CONFIG} is not a complete checkpoint description: {error}."
        ) from error


def _document(
    config: ModelConfig, statistics: Statistics | None, sha256: str, size: int, meta: JsonObject
) -> JsonObject:
    model = config.to_dict()
    plain_statistics = None if statistics is None else statistics.to_dict()
    plain_statistics = json.loads(json.dumps(plain_statistics, allow_nan=False))  # as it will be read back
    return {
        "kind": KIND,
        "format": FORMAT,
        "hash": _identity(sha256, model, plain_statistics),
        "weights": {"file": WEIGHTS, "bytes": size, "sha256": sha256},
        "model": model,
        "channels": _channel_table(),
        "statistics": plain_statistics,
        "meta": meta,
    }


def _identity(sha256: str, model: JsonObject, statistics: JsonObject | None) -> str:
    text = json.dumps([sha256, model, statistics], sort_keys=True, separators=(",", ":"))
    return _sha256(text.encode())


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _sums(digests: dict[str, str]) -> str:
    return "".join(f"{digest}  {name}\n" for name, digest in sorted(digests.items()))


def _refuse_changed(folder: Path, weights_sha256: str) -> None:
    """Refuse a folder of which any bit, of its sums too, is not as it was saved."""
    if not (folder / SUMS).exists():
        return  # saved before there were sums; weights, architecture and statistics are covered by the hash
    digests = {WEIGHTS: weights_sha256}
    for name in (CONFIG, CARD):
        path = folder / name
        digests[name] = _sha256(path.read_bytes()) if path.exists() else "missing"
    found = (folder / SUMS).read_bytes()
    if found == _sums(digests).encode():
        return
    changed = [name for name, digest in digests.items() if _sums({name: digest}).encode() not in found]
    raise CheckpointError(
        f"{folder}: {', '.join(changed or [SUMS])} changed after saving, says {SUMS}. Copy or download the checkpoint "
        f"again; if the change is yours, run 'sha256sum {' '.join(sorted(digests))} > {SUMS}' in that folder."
    )


def _channel_table() -> list[dict[str, str]]:
    from cranpm.domain.channels import COARSE_CHANNELS, LOCAL_CHANNELS

    return [{"name": channel.name, "units": channel.units} for channel in (*COARSE_CHANNELS, *LOCAL_CHANNELS)]


def _statistics_from(values: JsonObject | None) -> Statistics | None:
    if values is None:
        return None
    from cranpm.domain.normalise import Statistics

    return Statistics.from_dict(values)


def _read_document(folder: Path) -> JsonObject:
    for name in (CONFIG, WEIGHTS):
        if not (folder / name).is_file():
            raise CheckpointError(
                f"{folder} is not a checkpoint: {name} is missing. Expected a folder with {WEIGHTS}, "
                f"{CONFIG} and {CARD}."
            )
    try:
        document = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    except ValueError as error:
        raise CheckpointError(
            f"{folder / CONFIG} is not JSON ({error}). Copy or download the checkpoint again."
        ) from error
    if not isinstance(document, dict) or document.get("kind") != KIND:
        raise CheckpointError(
            f"{folder / CONFIG} does not describe a cranpm checkpoint (kind is not {KIND!r})."
        )
    if not isinstance(document.get("format"), int) or document["format"] > FORMAT:
        raise CheckpointError(
            f"{folder} has checkpoint format {document.get('format')}; this cranpm reads up to "
            f"{FORMAT}. Update cranpm."
        )
    return document


def _write_folder(folder: Path, files: dict[str, bytes]) -> CheckpointInfo:
    """Files and their sums, beside the folder first and then in its place."""
    sums = _sums({name: _sha256(content) for name, content in files.items()})
    try:
        with replacing(folder, is_ours=_is_checkpoint) as draft:
            draft.mkdir()
            for name, content in (files | {SUMS: sums.encode()}).items():
                (draft / name).write_bytes(content)
            _keep_notes(folder, draft)
    except ForeignFilesError as error:
        raise CheckpointError(
            f"{folder} exists and is not a checkpoint; it is left alone. Choose another folder."
        ) from error
    return read_info(folder)


def _is_checkpoint(folder: Path) -> bool:
    """Whether a folder holds a checkpoint of this program; other programs call a file ``config.json`` too."""
    try:
        return bool(json.loads((folder / CONFIG).read_text(encoding="utf-8"))["kind"] == KIND)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _keep_notes(before: Path, now: Path) -> None:
    """What somebody keeps beside the files of a checkpoint stays where it is when they are replaced."""
    for found in before.iterdir() if before.is_dir() else ():
        if found.name not in _OURS and not (now / found.name).exists():
            if found.is_dir() and not found.is_symlink():
                shutil.copytree(found, now / found.name, symlinks=True)
            else:
                shutil.copy2(found, now / found.name, follow_symlinks=False)
