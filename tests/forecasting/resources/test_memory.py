"""What a forecast takes of memory is said before, and is what it takes."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from cranpm.domain import EUROPE
from cranpm.forecasting.resources.memory import bytes_per_tile, check_budget, expected_peak
from cranpm.memory import held_memory
from cranpm.model.presets import get_preset


@pytest.mark.parametrize("preset", ["tiny", "small", "paper"])
def test_maps_count_by_lead_and_tiles_by_the_size_of_their_numbers(preset: str):
    config, shape = get_preset(preset), EUROPE.fine.shape
    held, tile = held_memory(), bytes_per_tile(config)
    one = expected_peak(config, shape, [1])
    slack = 32 * 2**20  # of this process, meanwhile
    assert one - held == pytest.approx(12 * shape[0] * shape[1] + tile, abs=slack)
    assert expected_peak(config, shape, [1, 2, 3]) - one == pytest.approx(24 * shape[0] * shape[1], abs=slack)
    assert one - expected_peak(config, shape, [1], itemsize=2) == pytest.approx(tile / 2, abs=slack)
    check_budget(config, tile)
    with pytest.raises(ValueError, match="holds no tile"):
        check_budget(config, tile - 1)


def test_a_forecast_takes_what_was_expected(small_machine: dict[str, str], tmp_path: Path):
    """Of a process of its own: this one may have held more before."""
    command = [sys.executable, "-m", "cranpm", "forecast", "--init", "2022-01-11", "--lead", "1", "2", "3"]
    told = subprocess.check_output(
        [*command, "--out", str(tmp_path / "maps.zarr")],
        text=True,
        env=os.environ | small_machine | {"COLUMNS": "200"},
    )
    found = re.search(r"peak memory ([\d.]+) GB \(([\d.]+) GB expected\)", told)
    assert found is not None, told
    held, expected = map(float, found.groups())
    assert held == pytest.approx(expected, rel=0.1, abs=0.1)
