"""Packages that only some need: what each extra of the distribution brings, and one sentence where it is missing."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

DISTRIBUTION = "cranpm-explorer"

EXTRAS: dict[str, tuple[str, ...]] = {
    "dashboard": (
        "panel", "panel_material_ui", "param", "bokeh", "holoviews", "geoviews", "cartopy", "datashader", "numba",
        "colorcet", "PIL", "rasterio", "shapefile", "shapely", "markupsafe",
    ),
    "data": ("ecmwf.datastores", "rioxarray"),
    "grib": ("cfgrib", "eccodes"),
    "notebooks": ("jupyterlab", "ipykernel", "nbclient", "nbformat"),
    "tensorboard": ("tensorboard",),
}  # fmt: skip
"""Modules that the program imports from each extra."""

PURPOSES: dict[str, str] = {
    "dashboard": "the dashboard and interactive maps",
    "data": "downloads of ERA5 and CAMS, GeoTIFF elevation",
    "grib": "reading GRIB files",
    "notebooks": "opening the notebooks",
    "tensorboard": "curves of a training in TensorBoard",
}


class MissingExtraError(ImportError):
    """A package that an extra would bring is not installed; the message says how to get it."""


def how_to_install(extra: str = "") -> str:
    """The command that brings an extra, or the package itself with all that it always needs.

    Examples
    --------
    >>> how_to_install("grib")
    "pip install 'cranpm-explorer[grib]'"
    """
    return f"pip install '{DISTRIBUTION}[{extra}]'" if extra else f"pip install {DISTRIBUTION}"


def missing_modules(extra: str) -> list[str]:
    """Modules of an extra that are not installed; nothing of it is imported."""
    return [module for module in EXTRAS[extra] if not _is_installed(module)]


def require(extra: str, purpose: str) -> None:
    """Refuse to go on without an extra.

    Parameters
    ----------
    purpose : str
        What needs it, as a sentence begins: "The dashboard", "Reading file.grib".

    Raises
    ------
    MissingExtraError
        Naming what is missing and the command that brings it.
    """
    missing = missing_modules(extra)
    if missing:
        raise MissingExtraError(_sentence(purpose, missing, extra))


def load(module: str, purpose: str, *, instead: str = "") -> ModuleType:
    """Import a module of an extra where it is used.

    Parameters
    ----------
    purpose : str
        As in `require`.
    instead : str, optional
        What would do without it.

    Raises
    ------
    MissingExtraError
        As `require`; also where the module is there but cannot be used, with its own words.
    """
    extra = next(
        extra for extra, held in EXTRAS.items() if any(f"{module}.".startswith(f"{m}.") for m in held)
    )
    alternative = f", or {instead}" if instead else ""
    if not _is_installed(module):
        raise MissingExtraError(_sentence(purpose, [module], extra) + alternative)
    try:
        return import_module(module)
    except (ImportError, RuntimeError, OSError) as error:  # a C library behind it that is missing or damaged
        raise MissingExtraError(
            f"{purpose} needs {module}, which is installed but not usable ({error}). "
            f"Install it again: {how_to_install(extra)}{alternative}"
        ) from error


def _sentence(purpose: str, missing: list[str], extra: str) -> str:
    verb = "which is" if len(missing) == 1 else "which are"
    return f"{purpose} needs {', '.join(missing)}, {verb} not installed: {how_to_install(extra)}"


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # a package above it
        return False
