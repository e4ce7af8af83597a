"""Data files that install with Python packages: found and read, the packages are never imported."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from cranpm.extras import how_to_install


class GeographySourceError(RuntimeError):
    """A data file of the geography packages is missing."""


def package_file(package: str, path: str) -> Path:
    """A data file of an installed package, found without importing it.

    Raises
    ------
    GeographySourceError
        If the package or the file is not there.
    """
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        msg = f"The testbed's geography needs the package {package!r}, which is not installed: {how_to_install()}"
        raise GeographySourceError(msg)
    file = Path(spec.submodule_search_locations[0]) / path
    if not file.exists():
        msg = f"Package {package!r} holds no {path!r}. Install the version that pyproject.toml pins."
        raise GeographySourceError(msg)
    return file
