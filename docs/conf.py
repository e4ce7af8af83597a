"""The documentation site: ``make docs`` builds it into ``docs/_build/html`` without a network."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "_ext"))

import cranpm  # noqa: E402

project = "CRAN-PM Explorer"
author = "CRAN-PM Explorer contributors"
version = release = cranpm.__version__
project_copyright = author

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "myst_nb",
    "sphinx_design",
    "sphinx_copybutton",
    # in _ext: pages that are made from the code, and the notebooks
    "api_pages",
    "made_pages",
    "tutorials",
]
root_doc = "index"
exclude_patterns = ["_build", "_ext", "_templates", "**/.ipynb_checkpoints"]
templates_path = ["_templates"]

# -- warnings: every reference inside the project must resolve; no inventory of another project is fetched
nitpicky = True
nitpick_ignore_regex = [
    (r"py:(class|exc|func|meth|attr|data)", r"(?!cranpm).*"),  # types of other libraries in signatures
    (r"py:.*", r"cranpm(\.\w+)*\._\w+(\.\w+)*"),  # private ones of ours in signatures
]
suppress_warnings = [
    "config.cache",  # functions for templates cannot be kept from build to build
    "mystnb.unknown_mime_type",  # HoloViews' notes to JupyterLab, empty
]

# -- notebooks: executed at the build, results kept; `-D nb_execution_mode=off` leaves the pictures out
nb_execution_mode = "cache"
nb_execution_cache_path = str(HERE / "_build" / "notebooks")
nb_execution_timeout = 1800
nb_execution_raise_on_error = True
nb_merge_streams = True

# -- text
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 4
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

# -- the code
default_role = "py:obj"
autosummary_generate = True
autosummary_ignore_module_all = True
autodoc_inherit_docstrings = False
autodoc_default_options = {
    "members": True,
    "member-order": "bysource",
    "show-inheritance": True,
    "ignore-module-all": True,
}
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 100
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False
add_module_names = False
toc_object_entries_show_parents = "hide"

# -- links to the outside: `make linkcheck`, for machines that have internet
linkcheck_timeout = 20
linkcheck_anchors = False

# -- pages
html_theme = "pydata_sphinx_theme"
html_title = project
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_copy_source = False
# pages with their contents at the side; pictures of the tutorials and long names of the reference need the room
WITH_CONTENTS = ("start", "data", "howto/*", "explanation/*", "reference/files")
html_sidebars = {"start": []}  # a page alone: nothing to navigate beside it
html_theme_options = {
    "navigation_with_keys": False,
    "show_prev_next": False,
    "secondary_sidebar_items": {page: ["page-toc"] for page in WITH_CONTENTS},
    "navbar_end": ["theme-switcher"],
    "footer_start": ["copyright"],
    "footer_end": [],
}
html_context = {"default_mode": "light"}
