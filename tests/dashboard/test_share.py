"""What "Link and code" hands out works as it stands."""

from __future__ import annotations

import datetime as dt
import shlex
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from cranpm.dashboard.state import State
from cranpm.dashboard.views.share import command_snippet, python_snippet
from typer.testing import CliRunner


@pytest.fixture
def state(machine: Path, scene: ModuleType, drawn) -> State:
    """A view of Milan on a machine with a checkpoint."""
    scene.write_checkpoint(machine / "checkpoints" / "demo", drawn)
    return State(
        dataset="testbed", checkpoint="demo", init_time=dt.date(2022, 1, 11), lead_time=1, place=scene.MILAN
    )


@pytest.mark.parametrize("layer", ["forecast", "today", "target", "change", "error"])
def test_the_python_makes_the_array_on_the_map(state: State, layer: str, capsys: pytest.CaptureFixture[str]):
    state.layer = layer
    names: dict[str, object] = {}
    exec(python_snippet(state), names)
    assert names["pm2p5"].shape == (1392, 1392)  # type: ignore[attr-defined]
    assert np.isfinite(float(capsys.readouterr().out))


def test_the_command_line_is_understood(state: State, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from cranpm.cli.app import app

    monkeypatch.chdir(tmp_path)
    _, *words = shlex.split(command_snippet(state))
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    assert (tmp_path / "forecast_2022-01-11.zarr").is_dir()
