"""The real geography on which the simulated air moves: land, terrain, towns, and what they mean on the coarse grid.

Everything is computed once for Europe, kept in a packed form (whole metres; smooth fields on blocks of 4 x 4 cells),
and unpacked from there, so that a freshly computed, a cached and an exported geography are the same numbers, and a
region inside Europe is the same as its window of Europe.

Reading needs NumPy only: a bare machine makes its own testbed from one exported file.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from cranpm._files import replacing
from cranpm.domain import EUROPE, Domain
from cranpm.testbed.geography import pack as pack
from cranpm.testbed.geography.pack import Packed
from cranpm.testbed.geography.towns import Towns

GEOGRAPHY_VERSION = 1
"""Raised when the computation changes; part of the cache's file name and of every dataset made on it."""


class GeographyFileError(RuntimeError):
    """A geography file that cannot be used."""


@dataclass(frozen=True, kw_only=True)
class Geography:
    """Land, terrain and people of a domain.

    Attributes
    ----------
    land : bool, shape (H, W)
        More than half of the fine cell is land; lakes are land.
    elevation : float32, shape (H, W)
        Mean elevation of the fine cell [m]; 0 at sea.
    valley_depth : float32, shape (H, W)
        Height of the surrounding ridges (within 40 km, mean over directions) above the cell [m], >= 0.
    terrain_complexity : float32, shape (H, W)
        Standard deviation of elevation within 25 km [m].
    population : float32, shape (H, W)
        People per fine cell.
    coarse_elevation, coarse_valley_depth, coarse_terrain_complexity : float32, shape (Hb, Wb)
        Means of the fine field over the 0.25-degree cell centred on each node of the coarse box [m].
    coarse_land : float32, shape (Hb, Wb)
        Land share of that cell, 0..1.
    coarse_population : float32, shape (Hb, Wb)
        People in that cell.
    coarse_floor : float32, shape (Hb, Wb)
        Valley floor: tenth percentile of elevation in that cell [m].
    coarse_barrier_east : float32, shape (Hb, Wb)
        Height of the lowest crossing above the lower of the two valley floors [m]; entry (i, j) lies between nodes
        (i, j) and (i, j + 1).
    coarse_barrier_north : float32, shape (Hb, Wb)
        The same between nodes (i, j) and (i - 1, j), its northern neighbour.
    coarse_country : int16, shape (Hb, Wb)
        Country of the nearest town, an index of ``countries``; sea nodes too.
    countries : str, shape (N,)
        ISO 3166 alpha-2 codes.
    towns : Towns
        Places with at least 5,000 people in and 0.5 degrees around the domain, largest first.
    hash : str
        sha256 of the packed form.
    """

    domain: Domain
    land: np.ndarray
    elevation: np.ndarray
    valley_depth: np.ndarray
    terrain_complexity: np.ndarray
    population: np.ndarray
    coarse_elevation: np.ndarray
    coarse_land: np.ndarray
    coarse_population: np.ndarray
    coarse_valley_depth: np.ndarray
    coarse_terrain_complexity: np.ndarray
    coarse_floor: np.ndarray
    coarse_barrier_east: np.ndarray
    coarse_barrier_north: np.ndarray
    coarse_country: np.ndarray
    countries: np.ndarray
    towns: Towns
    hash: str

    @classmethod
    def from_packed(cls, packed: Packed) -> Geography:
        """Unpack arrays made by `cranpm.testbed.geography.pack`."""
        meta = json.loads(str(packed["meta"]))
        domain = Domain.from_dict(meta["domain"])
        towns = Towns(**{field.name: packed[f"town_{field.name}"] for field in fields(Towns)})
        coarse = {name: packed[name] for name in pack.COARSE_NAMES}
        return cls(
            domain=domain,
            **pack.unpack_fine(packed, domain.fine),
            **coarse,
            countries=packed["countries"],
            towns=towns,
            hash=meta["hash"],
        )

    @classmethod
    def from_file(cls, path: str | Path) -> Geography:
        """Read a cached or exported geography.

        Raises
        ------
        GeographyFileError
            If the file is missing, damaged, or of another version.
        """
        return cls.from_packed(_read(Path(path)))


def load_geography(domain: Domain, cache_dir: str | Path | None = None) -> Geography:
    """The geography of a domain; computed on first use (about 20 s for Europe), read from a cache afterwards.

    Parameters
    ----------
    domain : Domain
        A domain inside Europe is cut from Europe's geography.
    cache_dir : path, optional
        Where to keep it; by default ``cranpm.paths.cache_dir()``.
    """
    return Geography.from_packed(_load_packed(domain, _cache_folder(cache_dir)))


def export_geography(path: str | Path, domain: Domain, cache_dir: str | Path | None = None) -> Path:
    """Write one compressed file (about 30 MB for Europe) that `Geography.from_file` reads with NumPy alone."""
    packed = _load_packed(domain, _cache_folder(cache_dir))
    target = Path(path)
    _write(target, pack.to_differences(packed), compress=True)
    return target


def _load_packed(domain: Domain, folder: Path) -> Packed:
    file = folder / _cache_name(domain)
    if file.exists():
        try:
            return _read(file)
        except GeographyFileError:
            file.unlink(missing_ok=True)  # made by an interrupted or older program: make it again
    if domain.fine != EUROPE.fine and pack.can_cut(EUROPE, domain):
        packed = pack.cut(_load_packed(EUROPE, folder), EUROPE, domain)
    else:
        from cranpm.testbed.geography.compute import compute  # SciPy; a file of geography needs NumPy only

        packed = compute(domain)
    packed["meta"] = np.array(_describe(packed, domain))
    _write(file, packed, compress=False)
    return packed


def _describe(packed: Packed, domain: Domain) -> str:
    meta = {"version": GEOGRAPHY_VERSION, "domain": asdict(domain), "hash": _hash(packed)}
    return json.dumps(meta, sort_keys=True)


def _hash(packed: Packed) -> str:
    digest = hashlib.sha256()
    for name in sorted(packed):
        if name != "meta":
            array = np.ascontiguousarray(packed[name])
            digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
            digest.update(array.tobytes())
    return digest.hexdigest()


def _cache_folder(cache_dir: str | Path | None) -> Path:
    if cache_dir is not None:
        return Path(cache_dir)
    from cranpm.paths import cache_dir as default

    return default()


def _cache_name(domain: Domain) -> str:
    grids = json.dumps(asdict(domain), sort_keys=True)
    key = hashlib.sha256(grids.encode()).hexdigest()[:8]
    return f"geography-{domain.name}-v{GEOGRAPHY_VERSION}-{key}.npz"


def _write(path: Path, packed: Packed, *, compress: bool) -> None:
    arrays: dict[str, Any] = dict(packed)
    with replacing(path) as draft, draft.open("wb") as file:
        (np.savez_compressed if compress else np.savez)(file, **arrays)


def _read(path: Path) -> Packed:
    try:
        with np.load(path, allow_pickle=False) as file:
            packed = {name: file[name] for name in file.files}
        version = json.loads(str(packed["meta"]))["version"]
    except FileNotFoundError:
        msg = f"No geography file at {path}. Make one with export_geography(path, domain)."
        raise GeographyFileError(msg) from None
    except Exception as error:  # a truncated zip fails in many ways, all of them meaning the same
        raise GeographyFileError(
            f"{path} is not a readable geography file ({error}). Export it again."
        ) from error
    if version != GEOGRAPHY_VERSION:
        msg = f"{path} holds geography version {version}; this program needs {GEOGRAPHY_VERSION}. Export it again."
        raise GeographyFileError(msg)
    return pack.from_differences(packed)
