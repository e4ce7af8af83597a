"""What "Link and code" hands out works as it stands."""

from __future__ import annotations

import datetime as dt
import shlex
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from cranpm.dashboard.data.fields import FieldKey
from cranpm.dashboard.data.store import get_store
from cranpm.dashboard.layers import LAYERS
from cranpm.dashboard.server.routes import describe_cell
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
    assert names["field"].shape == (1392, 1392)  # type: ignore[attr-defined]
    assert np.isfinite(float(capsys.readouterr().out))


def value_on_the_map(state: State) -> float:
    """The value that the pointer shows at the state's place."""
    store, layer = get_store(), state.shown_layer
    lead = int(state.lead_time) if layer.day == "valid" else 0
    key = FieldKey(dataset=state.dataset, layer=layer.key, init_time=state.init_time, lead_time=lead)
    assert state.place is not None
    return describe_cell(store.fields.field(store.fields.announce(key)), *state.place)["value"]


def test_the_python_of_a_what_if_gives_a_difference(state: State, capsys: pytest.CaptureFixture[str]):
    """Weights of the checkpoint are drawn: whatever it says, it says something else with another wind."""
    state.layer, state.whatif = "whatif", (("wind_turn", 90.0), ("coarse_forecast", 0.0))
    names: dict[str, object] = {}
    exec(python_snippet(state), names)
    difference = float(capsys.readouterr().out)
    assert np.isfinite(difference)
    assert difference != 0
    assert names["steps"] == [("wind_turn", 90.0), ("coarse_forecast", 0.0)]


NEED_TRAINING_DAYS = ("climatology", "damped")
OF_DATA = [
    *(k for k, one in LAYERS.items() if not (one.needs_run or one.field or k in NEED_TRAINING_DAYS)),
    *(k for k, one in LAYERS.items() if one.field in ("fine_pm2p5", "u10", "q_500", "pm2p5", "elevation")),
    "input.latitude",
    "input.longitude",
]


@pytest.mark.parametrize("layer", OF_DATA)
def test_the_python_of_baselines_and_inputs_gives_the_value_under_the_pointer(
    state: State, layer: str, capsys: pytest.CaptureFixture[str]
):
    get_store.cache_clear()
    state.layer, state.lead_time = layer, 2
    exec(python_snippet(state), {})
    # the pointer shows some digits less than an array holds
    assert float(capsys.readouterr().out) == pytest.approx(value_on_the_map(state), rel=1e-4, abs=0.006)


@pytest.mark.parametrize("layer", NEED_TRAINING_DAYS)
def test_baselines_that_are_fitted_are_the_same_in_python(
    machine: Path,
    scene: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    layer: str,
):
    monkeypatch.setattr(scene, "FIRST_DAY", np.datetime64("2020-01-10"))
    monkeypatch.setenv("CRANPM_DATA", str(machine / "old"))
    scene.write_scene(machine / "old" / "training", domain=scene.SMALL, days=8)
    get_store.cache_clear()
    state = State(
        dataset="training", layer=layer, init_time=dt.date(2020, 1, 14), lead_time=2, place=scene.MILAN
    )
    exec(python_snippet(state), {})
    assert float(capsys.readouterr().out) == pytest.approx(value_on_the_map(state), abs=0.006)


def test_the_command_line_is_understood(state: State, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from cranpm.cli.app import app

    monkeypatch.chdir(tmp_path)
    _, *words = shlex.split(command_snippet(state))
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    assert (tmp_path / "forecast_2022-01-11.zarr").is_dir()
