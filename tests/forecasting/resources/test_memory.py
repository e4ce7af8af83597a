"""What a forecast takes of memory is said before, and is what it takes."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from cranpm.domain import EUROPE
from cranpm.forecasting.resources import memory
from cranpm.forecasting.resources.memory import bytes_per_tile, check_budget, expected_peak
from cranpm.model.presets import get_preset

HELD = 500 * 2**20
"""Of a process whose day has been read [bytes]."""


@pytest.mark.parametrize("preset", ["tiny", "small", "paper"])
def test_maps_count_by_lead_and_tiles_by_the_size_of_their_numbers(
    monkeypatch: pytest.MonkeyPatch, preset: str
):
    monkeypatch.setattr(memory, "held_memory", lambda: HELD)
    monkeypatch.setattr(memory, "peak_memory", lambda: HELD)
    config, shape = get_preset(preset), EUROPE.fine.shape
    cells, tile = shape[0] * shape[1], bytes_per_tile(config)
    assert expected_peak(config, shape, [1]) == HELD + 12 * cells + tile
    assert expected_peak(config, shape, [1, 2, 3], batch=2) == HELD + 36 * cells + 2 * tile
    assert expected_peak(config, shape, [1], itemsize=2) == HELD + 12 * cells + tile // 2
    monkeypatch.setattr(
        memory, "peak_memory", lambda: 2**40
    )  # reading the day took more than anything after it
    assert expected_peak(config, shape, [1]) == 2**40


def test_a_budget_holds_at_least_one_tile():
    config = get_preset("tiny")
    check_budget(config, bytes_per_tile(config))
    with pytest.raises(ValueError, match="holds no tile"):
        check_budget(config, bytes_per_tile(config) - 1)


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
