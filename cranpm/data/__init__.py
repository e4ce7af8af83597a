"""Days: what they are made from, how they are kept, who reads them. Imported when first used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cranpm._lazy import lazy_names

__all__ = [
    "Dataset",
    "DatasetRecipe",
    "DatasetSource",
    "DaySource",
    "MockProviders",
    "audit_dataset",
    "choose_sources",
    "fetch",
    "find_domain",
    "load_manifest",
    "make_plan",
    "open_source",
    "prepare_dataset",
    "read_domain",
]

if TYPE_CHECKING:
    from cranpm.data.audit.audit import audit_dataset
    from cranpm.data.build_day import DatasetRecipe
    from cranpm.data.datasets import open_source
    from cranpm.data.domains import find_domain, read_domain
    from cranpm.data.download.fetch import choose_sources, fetch, make_plan
    from cranpm.data.manifest import load_manifest
    from cranpm.data.mock_providers.server import MockProviders
    from cranpm.data.prepare import prepare_dataset
    from cranpm.data.store.dataset import Dataset
    from cranpm.data.store.source import DatasetSource, DaySource
else:
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "Dataset": "cranpm.data.store.dataset",
            "DatasetRecipe": "cranpm.data.build_day",
            "DatasetSource": "cranpm.data.store.source",
            "DaySource": "cranpm.data.store.source",
            "MockProviders": "cranpm.data.mock_providers.server",
            "audit_dataset": "cranpm.data.audit.audit",
            "choose_sources": "cranpm.data.download.fetch",
            "fetch": "cranpm.data.download.fetch",
            "find_domain": "cranpm.data.domains",
            "load_manifest": "cranpm.data.manifest",
            "make_plan": "cranpm.data.download.fetch",
            "open_source": "cranpm.data.datasets",
            "prepare_dataset": "cranpm.data.prepare",
            "read_domain": "cranpm.data.domains",
        },
    )
