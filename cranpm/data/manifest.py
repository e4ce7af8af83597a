"""``data_manifest.yaml``: every external source with provider, licence, attribution, request, units, grid, hash."""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from cranpm import paths
from cranpm._installed import PackageDataError, package_file
from cranpm._json import JsonObject
from cranpm.data.errors import DataFileError

Text = Annotated[str, Field(min_length=1)]
Hash = Annotated[str, Field(pattern=r"^(md5:[0-9a-f]{32}|sha256:[0-9a-f]{64})$")]


class ManifestError(ValueError):
    """The manifest is missing, or an entry of it is incomplete or contradicts itself."""


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Provider(_Entry):
    """Who makes the data."""

    name: Text
    url: str | None = None


class Access(_Entry):
    """How to get them; ``auth`` says where a key comes from, never the key."""

    kind: Literal["package", "zenodo", "http", "ecmwf-datastores", "eea-download-service", "openaq"]
    auth: Text
    client: str | None = None
    package: str | None = None
    module: str | None = None
    store: Literal["cds", "ads"] | None = None
    dataset: str | None = None

    @model_validator(mode="after")
    def _complete(self) -> Access:
        needs = {"package": ("package", "module"), "ecmwf-datastores": ("store", "dataset")}.get(
            self.kind, ()
        )
        missing = [name for name in needs if getattr(self, name) is None]
        if missing:
            raise ValueError(f"access of kind {self.kind!r} needs {', '.join(missing)}")
        return self


class License(_Entry):
    """Name (SPDX where there is one) and where its text stands."""

    name: Text
    path: Text


class Resource(_Entry):
    """One file or a template of many; ``hash`` stays null until a real file has been fetched."""

    path: Text
    url: str | None = None
    hash: Hash | None = None
    bytes: Annotated[int, Field(gt=0)] | None = None
    member: str | None = None


class Variable(_Entry):
    """What a variable of the source becomes, and the units it has there."""

    to: Text
    units: Text
    dtype: str | None = None
    scale_factor: float | None = None
    add_offset: float | None = None
    fill: float | None = None
    note: str | None = None


class GridEntry(_Entry):
    """Grid of the source; ``origin`` is (north, west): the outer edge for cells, the first node for nodes.

    ``vertical`` is what heights are counted from.
    """

    crs: Text
    registration: Literal["cell", "node", "vector"]
    step: Annotated[float, Field(gt=0)] | None = None
    shape: tuple[int, int] | None = None
    origin: tuple[float, float] | None = None
    vertical: str | None = None
    note: str | None = None

    @model_validator(mode="after")
    def _has_step(self) -> GridEntry:
        if self.registration != "vector" and self.step is None:
            raise ValueError("a raster needs its step")
        return self


class Period(_Entry):
    """First and last day (null: still growing), ISO step, and whose day it is."""

    start: datetime.date
    end: datetime.date | None
    step: Annotated[str, Field(pattern=r"^P(\d+D|T\d+H)$")]
    day: Text


class Status(_Entry):
    """``endpoint_checked`` is the day on which a person fetched a file; ``unverified`` waits for that file."""

    endpoint_checked: datetime.date | None = None
    unverified: tuple[str, ...] = ()


class Source(_Entry):
    """One external source; ``size`` is that of all of it, where it does not grow with time."""

    id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
    title: Text
    role: Annotated[
        tuple[
            Literal[
                "target",
                "fine-input",
                "coarse-input",
                "elevation",
                "observations",
                "baseline",
                "testbed-geography",
                "map-lines",
                "live",
            ],
            ...,
        ],
        Field(min_length=1),
    ]
    provider: Provider
    access: Access
    license: License
    attribution: Text
    citation: Text
    variables: Annotated[dict[str, Variable], Field(min_length=1)]
    grid: GridEntry
    time: Period | Literal["static"]
    doi: dict[str, str] | None = None
    requests: tuple[JsonObject, ...] = ()
    resources: tuple[Resource, ...] = ()
    split: Literal["day", "month", "year"] | None = None
    size_per_year: str | None = None
    size: str | None = None
    status: Status = Status()

    @model_validator(mode="after")
    def _heights(self) -> Source:
        if "elevation" in self.role and self.grid.vertical is None:
            raise ValueError("elevation needs grid.vertical: which geoid are heights above?")
        return self

    @model_validator(mode="after")
    def _obtainable(self) -> Source:
        if not self.resources and not self.requests:
            raise ValueError("needs resources or requests: how else would one get it?")
        return self


