"""Pages that are made before the build: the command line, the data manifest, and documents of the repository's root."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer
from sphinx.application import Sphinx
from sphinx.config import Config
from typer.cli import get_docs_for_click

from cranpm.cli.app import app as command_line
from cranpm.data.manifest import Source, load_manifest

GENERATED = "reference/generated"
DOCUMENTS = ("ARCHITECTURE", "CONTRIBUTING", "CHANGELOG")
"""Of the repository's root, where people look for them; here they are pages of the site."""


def cli_page() -> str:
    """Every command and option, as Typer documents them."""
    command = typer.main.get_command(command_line)
    text = get_docs_for_click(obj=command, ctx=typer.Context(command), name="cranpm", title="Command line")
    return html.unescape(text).replace("```console", "```text")


def manifest_page() -> str:
    """One table of all sources, and one section each."""
    manifest = load_manifest()
    lines = [
        "# Data sources",
        "",
        "What `data_manifest.yaml` says of every external source. `cranpm data list` adds what of it is here.",
        "",
        "| id | what | used as | licence |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| [{s.id}](#{s.id}) | {_cell(s.title)} | {', '.join(s.role)} | {_cell(s.license.name)} |"
        for s in manifest.sources
    ]
    for source in manifest.sources:
        lines += ["", f"({source.id})=", f"## {source.title}", "", *_facts(source)]
    return "\n".join(lines) + "\n"


def _facts(source: Source) -> Iterator[str]:
    provider = source.provider
    name = f"[{provider.name}]({provider.url})" if provider.url else provider.name
    yield f"- **Provider**: {name}"
    yield f"- **Licence**: [{source.license.name}]({source.license.path})"
    yield f"- **Attribution**: {source.attribution}"
    yield f"- **Citation**: {source.citation}"
    yield f"- **Access**: {source.access.kind}; key: {source.access.auth}"
    variables = [f"`{old}` → `{new.to}` [{new.units}]" for old, new in source.variables.items()]
    if variables:
        yield f"- **Variables**: {', '.join(variables)}"


def document_page(text: str) -> str:
    """A document of the root, with its links as seen from the folder of the site."""
    text = text.replace("](docs/", "](../../")
    for name in DOCUMENTS:
        text = text.replace(f"]({name}.md", f"]({name.lower()}.md")
    return text


def _cell(text: str) -> str:
    return re.sub(r"\s+", " ", text).replace("|", "\\|")


def write_pages(app: Sphinx, config: Config) -> None:
    """Write what has changed, so that Sphinx reads again only that."""
    folder = Path(app.srcdir) / GENERATED
    folder.mkdir(parents=True, exist_ok=True)
    root = Path(app.srcdir).parent
    documents = {name.lower(): document_page((root / f"{name}.md").read_text("utf-8")) for name in DOCUMENTS}
    for name, text in ({"cli": cli_page(), "manifest": manifest_page()} | documents).items():
        page = folder / f"{name}.md"
        if not page.is_file() or page.read_text(encoding="utf-8") != text:
            page.write_text(text, encoding="utf-8")


def setup(app: Sphinx) -> dict[str, Any]:
    """Before Sphinx looks for pages."""
    app.connect("config-inited", write_pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
