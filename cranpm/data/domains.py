"""Domains that a user describes in a small file, beside the named ones.

::

    name: india
    title: India and its neighbours
    north: 36.0        # outer edge of the first fine row, and latitude of the first coarse node
    west: 62.0
    coarse_rows: 112   # steps of 0.25 degrees, at least 21; multiples of 56 need no padding in the network
    coarse_cols: 168
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from cranpm import paths
from cranpm.domain import DOMAINS, EUROPE, Domain, domain_from_corner
from cranpm.domain.grid import CELLS_PER_NODE
from cranpm.domain.tiling import TILE_SIZE

_QUARTERS = 4
"""Coarse nodes of a degree: corners must lie on them, as ERA5's do."""

LEAST_STEPS = -(-TILE_SIZE // CELLS_PER_NODE)
"""Steps of 0.25 degrees that hold one tile of the network."""


class DomainError(ValueError):
    """A domain that cannot be prepared; the message says what to change."""


class DomainFile(BaseModel):
    """What a domain file holds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
    title: Annotated[str, Field(min_length=1)]
    north: Annotated[float, Field(ge=-89, le=90)]
    west: Annotated[float, Field(ge=-180, lt=180)]
    coarse_rows: Annotated[int, Field(ge=1)]
    coarse_cols: Annotated[int, Field(ge=1)]
    note: str = ""

    @model_validator(mode="after")
    def _fits(self) -> DomainFile:
        for key in ("north", "west"):
            if round(getattr(self, key) * _QUARTERS, 9) % 1:
                raise ValueError(f"{key} must be a multiple of 0.25 degrees, where ERA5's nodes lie")
        for key in ("coarse_rows", "coarse_cols"):
            if getattr(self, key) < LEAST_STEPS:
                raise ValueError(
                    f"{key} is {getattr(self, key)}, too few to be forecast: one tile of the network has {TILE_SIZE} "
                    f"cells, {LEAST_STEPS} steps of 0.25 degrees; make the domain larger"
                )
        if self.north - self.coarse_rows / _QUARTERS < -90:
            raise ValueError("the domain reaches beyond the South Pole")
        if self.west + self.coarse_cols / _QUARTERS > 180:
            raise ValueError("the domain crosses 180 degrees east; end it there")
        return self

    def domain(self) -> Domain:
        """The grids."""
        return domain_from_corner(
            self.name,
            self.title,
            north=self.north,
            west=self.west,
            coarse_rows=self.coarse_rows,
            coarse_cols=self.coarse_cols,
        )


def example_domains() -> dict[str, Path]:
    """Domain files that ship with the package: those of the paper's tests beyond Europe."""
    return {path.stem: path for path in sorted((paths.assets_dir() / "domains").glob("*.yaml"))}


def read_domain(path: str | Path) -> Domain:
    """The grids that a domain file describes (YAML, or JSON, which is YAML too).

    Parameters
    ----------
    path : path
        With ``name``, ``title``, ``north`` and ``west`` [degrees, multiples of 0.25], ``coarse_rows`` and
        ``coarse_cols`` [steps of 0.25 degrees].

    Returns
    -------
    Domain
        Its coarse and fine grids.

    Raises
    ------
    DomainError
        Naming the entry that is wrong.
    """
    path = Path(path)
    try:
        raw: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
        described = DomainFile.model_validate(raw)
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise DomainError(f"{path.name} cannot be read as a domain file: {error}.") from error
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(map(str, e['loc'])) or 'domain'}: {re.sub('^Value error, ', '', e['msg'])}"
            for e in error.errors()
        )
        raise DomainError(f"{path.name}: {wrong}.") from error
    if described.name in DOMAINS and described.domain() != DOMAINS[described.name]:
        raise DomainError(f"{path.name}: {described.name!r} is the name of another domain; choose a new one.")
    return described.domain()


def find_domain(name: str | Path) -> Domain:
    """A domain by its name, the name of a shipped domain, or the path of a domain file.

    Parameters
    ----------
    name : str or path
        A name goes before a file that is called so.

    Returns
    -------
    Domain
        Its coarse and fine grids.

    Raises
    ------
    DomainError
        Naming the known ones.

    Examples
    --------
    >>> find_domain("india").fine.name
    'india-fine'
    """
    if str(name) in DOMAINS:
        return DOMAINS[str(name)]
    examples = example_domains()
    if str(name) in examples:
        return read_domain(examples[str(name)])
    if Path(name).is_file():
        return read_domain(name)
    known = ", ".join([*DOMAINS, *examples])
    raise DomainError(
        f"No domain {str(name)!r}; known: {known}, or the path of a domain file (see docs/data.md)."
    )


def list_domains() -> list[Domain]:
    """The grids that have a name: Europe, small ones of the testbed, and those that ship as files.

    Returns
    -------
    list of Domain
        With ``name``, ``title``, the ``fine`` grid (0.01 degrees) and the ``coarse`` one (0.25 degrees).

    Examples
    --------
    >>> import cranpm
    >>> {domain.name: domain.fine.shape for domain in cranpm.list_domains()}["europe"]
    (4192, 6992)
    """
    return [*DOMAINS.values(), *(read_domain(path) for path in example_domains().values())]


def option_of(domain: Domain) -> str:
    """The command line's option that means this domain, for advice; nothing for the default, Europe.

    Examples
    --------
    >>> option_of(find_domain("india"))
    ' --domain india'
    """
    if domain == EUROPE:
        return ""
    return f" --domain {domain.name if domain.name in (*DOMAINS, *example_domains()) else 'FILE'}"


def is_european(domain: Domain) -> bool:
    """Whether a domain touches Europe's, where the EEA has stations and CAMS its European products."""
    west, south, east, north = domain.fine.extent
    left, low, right, high = EUROPE.fine.extent
    return west < right and east > left and south < high and north > low