class Prepared(_Entry):
    """A dataset that this project makes, and from what."""

    id: Text
    title: Text
    path: Text
    simulated: bool
    command: Text
    derived_from: tuple[str, ...]
    attribution: Text
    encoding: JsonObject = {}


class Manifest(_Entry):
    """All sources and all prepared datasets."""

    manifest_version: Literal[1]
    sources: tuple[Source, ...]
    prepared: tuple[Prepared, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> Manifest:
        counts = Counter([source.id for source in self.sources] + [dataset.id for dataset in self.prepared])
        doubled = [name for name, count in counts.items() if count > 1]
        if doubled:
            raise ValueError(f"ids stand there twice: {', '.join(doubled)}")
        unknown = {name for entry in self.prepared for name in entry.derived_from} - set(counts)
        if unknown:
            raise ValueError(f"derived_from names unknown sources: {', '.join(sorted(unknown))}")
        return self

    def source(self, source_id: str) -> Source:
        """A source by its id.

        Raises
        ------
        ManifestError
            Naming the known ids.
        """
        for source in self.sources:
            if source.id == source_id:
                return source
        raise ManifestError(
            f"Unknown source {source_id!r}; known: {', '.join(source.id for source in self.sources)}."
        )

    def attributions(self, source_ids: tuple[str, ...], year: int) -> list[str]:
        """Sentences that a product made from these sources must show; ``year`` is that of the data."""
        return list(
            dict.fromkeys(self.source(name).attribution.replace("{year}", str(year)) for name in source_ids)
        )


def manifest_path() -> Path:
    """The manifest of the folder one works in, of this checkout, or the one that is installed with the package."""
    folders = (Path.cwd(), Path(__file__).parents[2], paths.assets_dir())
    candidates = [folder / "data_manifest.yaml" for folder in folders]
    return next((path for path in candidates if path.is_file()), candidates[-1])


def load_manifest(path: str | Path | None = None) -> Manifest:
    """Read and check the manifest.

    Parameters
    ----------
    path : path, optional
        By default the one of the checkout, or the installed one.

    Returns
    -------
    Manifest
        Every external source with licence, attribution and request.

    Raises
    ------
    ManifestError
        Naming each entry that is wrong and why.
    """
    path = manifest_path() if path is None else Path(path)
    if not path.is_file():
        raise ManifestError(
            f"Expected the manifest at {path}, found nothing. It is installed with the package: install it again."
        )
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
        return Manifest.model_validate(raw)
    except yaml.YAMLError as error:
        raise ManifestError(f"{path.name} is no valid YAML: {error}.") from error
    except ValidationError as error:
        raise ManifestError(
            f"{path.name}: " + "; ".join(_sentence(raw, entry) for entry in error.errors())
        ) from error


def _sentence(raw: Any, error: Mapping[str, Any]) -> str:
    """``sources.ghap-pm25-d1k.license: Field required`` instead of a list index."""
    where = [str(part) for part in error["loc"]]
    if len(where) > 1 and where[1].isdigit():
        entry = raw[where[0]][int(where[1])]
        where[1] = str(entry.get("id", where[1])) if isinstance(entry, dict) else where[1]
    return f"{'.'.join(where) or 'manifest'}: {error['msg']}"


def package_files(source: Source) -> dict[Resource, Path]:
    """Where the files of a ``package`` source lie on this machine; the package is found, not imported.

    Raises
    ------
    DataFileError
        If the source is none, or the package is not installed or lacks a file.
    """
    access = source.access
    if access.kind != "package":
        raise DataFileError(f"{source.id}: comes by {access.kind}, not with an installed package.")
    try:
        return {
            resource: package_file(str(access.module), resource.path, distribution=str(access.package))
            for resource in source.resources
        }
    except PackageDataError as error:
        raise DataFileError(f"{source.id}: {error}") from error
