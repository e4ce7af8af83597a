"""About says whose data and which model are shown, what is simulated, and runs nobody's script."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest
from cranpm.dashboard.data.store import Store
from cranpm.dashboard.state import State
from cranpm.dashboard.views.about.dialog import About
from cranpm.dashboard.views.about.facts import CARD_BYTES, CONCLUSIONS, facts_html, read_facts

REAL = {
    "title": "Winter 2022",
    "source": "GHAP, ERA5, CAMS",
    "simulated": False,
    "version": "3",
    "hash": "abc",
    "attribution": "Thanks to <b>all</b>.",
}


def test_simulated_data_say_so_and_name_the_sources_of_their_geography():
    facts = read_facts(REAL | {"simulated": True}, "", None)
    html = facts_html(facts)
    assert "no number on this page describes the real world" in html
    assert {source.id for source in facts.sources} >= {"geography-land-mask", "geography-terrain-globe"}
    assert not any("coarse-input" in source.role for source in facts.sources)
    assert "MIT" in html and "Todd Karin" in html
    assert "No checkpoint is chosen." in html


def test_real_data_name_all_sources_with_licence_and_attribution():
    facts = read_facts(REAL, "", None)
    html = facts_html(facts)
    assert "describes the real world" not in html
    assert "Winter 2022" in html and "hash abc" in html
    roles = {role for source in facts.sources for role in source.role}
    assert {"target", "coarse-input", "observations", "elevation"} <= roles
    assert all(source.license.name and source.attribution for source in facts.sources)
    assert html.count("<li>") == len(facts.sources) > 15


def test_nothing_of_a_dataset_or_a_card_runs(tmp_path: Path):
    (tmp_path / "card.md").write_text("# Mine\n<script>alert(1)</script> lies in /home/ada/secret/run\n")
    html = facts_html(read_facts(REAL, "<img src=x>", tmp_path))
    assert "&lt;script&gt;" in html and "<script>" not in html
    assert "&lt;b&gt;all" in html and "<img" not in html
    assert "/home/ada" not in html


def test_a_card_is_read_so_far_and_a_missing_one_is_told(tmp_path: Path):
    assert "has no model card" in facts_html(read_facts(REAL, "mine", tmp_path))
    (tmp_path / "card.md").write_bytes(b"\xff" + b"x" * (2 * CARD_BYTES))
    facts = read_facts(REAL, "mine", tmp_path)
    assert facts.card is not None and len(facts.card) == CARD_BYTES


def test_the_dialog_is_about_what_is_shown_now(machine: Path, scene: ModuleType, store: Store):
    folder = machine / "checkpoints" / "mine"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_text("")
    (folder / "card.md").write_text("# Trained on a rainy day")
    state = State(dataset="testbed")
    about = About(state, store)
    about.open()
    assert about.dialog.open
    assert "Scene for tests" in about.text.object and "No checkpoint is chosen" in about.text.object
    state.checkpoint = "mine"
    about.open()
    assert "Trained on a rainy day" in about.text.object


def test_what_cannot_be_read_is_told(store: Store, monkeypatch: pytest.MonkeyPatch):
    def broken(name: str) -> None:
        raise OSError("No such file: '/srv/secret/testbed/dataset.json'.")

    monkeypatch.setattr(store, "dataset", broken)
    about = About(State(dataset="testbed"), store)
    about.open()
    assert "This cannot be read" in about.text.object and "/srv/secret" not in about.text.object


def test_what_may_be_concluded_stands_in_the_documentation_too() -> None:
    page = Path(__file__).parents[4] / "docs" / "explanation" / "conclusions.md"
    text = " ".join(page.read_text(encoding="utf-8").split())
    assert len(CONCLUSIONS) == 2 and all(sentence in text for sentence in CONCLUSIONS)
