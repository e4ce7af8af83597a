"""New stores of a dataset."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from cranpm._files import replacing
from cranpm._json import JsonObject
from cranpm.data.errors import StoreError
from cranpm.data.store.schema import FORMAT, coarse_specs, pm2p5_spec, static_specs
from cranpm.data.store.zarr_files import chunk_file, create_group, encode
from cranpm.domain import CAMS_CHANNELS, ERA5_CHANNELS, LEAD_DAYS, Domain


@dataclass(frozen=True, kw_only=True)
class DatasetDescription:
    """What a dataset says of itself, in ``dataset.json`` and wherever its values are shown."""

    name: str
    title: str
    source: str
    """Where the values come from; "testbed (simulated)" for simulated ones."""
    simulated: bool
    version: str
    """Edition of the source."""
    hash: str
    """A digest that changes whenever the values would."""
    attribution: str
    """Whom users of the values have to name."""
    more: JsonObject = field(default_factory=dict)
    """Further facts for ``dataset.json``."""

    def document(self, domain: Domain) -> JsonObject:
        """Content of ``dataset.json``."""
        return {
            "format": FORMAT,
            "name": self.name,
            "title": self.title,
            "domain": domain.to_dict(),
            "source": self.source,
            "simulated": self.simulated,
            "version": self.version,
            "hash": self.hash,
            "attribution": self.attribution,
            **self.more,
        }


def create_dataset(root: Path, domain: Domain, described: DatasetDescription) -> None:
    """A dataset folder without any day, which appears whole or not at all.

    Raises
    ------
    StoreError
        If there is something at ``root`` already.
    """
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        msg = f"{root} is not empty; nothing was overwritten. Choose another folder or remove it yourself."
        raise StoreError(msg)
    try:
        with replacing(root) as draft:  # refuses a folder that another process has filled meanwhile
            draft.mkdir()
            attrs = {"title": described.title, "source": described.source, "version": described.version}
            create_stores(draft, domain, attrs)
            (draft / "days.json").write_bytes(b'{"days": []}')
            (draft / "dataset.json").write_bytes(json.dumps(described.document(domain), indent=2).encode())
    except OSError as error:
        raise StoreError(f"Cannot create a dataset at {root}: {error}.") from error


def create_stores(root: Path, domain: Domain, attrs: dict[str, str]) -> None:
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


def _create_static(
    path: Path, domain: Domain, values: Mapping[str, ArrayLike], attrs: dict[str, str]
) -> None:
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
        chunk = path / chunk_file(spec)
        chunk.parent.mkdir(parents=True, exist_ok=True)
        chunk.write_bytes(encode(spec, array.astype(spec.dtype)))


def replace_static(
    target: Path, domain: Domain, values: Mapping[str, ArrayLike], attrs: dict[str, str]
) -> None:
    """Write the fields that do not change with time, in place of those that are there."""
    with replacing(target, is_ours=lambda store: (store / "zarr.json").is_file()) as draft:
        _create_static(draft, domain, values, attrs)
