"""Where the data and the model come from, under which licences, and what of it is simulated."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cranpm import __version__
from cranpm._json import JsonObject
from cranpm.data.manifest import Source, load_manifest

from ...markup import Markup, join, without_paths
from ...theme import INK, SOFT
from ..controls import heading_html

CARD_BYTES = 200_000
"""Of a model card that are read: it may be anybody's file."""

SIMULATED = (
    "Simulated. Land, terrain, towns and coast are real; weather, composition, PM2.5, satellite product and stations "
    "are the testbed's own: no number on this page describes the real world."
)
MEASURED = "Made from the sources below, as its attribution says."

_GEOGRAPHY = frozenset({"testbed-geography", "map-lines"})

_LINE = Markup(f"<p style='margin:2px 0 6px;font-size:13px;line-height:1.5;{INK}'>{{}}</p>")
_SOFT = Markup(f"<p style='margin:2px 0 6px;font-size:12px;line-height:1.5;{SOFT}'>{{}}</p>")
_BOLD = Markup("<b>{}</b> {}")
_LIST = Markup(
    f"<ul style='margin:2px 0 8px;padding-left:18px;font-size:12.5px;line-height:1.5;{INK}'>{{}}</ul>"
)
_ITEM = Markup("<li>{title}: {licence}. <span style='{soft}'>{attribution}</span></li>")
_CARD = Markup(
    "<pre tabindex='0' style='margin:2px 0 8px;padding:10px 12px;border-radius:8px;overflow:auto;max-height:300px;"
    f"font-size:11.5px;line-height:1.45;background:var(--mui-palette-background-default);{INK}'>{{}}</pre>"
)


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What is known; ``card`` is None where the checkpoint has none, ``checkpoint`` empty where none is chosen."""

    dataset: JsonObject
    sources: tuple[Source, ...]
    checkpoint: str
    card: str | None


def read_facts(dataset: JsonObject, checkpoint: str, folder: Path | None) -> Facts:
    """Read manifest and model card.

    Parameters
    ----------
    dataset : mapping
        The description of the dataset that is shown.
    checkpoint : str
        Name of the chosen one.
    folder : Path or None
        Where it lies.
    """
    simulated = bool(dataset.get("simulated"))
    sources = tuple(source for source in load_manifest().sources if _of(source, simulated=simulated))
    card = None
    if folder is not None and (folder / "card.md").is_file():
        with (folder / "card.md").open("rb") as file:
            card = file.read(CARD_BYTES).decode("utf-8", errors="replace")
    return Facts(dataset=dataset, sources=sources, checkpoint=checkpoint, card=card)


def _of(source: Source, *, simulated: bool) -> bool:
    """The geography is under everything that is drawn; the other sources are of real data alone."""
    return not simulated or bool(_GEOGRAPHY & set(source.role))


CONCLUSIONS = (
    "A score against the satellite product is not one against the air.",
    "No forecast made here is a warning or advice on health.",
)
"""As docs/explanation/conclusions.md has them; an installed package has no documentation beside it."""


def facts_html(facts: Facts) -> Markup:
    """All of it, under headings."""
    data = facts.dataset
    title, source = str(data.get("title") or data.get("name") or "Data"), str(data.get("source", ""))
    named = f"({source}; version {data.get('version', 'unknown')}, hash {data.get('hash', 'unknown')})"
    parts = [
        heading_html("Data"),
        _LINE.format(_BOLD.format(title, named)),
        _LINE.format(SIMULATED if data.get("simulated") else MEASURED),
        _SOFT.format(str(data.get("attribution") or "The dataset names nobody to thank.")),
        heading_html("Sources and their licences"),
        _LIST.format(join(_items(facts.sources))),
        heading_html("Model"),
        *_model(facts),
        heading_html("What may be concluded"),
        *(_LINE.format(sentence) for sentence in CONCLUSIONS),
        heading_html("Program"),
        _LINE.format(f"CRAN-PM Explorer {__version__}, BSD-3-Clause."),
    ]
    return join(parts)


def _items(sources: Iterable[Source]) -> list[Markup]:
    return [
        _ITEM.format(
            title=source.title, licence=source.license.name, soft=SOFT, attribution=source.attribution
        )
        for source in sources
    ]


def _model(facts: Facts) -> list[Markup]:
    if not facts.checkpoint:
        return [_LINE.format("No checkpoint is chosen.")]
    if facts.card is None:
        return [
            _LINE.format(
                f"Checkpoint {facts.checkpoint} has no model card: nobody says what it was trained on."
            )
        ]
    return [
        _LINE.format(f"Checkpoint {facts.checkpoint}. Its card:"),
        _CARD.format(without_paths(facts.card)),
    ]
