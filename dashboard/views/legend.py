"""The colour bar over the map: numbers, units, class names, and what grey means."""

from __future__ import annotations

from collections.abc import Iterable

from cranpm.domain.eaqi import EAQI_CLASSES
from cranpm.plot.style import ColourScale

from ..markup import Markup, join
from ..theme import SOFT

_BOX = (
    "font-size:12px;color:var(--mui-palette-text-primary);font-variant-numeric:tabular-nums;line-height:1.3"
)


def legend_html(scale: ColourScale) -> Markup:
    """The legend of a colour scale."""
    return Markup(
        "<div style='{box}' class='cranpm-legend'><div style='margin-bottom:6px'><b>{title}</b> &nbsp;{units}</div>"
        "{bar}{no_data}{note}</div>"
    ).format(
        box=_BOX,
        title=scale.title,
        units=scale.units,
        bar=_classes() if scale.kind == "classes" else _gradient(scale),
        no_data=_NO_DATA,
        note=_NOTE.format(scale.note) if scale.note else "",
    )


def bar_html(scale: ColourScale, note: str) -> Markup:
    """A second bar under the legend, for what is drawn over the map."""
    units = f" {scale.units}" if scale.units else ""
    return Markup(
        "<div style='{box};margin-top:8px;padding-top:7px;border-top:1px solid var(--mui-palette-divider)' "
        "class='cranpm-overlay-legend'><div style='margin-bottom:6px'><b>{title}</b>{units}</div>{bar}{note}</div>"
    ).format(
        box=_BOX,
        title=scale.title,
        units=units,
        bar=_gradient(scale, open_ends=False),
        note=_NOTE.format(note),
    )


def lines_html(name: str, title: str, lines: Iterable[str]) -> Markup:
    """Lines of text under the legend, for what is drawn over the map without colours of its own."""
    return Markup(
        "<div style='{box};margin-top:8px;padding-top:7px;border-top:1px solid var(--mui-palette-divider)' "
        "class='{name}'><b>{title}</b>{lines}</div>"
    ).format(box=_BOX, name=name, title=title, lines=join(_NOTE.format(line) for line in lines))


_NOTE = Markup(f"<div style='margin-top:5px;max-width:330px;font-size:11px;{SOFT}'>{{}}</div>")

_TICK = Markup(
    "<span style='position:absolute;transform:translateX(-50%);white-space:nowrap;left:{:.1f}%'>{}</span>"
)

_NO_DATA = Markup(
    f"<div style='margin-top:6px;font-size:11px;{SOFT}'>"
    "<span style='display:inline-block;width:22px;height:10px;border-radius:2px;margin-right:6px;vertical-align:-1px;"
    "background:repeating-linear-gradient(135deg,#dfe3e6 0 4px,#b9c0c7 4px 5px)'></span>land without data</div>"
)

_CLASS = Markup(
    "<div title='{name}' style='background:{colour};color:{ink};padding:3px 4px;text-align:center;min-width:44px'>"
    "<b>{number}</b><div style='font-size:10px'>{bounds}</div></div>"
)


def _gradient(scale: ColourScale, *, open_ends: bool = True) -> Markup:
    stops = ",".join(scale.colours[round(i * (len(scale.colours) - 1) / 40)] for i in range(41))
    labels = []
    for tick in scale.ticks:
        sign = "+" if scale.kind == "diverging" and tick > 0 else ""
        text = f"{sign}{tick:g}".replace("-", "−")
        if open_ends and tick == scale.high:
            text = f"≥{text}"
        elif open_ends and tick == scale.low and (scale.kind == "diverging" or tick != 0):
            text = f"≤{text}"
        labels.append(_TICK.format(100 * float(scale.position(tick)), text))
    return Markup(
        "<div style='width:300px;padding:0 10px;box-sizing:border-box'>"
        "<div style='height:12px;border-radius:3px;background:linear-gradient(to right,{})'></div>"
        "<div style='position:relative;height:16px;margin-top:3px'>{}</div></div>"
    ).format(stops, join(labels))


def _classes() -> Markup:
    cells = join(
        _CLASS.format(
            name=item.name, colour=item.colour, ink=item.text_colour, number=item.number, bounds=item.bounds
        )
        for item in EAQI_CLASSES
    )
    names = " · ".join(f"{item.number} {item.name}" for item in EAQI_CLASSES)
    return Markup(
        "<div style='display:flex;border-radius:4px;overflow:hidden;width:max-content'>{}</div>"
        "<div style='font-size:10.5px;margin-top:4px;max-width:330px'>{}</div>"
    ).format(cells, names)
