"""The colour bar over the map: numbers, units, class names, and what grey means."""

from __future__ import annotations

from html import escape

from cranpm.domain.eaqi import EAQI_CLASSES
from cranpm.plot.style import ColourScale

_BOX = (
    "font-size:12px;color:var(--mui-palette-text-primary);font-variant-numeric:tabular-nums;line-height:1.3"
)


def legend_html(scale: ColourScale) -> str:
    """The legend of a colour scale as HTML."""
    bar = _classes() if scale.kind == "classes" else _gradient(scale)
    note = f"<div style='{_NOTE}'>{escape(scale.note)}</div>" if scale.note else ""
    head = f"<div style='margin-bottom:6px'><b>{escape(scale.title)}</b> &nbsp;{escape(scale.units)}</div>"
    return f"<div style='{_BOX}' class='cranpm-legend'>{head}{bar}{_no_data()}{note}</div>"


_NOTE = "margin-top:5px;max-width:330px;font-size:11px;color:var(--mui-palette-text-secondary)"

_TICK = "position:absolute;transform:translateX(-50%);white-space:nowrap"

_HATCH = "repeating-linear-gradient(135deg,#dfe3e6 0 4px,#b9c0c7 4px 5px)"


def _no_data() -> str:
    return (
        "<div style='margin-top:6px;font-size:11px;color:var(--mui-palette-text-secondary)'>"
        f"<span style='display:inline-block;width:22px;height:10px;border-radius:2px;background:{_HATCH};"
        "margin-right:6px;vertical-align:-1px'></span>land without data</div>"
    )


def _gradient(scale: ColourScale) -> str:
    stops = ",".join(scale.colours[round(i * (len(scale.colours) - 1) / 40)] for i in range(41))
    labels = []
    for tick in scale.ticks:
        left = 100 * float(scale.position(tick))
        sign = "+" if scale.kind == "diverging" and tick > 0 else ""
        text = f"{sign}{tick:g}".replace("-", "−")
        if tick == scale.ticks[-1]:
            text = f"≥{text}"
        elif scale.kind == "diverging" and tick == scale.ticks[0]:
            text = f"≤{text}"
        labels.append(f"<span style='{_TICK};left:{left:.1f}%'>{text}</span>")
    return (
        "<div style='width:300px;padding:0 10px;box-sizing:border-box'>"
        f"<div style='height:12px;border-radius:3px;background:linear-gradient(to right,{stops})'></div>"
        f"<div style='position:relative;height:16px;margin-top:3px'>{''.join(labels)}</div></div>"
    )


def _classes() -> str:
    cells = "".join(
        f"<div title='{item.name}' style='background:{item.colour};color:{item.text_colour};padding:3px 4px;"
        f"text-align:center;min-width:44px'><b>{item.number}</b><div style='font-size:10px'>{item.bounds}</div></div>"
        for item in EAQI_CLASSES
    )
    names = " · ".join(f"{item.number} {item.name}" for item in EAQI_CLASSES)
    return (
        f"<div style='display:flex;border-radius:4px;overflow:hidden;width:max-content'>{cells}</div>"
        f"<div style='font-size:10.5px;margin-top:4px;max-width:330px'>{names}</div>"
    )
