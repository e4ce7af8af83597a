"""Notebooks stay short, hold no outputs, and run from top to bottom on a small simulated scene."""

from __future__ import annotations

import ast
import importlib
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


INSIDE = {
    "01_inputs": "shows channels and tensors as the network reads them",
    "02_model": "walks through the network's own steps",
    "04_ablation": "takes parts of the network out, trains each variant and draws the comparison",
}
"""Notebooks whose subject is the inside, and why they need more than two of the project's modules."""


def _project_imports(path: Path) -> set[tuple[str, str]]:
    """(module, name) of all that a notebook imports from the project; the name is empty for ``import module``."""
    cells = nbformat.read(path, as_version=4).cells
    lines = [line for cell in cells if cell.cell_type == "code" for line in cell.source.splitlines()]
    found: set[tuple[str, str]] = set()
    for node in ast.walk(ast.parse("\n".join(line for line in lines if not line.startswith("%")))):
        if isinstance(node, ast.Import):
            found |= {(alias.name, "") for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {(node.module or "", alias.name) for alias in node.names}
        elif (
            isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "cranpm"
        ):
            found.add(("cranpm", node.attr))
    return {(module, name) for module, name in found if module.split(".")[0] == "cranpm"}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_needs_few_modules_and_only_public_names(path):
    imports = _project_imports(path)
    modules = {module for module, _ in imports}
    assert modules
    if path.stem not in INSIDE:
        assert len(modules) <= 2, "use the front door, or say in INSIDE why this notebook is about the inside"
    for module, name in imports:
        # the front door, or the __init__ of one sub-package
        assert module.count(".") <= 1, f"{module}: take it from the sub-package's __init__"
        package = importlib.import_module(module)
        assert hasattr(package, "__path__"), f"{module} is no package"
        assert not name or name in package.__all__, f"{name} is no public name of {module}"


def test_the_list_of_notebooks_about_the_inside_is_no_longer_than_it_must_be():
    modules = {path.stem: {module for module, _ in _project_imports(path)} for path in NOTEBOOKS}
    assert {name for name, used in modules.items() if len(used) > 2} == set(INSIDE)


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
