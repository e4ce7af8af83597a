"""A small dataset for the tests of the store."""

from __future__ import annotations

import shutil
from pathlib import Path

import mini_dataset as mini
import pytest

from cranpm.data.store.dataset import encode_day


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset of three days; only to be read."""
    root = tmp_path_factory.mktemp("data") / "mini"
    with mini.create(root) as writer:
        for day in (mini.DAYS[2], *mini.DAYS[:2]):  # days need not come in order
            assert writer.append_encoded(encode_day(writer.domain, day, **mini.fields(day)))
        writer.write_static(**mini.static())
    return root


@pytest.fixture
def copy(made: Path, tmp_path: Path) -> Path:
    """The same to do harm to."""
    return Path(shutil.copytree(made, tmp_path / "mini"))
