"""Notebooks stay short, hold no outputs, and run from top to bottom on a small simulated scene."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_short_and_holds_no_outputs(path):
    notebook = nbformat.read(path, as_version=4)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert len(cells) <= 12
    for cell in cells:
        assert not cell.outputs and cell.execution_count is None
        assert not re.search(r"^\s*(def|class) ", cell.source, flags=re.MULTILINE), (
            "logic belongs in the package"
        )
        assert len(cell.source.splitlines()) <= 15
    text = "".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    assert "simulated" in text


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_from_top_to_bottom(path, small_machine, monkeypatch):
    for name, value in small_machine.items():
        monkeypatch.setenv(name, value)
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(
        notebook, timeout=240, kernel_name="python3", resources={"metadata": {"path": str(ROOT)}}
    ).execute()
    shown = [o for cell in notebook.cells if cell.cell_type == "code" for o in cell.outputs]
    assert any(o.output_type in ("display_data", "execute_result") for o in shown)
    assert not [o for o in shown if o.output_type == "error"]
