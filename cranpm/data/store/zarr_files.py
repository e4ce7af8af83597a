"""Zarr v3 arrays as files that appear whole or not at all.

A day is written in this order: its chunk files, the time axis, the arrays' metadata, the group's metadata. Each file
replaces its predecessor in one step, and none of them is looked at before the next is there, so a process killed at any
moment leaves a store that shows the old days.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import zarr
from zarr.codecs import BloscCodec, Crc32cCodec
from zarr.storage import LocalStore, MemoryStore

from cranpm._files import write_atomically
from cranpm._json import JsonObject
from cranpm.data.store.schema import CONVENTIONS, CRS_ATTRS, TIME_CHUNK, ArraySpec, coordinate_attrs

if TYPE_CHECKING:
    from zarr.core.buffer import Buffer

# a checksum after the compressor: a flipped bit anywhere in a chunk is an error, not another value
_COMPRESSORS = (BloscCodec(cname="zstd", clevel=3, shuffle="shuffle"), Crc32cCodec())


def create_group(
    path: Path,
    specs: Sequence[ArraySpec],
    coordinates: dict[str, np.ndarray],
    attrs: JsonObject,
    *,
    with_time: bool,
) -> None:
    """An empty store of arrays: zero days if ``with_time``, else with room for one value each."""
    group = zarr.create_group(LocalStore(path), attributes={"Conventions": CONVENTIONS, **attrs})
    crs = group.create_array(
        "crs", shape=(), dtype="int32", fill_value=0, attributes=CRS_ATTRS, dimension_names=()
    )
    crs[...] = 0
    for name, values in coordinates.items():
        array = group.create_array(
            name, data=values, chunks=values.shape, dimension_names=(name,), attributes=coordinate_attrs(name)
        )
        assert array.shape == values.shape
    if with_time:
        for name, extra in (("time", ()), ("time_bnds", (2,))):
            group.create_array(
                name,
                shape=(0, *extra),
                chunks=(TIME_CHUNK, *extra),
                dtype="int64",
                fill_value=0,
                dimension_names=("time", *(("bounds",) * len(extra))),
                attributes=coordinate_attrs(name),
            )
    for spec in specs:
        _create_array(group, spec, days=0)
    consolidate(path)


def _create_array(group: zarr.Group, spec: ArraySpec, days: int) -> zarr.Array:
    leading = (1,) if spec.per_day else ()
    return group.create_array(
        spec.name,
        shape=((days,) if spec.per_day else ()) + spec.shape,
        chunks=leading + spec.chunks,
        shards=None if spec.shards is None else leading + spec.shards,
        dtype=spec.dtype,
        fill_value=spec.fill,
        compressors=_COMPRESSORS,
        dimension_names=(("time",) if spec.per_day else ()) + spec.dims,
        attributes=spec.attrs,
        # empty chunks are written too, so that a chunk that is not there is a loss and not "no data"
        config={"write_empty_chunks": True},
    )


def consolidate(path: Path) -> None:
    """Put all metadata into the group's, the one file that readers open first."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # consolidated metadata is not yet in the Zarr v3 text
        zarr.consolidate_metadata(LocalStore(path))


def encode(spec: ArraySpec, values: np.ndarray) -> bytes:
    """The bytes of the one file that holds an array, or one day of it. Runs in any thread."""
    files: dict[str, Buffer] = {}
    array = _create_array(zarr.create_group(MemoryStore(files)), spec, days=1)
    array[...] = values[None] if spec.per_day else values
    (key,) = (name for name in files if "/c/" in name)
    return files[key].to_bytes()


def chunk_file(spec: ArraySpec, slot: int | None = None) -> str:
    """Path of an array's only file inside its store, or of its day number ``slot``."""
    indices = ["0"] * len(spec.shape)
    return "/".join([spec.name, "c", *([str(slot)] if spec.per_day else []), *indices])


def commit_days(path: Path, specs: Sequence[ArraySpec], days: Sequence[np.datetime64]) -> None:
    """Make the store's time axis these days; their chunk files must be there already."""
    numbers = np.array(days, dtype="datetime64[D]").astype(np.int64)
    first = max(len(numbers) - 1, 0) // TIME_CHUNK  # earlier chunks are full and stay
    for chunk in range(first, -(-len(numbers) // TIME_CHUNK)):
        part = numbers[chunk * TIME_CHUNK : (chunk + 1) * TIME_CHUNK]
        bounds = np.stack([part, part + 1], axis=1)
        write_atomically(path / "time" / "c" / str(chunk), _time_chunk(part))
        write_atomically(path / "time_bnds" / "c" / str(chunk) / "0", _time_chunk(bounds))
    document = json.loads((path / "zarr.json").read_text())
    inline = document["consolidated_metadata"]["metadata"]
    for name in (*(spec.name for spec in specs), "time", "time_bnds"):
        inline[name]["shape"][0] = len(numbers)
        write_atomically(path / name / "zarr.json", json.dumps(inline[name], indent=2).encode())
    write_atomically(path / "zarr.json", json.dumps(document, indent=2).encode())


def _time_chunk(values: np.ndarray) -> bytes:
    files: dict[str, Buffer] = {}
    shape = (TIME_CHUNK, *values.shape[1:])
    array = zarr.create_array(MemoryStore(files), shape=shape, chunks=shape, dtype="int64", fill_value=0)
    full = np.zeros(shape, np.int64)
    full[: len(values)] = values
    array[...] = full
    (key,) = (name for name in files if name.startswith("c/"))
    return files[key].to_bytes()
