"""Pages whose runs are made by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import panel as pn
import pytest
from cranpm.dashboard.data.forecasts import Forecasts
from cranpm.dashboard.data.store import Store
from cranpm.dashboard.page.explorer import Explorer
from cranpm.dashboard.state import State


@pytest.fixture
def checkpoint(machine: Path, scene: ModuleType) -> str:
    folder = machine / "checkpoints" / "random"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_text("")
    return "random"


@pytest.fixture
def polling_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no server here: nothing is called by itself after a while."""
    monkeypatch.setattr(
        pn.state, "add_periodic_callback", lambda *_, **__: SimpleNamespace(stop=lambda: None)
    )


@pytest.fixture
def runs(polling_by_hand: None, monkeypatch: pytest.MonkeyPatch, fake_run: ModuleType) -> list[Any]:
    """Every run that a page starts; they start at once and do nothing by themselves."""
    started: list[Any] = []
    asked: dict[Any, Any] = {}

    def submit(self: Any, dataset: str, checkpoint: str, init: Any, *, then: Any, **more: Any) -> None:
        key = (init, more["interventions"], str(more.get("tiles"))) if more.get("interventions") else init
        run = asked.get(key)
        if run is None or run.state not in ("queued", "running", "done"):
            run = asked[key] = fake_run.FakeRun()
            run.question = more
            started.append(run)
        run.watch(self._watcher)
        then(run, None)

    def find(self: Any, dataset: str, checkpoint: str, init: Any) -> Any:
        run = asked.get(init)
        if run is None or run.state not in ("queued", "running", "done"):
            return None
        run.watch(self._watcher)
        return run

    monkeypatch.setattr(Forecasts, "find", find)
    monkeypatch.setattr(Forecasts, "submit", submit)
    return started


@pytest.fixture
def explorer() -> Callable[..., Explorer]:
    """``explorer(layer="today")``: a page of the small dataset in this state."""
    return lambda **state: Explorer(State(dataset="testbed", **state), Store(), [])
