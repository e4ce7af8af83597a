"""Audit of the gridded files that a dataset was made of: what is preliminary, and what they did not tell."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from cranpm.data.audit.findings import Finding
from cranpm.data.store.dataset import Dataset
from cranpm.data.store.provenance import read_provenance


def check_field_files(dataset: Dataset) -> Iterator[Finding]:
    """Findings from ``provenance.json``; none about a dataset whose files were not looked at."""
    entries = {k: v for k, v in read_provenance(dataset.root).items() if "/" in k and "product" in v}
    if not entries or not dataset.days.size:
        return
    last = dataset.days[-1] + np.timedelta64(1, "D")
    since = {k: v["preliminary"]["from"] for k, v in entries.items() if "preliminary" in v}
    since = {k: hour for k, hour in since.items() if np.datetime64(hour) <= last}
    found = "none is marked so"
    if since:
        names = ", ".join(sorted(since)[:4]) + (f" ... ({len(since)} files)" if len(since) > 4 else "")
        found = f"ERA5T from {min(since.values())} UTC on, which may still be revised: {names}"
    yield Finding(level="warning" if since else "ok", what="preliminary weather", found=found)
    left: dict[tuple[str, str], int] = {}
    for name, entry in entries.items():
        if entry["not_stated"]:
            key = name.split("/", 1)[0], ", ".join(entry["not_stated"])
            left[key] = left.get(key, 0) + 1
    said = "; ".join(f"{aspects} ({number} of {source})" for (source, aspects), number in left.items())
    yield Finding(level="ok", what="what gridded files do not tell", found=said or "nothing")
