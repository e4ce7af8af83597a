"""Where data, caches, runs and checkpoints live; each place can be moved by an environment variable."""

from __future__ import annotations

import os
from pathlib import Path


def _folder(variable: str, default: Path) -> Path:
    value = os.environ.get(variable)
    return Path(value).expanduser() if value else default


def cache_dir() -> Path:
    """Things that can be made again, such as the blended terrain (``CRANPM_HOME``, default ``~/.cache/cranpm``)."""
    return _folder("CRANPM_HOME", Path.home() / ".cache" / "cranpm")


def data_dir() -> Path:
    """Datasets, one folder each (``CRANPM_DATA``, default ``./data``)."""
    return _folder("CRANPM_DATA", Path.cwd() / "data")


def testbed_dir() -> Path:
    """The simulated Europe that a fresh machine builds for itself."""
    return data_dir() / "testbed"


def runs_dir() -> Path:
    """Finished and running forecasts (``CRANPM_RUNS``, default ``./runs``)."""
    return _folder("CRANPM_RUNS", Path.cwd() / "runs")


def assets_dir() -> Path:
    """Files that ship with the package: the demo checkpoint."""
    return Path(__file__).parent / "assets"


def checkpoint_roots() -> list[Path]:
    """Folders searched for checkpoints, the user's own (``CRANPM_CHECKPOINTS``, default ``./checkpoints``) first."""
    return [_folder("CRANPM_CHECKPOINTS", Path.cwd() / "checkpoints"), assets_dir() / "checkpoints"]


# pytest would otherwise collect the function above as a test wherever it is imported
testbed_dir.__test__ = False  # type: ignore[attr-defined]
