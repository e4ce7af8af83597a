"""Pages of the code: one for each module, made from it; names that a room offers point to where they are explained.

Autosummary writes the pages from ``_templates/autosummary/module.rst``. This file tells that template which names are
public, and lets a name in backticks find its page without its full path.
"""

from __future__ import annotations

import importlib
import inspect
import pydoc
import sys
from collections import defaultdict
from pathlib import Path
from types import GenericAlias, ModuleType
from typing import Any

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.environment import BuildEnvironment
from sphinx.pycode import ModuleAnalyzer
from sphinx.util.nodes import make_refnode

HIDDEN = {"cranpm": ("cli", "dashboard", "__main__")}
"""The command line has a page of its own; the dashboard's code is for contributors."""


def rooms_among(package_name: str, modules: list[str]) -> list[str]:
    """Modules of a package that get a page."""
    return [name for name in modules if name not in HIDDEN.get(package_name, ())]


def offered_names(package_name: str) -> list[tuple[str, str]]:
    """What a package offers by its ``__all__``: each name, and where it is explained."""
    package = importlib.import_module(package_name)
    if not hasattr(package, "__path__"):
        return []
    return [(name, _home(package, name)) for name in getattr(package, "__all__", ()) if name != "__version__"]


def elsewhere(module_name: str) -> list[str]:
    """Names of a module that are explained on pages of their own, as names of the front door."""
    homes = {home: name for name, home in offered_names("cranpm")}
    ours = [home.removeprefix(f"{module_name}.") for home in homes if home.startswith(f"{module_name}.")]
    return [name for name in ours if "." not in name and module_name != "cranpm"]


def _home(package: ModuleType, name: str) -> str:
    """Full path of the function, class or constant that a package hands on."""
    value = getattr(package, name)
    if inspect.isfunction(value) or inspect.isclass(value):
        return f"{value.__module__}.{value.__qualname__}"
    for module in list(sys.modules.values()):  # a constant does not know where it comes from
        path = getattr(module, "__name__", "")
        inside = path.startswith(f"{package.__name__}.") and not hasattr(module, "__path__")
        if inside and vars(module).get(name) is value and _assigns(module, name):
            return f"{path}.{name}"
    return f"{package.__name__}.{name}"


def _assigns(module: ModuleType, name: str) -> bool:
    """Whether a constant is made in a module, not imported into it."""
    analysed = ModuleAnalyzer.for_module(module.__name__)
    analysed.analyze()
    return name in analysed.tagorder


def forget_old_pages(app: Sphinx, config: Config) -> None:
    """Pages name the modules below them: where one has moved or gone, all are written anew."""
    pages = list((Path(app.srcdir) / "reference" / "api").glob("*.rst"))
    if any(pydoc.locate(page.stem) is None for page in pages):
        for page in pages:
            page.unlink()


def find_by_its_last_parts(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, contnode: nodes.Element
) -> nodes.reference | None:
    """A reference such as ``Dataset.open`` or ``fields``: the one object of the project whose path ends so.

    Or one that names a room in place of the module, as the import does: ``cranpm.data.DaySource``.
    """
    if node.get("refdomain") != "py":
        return None
    objects = env.get_domain("py").objects  # type: ignore[attr-defined]
    ends = _by_last_parts(env, objects)
    wanted = node["reftarget"]
    module = node.get("py:module") or ""
    found = ends.get(wanted, []) or [name for name in _where_explained(wanted) if name in objects]
    near = [name for name in found if name.startswith(module.rsplit(".", 1)[0] + ".")]
    for names in (found, near):
        places = {(objects[name].docname, objects[name].node_id) for name in names}
        if len(places) == 1:
            docname, anchor = places.pop()
            return make_refnode(app.builder, node["refdoc"], docname, anchor, contnode, names[0])
    return None


def _where_explained(path: str) -> list[str]:
    """Home of a name that a room offers, such as ``cranpm.data.DaySource``, and its page of the front door."""
    room, _, name = path.rpartition(".")
    offers = room.startswith("cranpm") and hasattr(pydoc.locate(room), "__path__")
    home = dict(offered_names(room) if offers else ()).get(name, path)
    doors = [f"cranpm.{door}" for door, place in offered_names("cranpm") if place == home]
    return [*doors, home][:1]


def _by_last_parts(env: BuildEnvironment, objects: dict[str, Any]) -> dict[str, list[str]]:
    known = getattr(env, "cranpm_last_parts", None)
    if known is None:
        known = defaultdict(list)
        for name in objects:
            parts = name.split(".")
            for start in range(1, len(parts)):
                known[".".join(parts[start:])].append(name)
        env.cranpm_last_parts = known  # type: ignore[attr-defined]
    return known


def _forget(app: Sphinx, env: BuildEnvironment) -> None:
    env.cranpm_last_parts = None  # type: ignore[attr-defined]


def plain_alias(app: Sphinx, what: str, name: str, value: object, *rest: object) -> tuple[()] | None:
    """An alias such as ``dict[int, ndarray]`` is callable, yet has no signature: an empty answer ends the search."""
    return () if isinstance(value, GenericAlias) else None


def public_bases(app: Sphinx, name: str, value: type, options: object, bases: list[type]) -> None:
    """Bases that are nobody's business but the module's are not shown."""
    bases[:] = [base for base in bases if not base.__name__.startswith("_")] or [object]


def setup(app: Sphinx) -> dict[str, Any]:
    """Give the template its functions."""
    functions = {"rooms_among": rooms_among, "offered_names": offered_names, "elsewhere": elsewhere}
    app.config.autosummary_context = functions
    app.connect("config-inited", forget_old_pages)
    app.connect("autodoc-process-signature", plain_alias, priority=400)
    app.connect("autodoc-process-bases", public_bases)
    app.connect("env-updated", _forget)
    app.connect("missing-reference", find_by_its_last_parts)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
