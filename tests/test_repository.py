"""What git keeps: nothing large but the released checkpoint (CONTRIBUTING.md says how it is replaced)."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LARGE = {"cranpm/assets/checkpoints/demo/model.safetensors": 16_000_000}
"""Files above 1 MB that may be, and how large."""


def test_no_large_file_but_the_released_checkpoint() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("needs a git checkout: what belongs to the repository is what git tracks")
    names = [name for name in listed.stdout.split("\0") if (ROOT / name).is_file()]
    large = {
        name: size for name in names if (size := (ROOT / name).stat().st_size) > LARGE.get(name, 1_000_000)
    }
    assert not large
