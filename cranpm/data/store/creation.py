"""New stores of a dataset."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from cranpm._files import partial_path, remove, replacing, write_atomically
from cranpm.data.errors import StoreError
from cranpm.data.store.schema import coarse_specs, pm2p5_spec, static_specs
from cranpm.data.store.zarr_files import chunk_file, create_group, encode
from cranpm.domain import CAMS_CHANNELS, ERA5_CHANNELS, LEAD_DAYS, Domain


def create_dataset(root: Path, domain: Domain, described: dict[str, Any]) -> None:
    """A dataset folder without any day, which appears whole or not at all.

    Raises
    ------
    StoreError
        If there is something at ``root`` already.
    """
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        msg = f"{root} is not empty; nothing was overwritten. Choose another folder or remove it yourself."
        raise StoreError(msg)
    root.parent.mkdir(parents=True, exist_ok=True)
    draft = partial_path(root)
    remove(draft)
    try:
        draft.mkdir()
        create_stores(draft, domain, {key: described[key] for key in ("title", "source", "version")})
        write_atomically(draft / "days.json", b'{"days": []}')
        write_atomically(draft / "dataset.json", json.dumps(described, indent=2).encode())
        os.replace(
            draft, root
        )  # not `replacing`: it must fail if another process has filled the folder meanwhile
    except OSError as error:
        raise StoreError(f"Cannot create a dataset at {root}: {error}.") from error
    finally:
        remove(draft)


def create_stores(root: Path, domain: Domain, attrs: dict[str, Any]) -> None:
    """The stores of daily fields, without any day."""
    fine, box = domain.fine, domain.coarse_box
    places = {"latitude": fine.lat, "longitude": fine.lon}
    create_group(root / "pm2p5.zarr", [pm2p5_spec(domain)], places, attrs, with_time=True)
    labels = {
        "channel": np.array([c.name for c in ERA5_CHANNELS], dtype=np.dtypes.StringDType()),
        "species": np.array([c.name for c in CAMS_CHANNELS], dtype=np.dtypes.StringDType()),
        "lead": np.array(LEAD_DAYS, dtype=np.int64),
        "latitude": box.lat,
        "longitude": box.lon,
    }
    create_group(root / "coarse.zarr", coarse_specs(domain), labels, attrs, with_time=True)


def create_static(path: Path, domain: Domain, values: Mapping[str, Any], attrs: dict[str, Any]) -> None:
    """The store of fields that do not change with time, complete."""
    fine, box = domain.fine, domain.coarse_box
    places = {
        "latitude": fine.lat,
        "longitude": fine.lon,
        "coarse_latitude": box.lat,
        "coarse_longitude": box.lon,
    }
    specs = static_specs(domain)
    create_group(path, specs, places, attrs, with_time=False)
    for spec in specs:
        array = np.asarray(values[spec.name])
        if array.shape != spec.shape or not np.isfinite(array).all():
            msg = f"{spec.name}: expected finite values of shape {spec.shape}, got shape {array.shape}."
            raise StoreError(msg)
        write_atomically(path / chunk_file(spec), encode(spec, array.astype(spec.dtype)))


def replace_static(target: Path, domain: Domain, values: Mapping[str, Any], attrs: dict[str, Any]) -> None:
    """Write the fields that do not change with time, in place of those that are there."""
    with replacing(target) as draft:
        create_static(draft, domain, values, attrs)
