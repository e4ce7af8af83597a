"""Fixtures that several suites share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from filelock import FileLock


@pytest.fixture(scope="session")
def geography_cache(pytestconfig: pytest.Config) -> Path:
    """Where the computed geography is kept between runs: CRANPM_HOME if set, pytest's own cache otherwise."""
    if os.environ.get("CRANPM_HOME"):
        from cranpm.paths import cache_dir

        return cache_dir()
    return Path(pytestconfig.cache.mkdir("geography"))


@pytest.fixture(scope="session")
def geography_europe(geography_cache: Path):
    """Europe's real geography; about 25 s the first time, one second afterwards."""
    return _load("europe", geography_cache)


@pytest.fixture(scope="session")
def geography_alps(geography_cache: Path):
    """The geography of the region "alps" (14 x 14 degrees), cut from Europe's."""
    return _load("alps", geography_cache)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real sample files; tests that need it are skipped elsewhere."""
    value = os.environ.get("CRANPM_REAL_DATA")
    if not value or not Path(value).is_dir():
        pytest.skip("needs CRANPM_REAL_DATA, a folder of real sample files that the repository does not hold")
    return Path(value)


def _load(name: str, cache: Path):
    from cranpm.domain import get_domain
    from cranpm.testbed.geography import load_geography

    cache.mkdir(parents=True, exist_ok=True)
    with FileLock(cache / "geography.lock"):  # one of several test processes computes, the others read
        return load_geography(get_domain(name), cache)
