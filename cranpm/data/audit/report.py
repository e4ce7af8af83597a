"""An audit as one HTML page with pictures, readable without this program."""

from __future__ import annotations

import base64
import html
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cranpm._files import figure_bytes, write_atomically
from cranpm.data.audit.result import AuditResult

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1b1f24 }
table { border-collapse: collapse; width: 100% } td, th { padding: .35rem .6rem; text-align: left; vertical-align: top }
tr { border-bottom: 1px solid #d8dde3 } img { width: 100%; height: auto } figcaption { color: #4a5560 }
.error { color: #a3001b; font-weight: 600 } .warning { color: #7a5200; font-weight: 600 } .ok { color: #14662f }
"""


def write_report(result: AuditResult, folder: str | Path) -> Path:
    """Write ``index.html`` into a folder; pictures are inside the page.

    Returns
    -------
    Path
        The page.
    """
    folder = Path(folder)
    page = folder / "index.html"
    verdict = "passed" if result.passed else "failed"
    rows = "".join(
        f'<tr><td class="{f.level}">{f.level}</td><td>{html.escape(f.what)}</td><td>{html.escape(f.found)}</td></tr>'
        for f in result.findings
    )
    period = f"{result.days[0]} to {result.days[-1]}" if result.days.size else "no days"
    pictures = "".join(
        f'<figure><img alt="{html.escape(text)}" src="data:image/png;base64,{image}"><figcaption>{html.escape(text)}'
        "</figcaption></figure>"
        for text, image in _pictures(result)
    )
    document = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width"><title>Check of {html.escape(result.name)}</title>'
        f"<style>{_STYLE}</style></head><body><h1>Check of {html.escape(result.name)}: {verdict}</h1>"
        f"<p>{html.escape(result.title)}. Source: <strong>{html.escape(result.source)}</strong>. "
        f"{len(result.days)} days looked at, {period}.</p>"
        f"<table><tr><th></th><th>what</th><th>found</th></tr>{rows}</table>{pictures}</body></html>"
    )
    write_atomically(page, document.encode())
    return page


def _pictures(result: AuditResult) -> list[tuple[str, str]]:
    from matplotlib.figure import Figure

    made = []
    known = {name: values for name, values in result.series.items() if np.isfinite(values).any()}
    if known:
        figure = Figure(figsize=(9, 1.5 * len(known)), layout="constrained")
        axes = np.atleast_1d(figure.subplots(len(known), 1, sharex=True))
        for axis, (name, values) in zip(axes, known.items()):
            axis.plot(
                result.days.astype("datetime64[D]").astype(object),
                values,
                ".-",
                color="#2b5f8a",
                markersize=4,
            )
            axis.set_title(name, loc="left", fontsize=9)
            axis.grid(alpha=0.3)
        made.append(
            (
                "Means of every day; a step or a spike is a change of units, of system, or a fault.",
                _png(figure),
            )
        )
    for name, field in result.maps.items():
        figure = Figure(figsize=(9, 5.5), layout="constrained")
        axis = figure.subplots()
        west, south, east, north = result.extent
        axis.set_facecolor("#c9c9c9")
        image = axis.imshow(field, extent=(west, east, south, north), cmap="cividis", aspect="auto", vmin=0)
        figure.colorbar(image, ax=axis, label=name)
        axis.set_xlabel("longitude [degrees east]")
        axis.set_ylabel("latitude [degrees north]")
        made.append((f"{name}; {result.source}. Grey: no value.", _png(figure)))
    return made


def _png(figure: Figure) -> str:
    return base64.b64encode(figure_bytes(figure)).decode()
