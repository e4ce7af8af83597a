"""What every page tells of the classes that its models are made of."""

from __future__ import annotations

from pathlib import Path

from bokeh.core.has_props import is_DataModel
from bokeh.model import Model


def hide_folders() -> None:
    """Take this machine's folders out of the defaults of classes.

    Bokeh sends the definitions of all classes that Panel's components have made of themselves, whether the page has
    such a component or not, and the default folder of a file selector is the one that the server was started in.
    """
    folders = {str(Path.cwd()), str(Path.home())} - {"/"}
    for model in Model.model_class_reverse_map.values():
        if not is_DataModel(model):
            continue
        for name in model.properties():
            kind = model.lookup(name).property
            if isinstance(kind._default, str) and any(folder in kind._default for folder in folders):
                kind._default = ""
