"""Which page a request gets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from cranpm.dashboard import pages


def test_anything_that_breaks_becomes_a_page_that_explains(machine: Path, monkeypatch: pytest.MonkeyPatch):
    def broken(*_: Any) -> None:
        raise RuntimeError("half a store at /srv/data/testbed: <b>coarse.zarr</b> is missing")

    monkeypatch.setattr(pages, "Explorer", broken)
    text = pages.build().main[0].object
    assert "coarse.zarr" in text
    assert "/srv" not in text
    assert "<b>coarse" not in text
    assert "cranpm doctor" in text


def test_an_empty_machine_gets_the_first_run_page(
    machine: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setenv("CRANPM_DATA", str(tmp_path / "nothing"))
    pages.get_store.cache_clear()
    page = pages.build()
    assert "first-run" in " ".join(page.main[0].css_classes)
