"""Imports point down only: domain < model, data, plot < training, baselines, testbed, forecast < verification
< explain < dashboard, cli. Read from the source, so an import inside a function counts too."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

BASE = {"cranpm", "cranpm.allocator", "cranpm.paths", "cranpm.registry"}
"""Modules of the standard library's weight that packages may use."""

NO_BASE = {"cranpm", "cranpm.domain", "cranpm.model", "cranpm.paths"}

FRONT = {
    "cranpm.cli",
    "cranpm.cli.console",
    "cranpm.cli.physics",
    "cranpm.cli.data",
    "cranpm.cli.score",
    "cranpm.cli.tables",
    "cranpm.cli.testbed",
    "cranpm.cli.train",
    "cranpm.cli.doctor",
    "cranpm.__main__",
}
"""The command line: the top floor beside the dashboard."""

ARROWS = {
    "cranpm": set(),
    "cranpm.domain": set(),
    "cranpm.model": set(),
    "cranpm.data": {"cranpm.domain"},
    "cranpm.plot": {"cranpm.domain"},
    "cranpm.testbed": {"cranpm.domain"}
    | {f"cranpm.data.{part}" for part in ("store", "writer", "schema", "errors")},
    "cranpm.training": {"cranpm.domain", "cranpm.model", "cranpm.data"},
    "cranpm.baselines": {"cranpm.domain", "cranpm.model", "cranpm.data"},
    "cranpm.forecast": {"cranpm.domain", "cranpm.model", "cranpm.data"},
    "cranpm.verification": {"cranpm.domain", "cranpm.data", "cranpm.baselines", "cranpm.forecast"}
    | {"cranpm.domain.eaqi"},  # the table of index classes
    "cranpm.explain": {
        "cranpm.domain",
        "cranpm.data",
        "cranpm.model",
        "cranpm.forecast",
        "cranpm.verification",
    },
    "dashboard": {"cranpm.domain", "cranpm.data", "cranpm.plot", "cranpm.forecast", "cranpm.verification"}
    | {"cranpm.explain", "cranpm.baselines", "cranpm.testbed", "cranpm.model"},
    **{name: {"cranpm"} for name in FRONT},
    **{name: set() for name in BASE - {"cranpm"}},
}
"""Package -> what it may import of this project besides itself."""

EXTRA = {
    "cranpm.model.checkpoint": {
        "cranpm.domain",
        "cranpm.__version__",
    },  # carries statistics, channels, the grid
    "cranpm.training.batches.source": {
        "cranpm.testbed"
    },  # trains on the simulated world without storing its days
}

FOREIGN = {
    "cranpm.domain": {"numpy", "xarray"},
    "cranpm.model": {"torch", "safetensors", "numpy"},
}
"""Packages whose third-party imports are listed completely."""

FORBIDDEN = {
    "cranpm.data": {"torch", "holoviews", "geoviews", "panel", "bokeh", "lightning"},
    "cranpm.plot": {"torch", "panel", "lightning", "zarr", "h5py", "netCDF4"},
    "cranpm.testbed": {"holoviews", "geoviews", "panel", "bokeh", "lightning"},
    "cranpm.training": {"holoviews", "geoviews", "panel", "bokeh"},
    "cranpm.forecast": {"holoviews", "geoviews", "panel", "bokeh"},
    "cranpm.baselines": {"holoviews", "geoviews", "panel", "bokeh"},
    "cranpm.verification": {"torch", "lightning", "holoviews", "geoviews", "panel", "bokeh"},
    "cranpm.explain": {"holoviews", "geoviews", "panel", "bokeh"},
    "dashboard": {"torch", "lightning"},
}
TORCH_ALLOWED = {"cranpm.data.samples", "cranpm.data.sampler"}
"""The only doors from labelled arrays to tensors."""


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")


def imports_of(path: Path) -> set[str]:
    """Full names of everything a file imports, relative imports resolved, ``TYPE_CHECKING`` blocks left out."""
    module, found = module_name(path), set()
    package = module.split(".") if path.name == "__init__.py" else module.split(".")[:-1]
    waiting: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    while waiting:
        node = waiting.pop()
        if is_type_checking(node):
            continue
        waiting.extend(ast.iter_child_nodes(node))
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            parent = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*parent, *([node.module] if node.module else [])])
            found |= {base if _is_module(base) else f"{base}.{alias.name}" for alias in node.names}
    return found


def _is_module(name: str) -> bool:
    """``from cranpm import paths`` names the module cranpm.paths; ``from cranpm.paths import data_dir`` a function."""
    folder = ROOT.joinpath(*name.split("."))
    return (
        name.split(".")[0] not in ("cranpm", "dashboard")
        or folder.with_suffix(".py").exists()
        or (folder.is_dir() and name.count(".") > 0)
    )


def starts_with(name: str, prefixes: set[str]) -> bool:
    return any(name == prefix or name.startswith(prefix + ".") for prefix in prefixes)


def room_of(module: str) -> str | None:
    """The entry of ARROWS that a module belongs to; ``cranpm/__init__.py`` is a room of its own."""
    return next(
        (room for room in ARROWS if module == room or (module.startswith(room + ".") and room != "cranpm")),
        None,
    )


def allowed(name: str, module: str, room: str) -> bool:
    top = name.split(".")[0]
    if top in ("cranpm", "dashboard"):
        if starts_with(name, ARROWS[room] | EXTRA.get(module, set()) | ({room} - {"cranpm"})):
            return True
        return room not in NO_BASE and (
            name in ("cranpm", "cranpm.__version__") or starts_with(name, BASE - {"cranpm"})
        )
    if top in sys.stdlib_module_names:
        return True
    if room in FOREIGN:
        return top in FOREIGN[room]
    return top not in FORBIDDEN.get(room, set()) or (top == "torch" and module in TORCH_ALLOWED)


def violations(path: Path) -> list[str]:
    module = module_name(path)
    room = room_of(module)
    if room is None:
        return [f"{path.relative_to(ROOT)} stands in no room of ARROWS"]
    return [
        f"{path.relative_to(ROOT)} imports {name}"
        for name in imports_of(path)
        if not allowed(name, module, room)
    ]


SOURCES = sorted([*ROOT.glob("cranpm/**/*.py"), *ROOT.glob("dashboard/**/*.py")])


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_file_imports_only_from_lower_floors(path: Path) -> None:
    assert not violations(path)


def test_the_check_sees_an_upward_import_inside_a_function(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = tmp_path / "cranpm" / "domain"
    room.mkdir(parents=True)
    (room / "bad.py").write_text(
        "def f():\n    from cranpm.data.store.dataset import Dataset\n    import torch\n"
    )
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    assert len(violations(room / "bad.py")) == 2


@pytest.mark.parametrize("module", ["cranpm", "cranpm.cli"])
def test_importing_the_package_or_its_command_line_stays_light(module: str) -> None:
    if not (ROOT / module.replace(".", "/")).with_suffix(".py").exists() and module != "cranpm":
        pytest.skip(f"{module} is not written yet")
    heavy = (
        "torch holoviews geoviews panel bokeh datashader numba matplotlib lightning dask.distributed".split()
    )
    code = f"import sys, {module}; print(*[m for m in {heavy!r} if m in sys.modules])"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert result.stdout.split() == []


def test_nothing_below_the_dashboard_imports_it() -> None:
    below = [path for path in SOURCES if path.is_relative_to(ROOT / "cranpm")]
    assert not [
        path for path in below if any(starts_with(name, {"dashboard", "panel"}) for name in imports_of(path))
    ]
