"""The dialog that takes a view out of the browser: its link, and the Python and command line that make it again."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import panel_material_ui as pmui

from ..data.layer_fields import BLUR, FIT_DAYS
from ..layers import FINE
from ..markup import Html, Markup, join
from ..state import State
from .controls import heading_html


def python_snippet(state: State) -> str:
    """Python that makes the array on the map, and its value at the picked place."""
    layer = state.shown_layer
    imports, lines = ["import cranpm"], ["", f'data = cranpm.open_dataset("{state.dataset}")']
    if layer.needs_run:
        lines += [
            f'maps = cranpm.forecast("{state.init_time}", leads=[{state.lead_time}], '
            f'checkpoint="{state.checkpoint}", data=data)',
            f"field = maps.pm2p5.sel(lead={state.lead_time})",
        ]
        if layer.key == "whatif":
            return "\n".join(_whatif_lines(state))
        if layer.key != "forecast":
            day = state.init_time if layer.key == "change" else state.valid_time
            lines.append(f'field = field - data.pm2p5("{day}")')
    elif layer.field:
        lines += _input_lines(state)
    else:
        more, made = _field_lines(state)
        imports += more
        lines += made
    return "\n".join(imports + lines + _place_lines(state))


def _whatif_lines(state: State) -> list[str]:
    lines = [
        "import cranpm",
        "from cranpm.forecasting.day import load_day",
        "from cranpm.forecasting.engine import run_forecast",
        "from cranpm.forecasting.interventions import intervene, switched",
        "",
        f'data = cranpm.open_dataset("{state.dataset}")',
        f'checkpoint = cranpm.load_checkpoint("{state.checkpoint}")',
        f"steps = {list(state.whatif)}",
        "statistics = checkpoint.require_statistics()",
        f'day = load_day(data, "{state.init_time}", statistics)',
        f'before = run_forecast(checkpoint.network, day, [{state.lead_time}], precision="auto")',
        "with switched(checkpoint.network, steps) as network:",
        "    changed = intervene(day, steps, statistics)",
        f'    after = run_forecast(network, changed, [{state.lead_time}], precision="auto")',
        f'field = data.pm2p5("{state.init_time}")',
        f"field[:] = after.fields[{state.lead_time}] - before.fields[{state.lead_time}]",
    ]
    return lines + _place_lines(state)


def _place_lines(state: State) -> list[str]:
    if not state.place:
        return []
    lat, lon = state.place
    return [f'print(float(field.sel(latitude={lat}, longitude={lon}, method="nearest")))']


def _input_lines(state: State) -> list[str]:
    layer = state.shown_layer
    today, before = f'"{state.init_time}"', f'"{state.init_time - dt.timedelta(days=1)}"'
    if not layer.input_day:
        if layer.field == "elevation":
            return ["field = data.static.elevation"]
        lat, lon = "data.static.latitude", "data.static.longitude"
        return [f"field = {lat} + 0 * {lon}" if layer.field == "latitude" else f"field = 0 * {lat} + {lon}"]

    def of(day: str) -> str:
        return (
            f"data.pm2p5({day})"
            if layer.field == FINE
            else f'data.coarse({day}).sel(channel="{layer.field}")'
        )

    named = {"t": of(today), "t-1": of(before), "change": f"{of(today)} - {of(before)}"}
    return [f"field = {named[layer.input_day]}"]


def _field_lines(state: State) -> tuple[list[str], list[str]]:
    """Imports, and lines that make a stored map or a baseline."""
    key, init, lead = state.layer, f'"{state.init_time}"', int(state.lead_time)
    nodes = [
        "box = data.domain.coarse_box",
        'field = xr.DataArray(nodes, {"latitude": box.lat, "longitude": box.lon}, ("latitude", "longitude"))',
    ]
    if key in ("today", "persistence", "target"):
        day = f'"{state.valid_time}"' if key == "target" else init
        return [], [f"field = data.pm2p5({day})"]
    if key == "cams":
        return ["import xarray as xr"], [f"nodes = data.cams_forecast({init})[{lead - 1}]", *nodes]
    if key == "cams_analysis":
        return [], [f'field = data.coarse({init}).sel(channel="pm2p5")']
    if key == "cams_on_today":
        imports = ["from cranpm.baselines.cams import add_change, on_fine_grid"]
        return imports, [
            f'change = data.cams_forecast({init})[{lead - 1}] - data.coarse({init}).sel(channel="pm2p5").values',
            "box, fine = data.domain.coarse_box, data.domain.fine",
            f"field = data.pm2p5({init})",
            "field[:] = add_change(field.values, on_fine_grid(change, box.lat, box.lon, fine))",
        ]
    if key == "blurred":
        imports = ["from cranpm.baselines.persistence import blurred_persistence"]
        return imports, [
            f"field = data.pm2p5({init})",
            f"field[:] = blurred_persistence(field.values, {BLUR:g})",
        ]
    imports = [
        "import numpy as np",
        "from cranpm.baselines.damped import fit_damped",
        "from cranpm.data.store.source import startable",
        "from cranpm.domain.resampling import consecutive_runs",
        "from cranpm.domain.splits import Splits",
    ]
    made = (
        f'usual.climatology.on(np.datetime64("{state.valid_time}"))'
        if key == "climatology"
        else f"usual.forecast(field.values, np.datetime64({init}), {lead})"
    )
    return imports, [
        f'days = consecutive_runs(startable(data.days, "train", Splits(), (1, 2, 3)), {FIT_DAYS}, (1, 2, 3))',
        "usual = fit_damped(lambda day: data.pm2p5(day).values, days)",
        f"field = data.pm2p5({init})",
        f"field[:] = {made}",
    ]


def command_snippet(state: State) -> str:
    """The command line that writes the forecast of this view."""
    return (
        f"cranpm forecast --init {state.init_time} --lead 1 2 3 "
        f"--checkpoint {state.checkpoint or 'demo'} --data {state.dataset} --out forecast_{state.init_time}.zarr"
    )


_CODE = (
    "padding:10px 12px;border-radius:8px;margin:4px 0 0;white-space:pre-wrap;overflow-wrap:anywhere;user-select:all;"
    "font:12.5px/1.5 ui-monospace,'DejaVu Sans Mono',monospace;background:var(--mui-palette-background-default);"
    "color:var(--mui-palette-text-primary)"
)


_PART = Markup(
    "<div style='margin-bottom:14px'>{title}<pre class='cranpm-code' style='{style}'>{text}</pre></div>"
)


class Share:
    """A button and its dialog."""

    def __init__(self, state: State, address: Callable[[], str]) -> None:
        self._state, self._address = state, address
        self.button = pmui.Button(
            label="Link and code",
            icon="share",
            variant="outlined",
            size="small",
            width=140,
            margin=(8, 10),
            sx={
                # in an app bar buttons are white, even those of a white bar
                "color": "inherit !important",
                "borderColor": "var(--mui-palette-divider) !important",
            },
        )
        self.button.on_click(lambda _event: self.open())
        self._text = Html("", sizing_mode="stretch_width", margin=(0, 4))
        # part of the page from the start: one that is added and opened in one step sometimes never shows
        self.dialog = pmui.Dialog(
            self._text,
            title="Take this view with you",
            close_on_click=True,
            show_close_button=True,
            width_option="md",
        )

    def open(self) -> None:
        """Write what the state says now and show the dialog."""
        state = self._state
        self._text.object = join(
            _PART.format(title=heading_html(title), style=_CODE, text=text)
            for title, text in (
                ("Link to this view", self._address()),
                ("Python", python_snippet(state)),
                ("Command line", command_snippet(state)),
            )
        )
        self.dialog.open = True
