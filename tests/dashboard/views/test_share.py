"""What "Link and code" hands out works as it stands."""

from __future__ import annotations

import datetime as dt
import shlex
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from cranpm.dashboard.data.fields import FieldKey
from cranpm.dashboard.data.store import get_store
from cranpm.dashboard.layers import LAYERS
from cranpm.dashboard.server.routes import describe_cell
from cranpm.dashboard.state import State
from cranpm.dashboard.views.share import command_snippet, python_snippet
from typer.testing import CliRunner

if TYPE_CHECKING:
    from cranpm.forecasting.service.run_folder import RunFolder


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
    names: dict[str, Any] = {}
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
    state.layer = "whatif_forecast"  # as B of a comparison: the forecast with changes itself
    beside: dict[str, Any] = {}
    exec(python_snippet(state), beside)
    np.testing.assert_array_equal(beside["field"].values, names["after"].fields[state.lead_time])


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


def test_python_and_command_line_give_the_array_of_the_run(
    state: State, machine: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    """What is handed out, against a run as the page makes it."""
    import cranpm
    from cranpm.cli.app import app

    folder = run_of(machine, state, first=())
    precision = folder.status().precision
    assert precision in ("float32", "bfloat16")
    arrays = {}
    for lead in (1, 3):
        state.lead_time = lead
        names: dict[str, object] = {}
        exec(python_snippet(state, precision), names)
        arrays[lead] = np.asarray(names["field"])
        np.testing.assert_array_equal(arrays[lead], whole_map(folder, lead))
    # tiles in view come first: overlaps are summed in another order, which may change the last bits and no more
    other = run_of(machine, state, first=(8, 3))
    np.testing.assert_allclose(whole_map(other, 1), arrays[1], rtol=5e-7, atol=0)
    monkeypatch.chdir(tmp_path)
    _, *words = shlex.split(command_snippet(state, precision))
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    written = cranpm.open_forecast("forecast_2022-01-11.zarr")
    assert written.attrs["precision"] == precision
    # files keep hundredths: half of one is all that they may differ by
    np.testing.assert_allclose(written.pm2p5.sel(lead=3).to_numpy(), arrays[3], atol=0.00501)


def run_of(machine: Path, state: State, first: tuple[int, ...]) -> RunFolder:
    """The run that answers a state's question, made here."""
    from cranpm.forecasting.service.request import make_request
    from cranpm.forecasting.service.run_folder import RunFolder
    from cranpm.forecasting.service.tasks import forecast_into_folder

    get_store.cache_clear()
    dataset = get_store().dataset_folders()["testbed"]
    request = make_request(dataset, machine / "checkpoints" / "demo", state.init_time, first=first)
    folder = RunFolder.new(machine / "runs", request)
    assert forecast_into_folder(str(folder.path), request.to_dict()) == "done"
    return folder


def whole_map(folder: RunFolder, lead: int) -> np.ndarray:
    return folder.open_map(lead).read(slice(None), slice(None))


@pytest.mark.parametrize("layer", ["today", "target"])
def test_the_python_of_a_stored_map_is_the_map_to_the_last_bit(state: State, layer: str):
    get_store.cache_clear()
    state.layer, store = layer, get_store()
    names: dict[str, object] = {}
    exec(python_snippet(state), names)
    lead = 1 if layer == "target" else 0
    key = FieldKey(dataset="testbed", layer=layer, init_time=state.init_time, lead_time=lead)
    pyramid = store.fields.field(store.fields.announce(key)).pyramid
    np.testing.assert_array_equal(np.asarray(names["field"]), pyramid.read(slice(None), slice(None)))


def test_the_command_line_is_understood(state: State, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from cranpm.cli.app import app

    monkeypatch.chdir(tmp_path)
    _, *words = shlex.split(command_snippet(state))
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    assert (tmp_path / "forecast_2022-01-11.zarr").is_dir()
