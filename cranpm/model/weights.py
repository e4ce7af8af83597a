"""Look at a weights file before trusting it: what it is, how long it should be, which shapes it holds."""

from __future__ import annotations

from pathlib import Path

from safetensors import SafetensorError, safe_open


class CheckpointError(ValueError):
    """A checkpoint that cannot be used: what was expected, what was found, what to do."""


def refuse_pickle(path: Path) -> None:
    """Refuse pickled weights by their content: loading them could run code, so they are never opened."""
    with path.open("rb") as file:
        start = file.read(9)
    # A zip (torch.save since 1.6), or a pickle of protocol 2 or later: opcode 0x80, then the protocol's number. A
    # safetensors file could start with these two bytes as well (they are a length), but then its JSON begins at byte 8.
    is_zip = start[:4] == b"PK\x03\x04"
    if is_zip or (start[:1] == b"\x80" and start[1:2] <= b"\x05" and start[8:9] != b"{"):
        raise CheckpointError(
            f"{path} is a pickled file, which could run code when opened. Only safetensors are read: "
            "load it where you trust it and save it with cranpm.model.checkpoint.save_checkpoint."
        )


def check_header(path: Path, expected_bytes: int, expected_shapes: dict[str, tuple[int, ...]]) -> None:
    """Compare a safetensors file's length, names, shapes and types with what the network needs, reading no weights."""
    size = path.stat().st_size
    if size != expected_bytes:
        what = "cut short" if size < expected_bytes else "longer than when it was saved"
        raise CheckpointError(
            f"{path} is {what}: {size} bytes, expected {expected_bytes}. Copy or download the "
            "checkpoint again."
        )
    try:
        with safe_open(path, framework="numpy") as file:
            found = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118  not a mapping
            shapes = {name: (tuple(entry.get_shape()), entry.get_dtype()) for name, entry in found.items()}
    except SafetensorError as error:
        raise CheckpointError(
            f"{path} is not a safetensors file, or its header is damaged ({error}). Copy or download the checkpoint "
            "again."
        ) from None
    missing, extra = sorted(expected_shapes.keys() - shapes), sorted(shapes.keys() - expected_shapes)
    if missing or extra:
        raise CheckpointError(
            f"{path} does not fit the architecture in config.json: {_list('missing', missing)}"
            f"{_list('unexpected', extra)} Weights and config.json come from different networks."
        )
    for name, expected in expected_shapes.items():
        shape, dtype = shapes[name]
        if shape != expected:
            raise CheckpointError(
                f"{path}: {name} has shape {shape}, but the architecture in config.json needs {expected}. "
                "Weights and config.json come from different networks."
            )
        if dtype != "F32":
            raise CheckpointError(f"{path}: {name} has type {dtype}; expected F32.")


def _list(what: str, names: list[str]) -> str:
    if not names:
        return ""
    shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    return f"{what} {shown}."
