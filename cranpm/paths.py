"""Where data, caches, runs and checkpoints live; each place can be moved by an environment variable."""

from __future__ import annotations

import os
from pathlib import Path


def _folder(variable: str, default: Path) -> Path:
    value = os.environ.get(variable)
    return Path(value).expanduser() if value else default


def checkout() -> Path | None:
    """Top of the checkout that this package is used from; None where it is installed."""
    top = Path(__file__).resolve().parents[1]
    return top if (top / "pyproject.toml").is_file() else None


def project_dir() -> Path:
    """Folder that data, runs and checkpoints lie in unless told otherwise.

    The checkout, from anywhere in it (a notebook's kernel starts in ``notebooks``); elsewhere the working folder.
    """
    here, top = Path.cwd(), checkout()
    return top if top is not None and here.is_relative_to(top) else here


def cache_dir() -> Path:
    """Things that can be made again, such as the blended terrain (``CRANPM_HOME``, default ``~/.cache/cranpm``)."""
    return _folder("CRANPM_HOME", Path.home() / ".cache" / "cranpm")


def data_dir() -> Path:
    """Folder of datasets, one folder each (``CRANPM_DATA``, by default ``data`` in the checkout or the working folder).

    Returns
    -------
    Path

    Examples
    --------
    >>> import cranpm
    >>> (cranpm.data_dir() / "testbed" / "dataset.json").is_file()
    True
    """
    return _folder("CRANPM_DATA", project_dir() / "data")


def testbed_dir() -> Path:
    """The simulated Europe that a fresh machine builds for itself."""
    return data_dir() / "testbed"


def runs_dir() -> Path:
    """Finished and running forecasts (``CRANPM_RUNS``, default ``runs`` in `project_dir`)."""
    return _folder("CRANPM_RUNS", project_dir() / "runs")


def assets_dir() -> Path:
    """Files that ship with the package: the demo checkpoint."""
    return Path(__file__).parent / "assets"


def checkpoint_roots() -> list[Path]:
    """Folders searched for checkpoints, the user's own first.

    That is ``CRANPM_CHECKPOINTS``, by default ``checkpoints`` in `project_dir`.
    """
    return [_folder("CRANPM_CHECKPOINTS", project_dir() / "checkpoints"), assets_dir() / "checkpoints"]


# pytest would otherwise collect the function above as a test wherever it is imported
testbed_dir.__test__ = False  # type: ignore[attr-defined]
