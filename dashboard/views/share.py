"""The dialog that takes a view out of the browser: its link, and the Python and command line that make it again."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import panel as pn
import panel_material_ui as pmui

from cranpm.baselines.persistence import USUAL_BLUR

from ..data.layer_fields import FIT_DAYS
from ..layers import FINE, WHATIF_BESIDE
from ..markup import Html, Markup, join
from ..state import State
from ..theme import DIALOG_SX
from .controls import heading_html


def python_snippet(state: State, precision: str = "") -> str:
    """Python that makes the array on the map, and its value at the picked place.

    ``precision`` is that of the run on the map: elsewhere "auto" may choose another, whose last digits differ.
    """
    exact = f', precision="{precision}"' if precision else ""
    layer = state.shown_layer
    imports, lines = ["import cranpm"], ["", f'data = cranpm.open_dataset("{state.dataset}")']
    if layer.needs_run:
        lines += [
            f'maps = cranpm.forecast("{state.init_time}", leads=[{state.lead_time}], '
            f'checkpoint="{state.checkpoint}", data=data{exact})',
            f"field = maps.pm2p5.sel(lead={state.lead_time})",
        ]
        if layer.key in ("whatif", WHATIF_BESIDE.key):
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
    lead, difference = state.lead_time, state.layer == "whatif"
    before = f'before = run_forecast(checkpoint.network, day, [{lead}], precision="auto")'
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
        *([before] if difference else []),
        "with switched(checkpoint.network, steps) as network:",
        "    changed = intervene(day, steps, statistics)",
        f'    after = run_forecast(network, changed, [{lead}], precision="auto")',
        f'field = data.pm2p5("{state.init_time}")',
        f"field[:] = after.fields[{lead}]" + (f" - before.fields[{lead}]" if difference else ""),
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
            f"field[:] = blurred_persistence(field.values, {USUAL_BLUR:g})",
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


def command_snippet(state: State, precision: str = "") -> str:
    """The command line that writes the forecast of this view; ``precision`` as for `python_snippet`."""
    exact = f" --precision {precision}" if precision else ""
    return (
        f"cranpm forecast --init {state.init_time} --lead 1 2 3 "
        f"--checkpoint {state.checkpoint or 'demo'} --data {state.dataset} --out forecast_{state.init_time}.zarr{exact}"
    )


_CODE = (
    "padding:10px 12px;border-radius:8px;margin:4px 0 0;white-space:pre-wrap;overflow-wrap:anywhere;user-select:all;"
    "font:12.5px/1.5 ui-monospace,'DejaVu Sans Mono',monospace;background:var(--mui-palette-background-default);"
    "color:var(--mui-palette-text-primary)"
)


_PART = Markup(
    "<div style='margin-bottom:14px'>{title}<pre class='cranpm-code' style='{style}'>{text}</pre></div>"
)


FILES: dict[str, tuple[str, str]] = {
    "map.png": ("Picture (PNG)", "image"),
    "map.nc": ("NetCDF", "grid_on"),
    "map.tif": ("GeoTIFF", "map"),
    "stations.csv": ("Stations (CSV)", "table_rows"),
    "series.csv": ("Series (CSV)", "show_chart"),
    "report.html": ("Report of the place", "description"),
}
"""Files of a view, see `dashboard.server.downloads`: title and icon."""

OF_A_PLACE = ("series.csv", "report.html")


_ABOUT = Markup(
    "<div style='font-size:12px;margin:2px 0 4px;color:var(--mui-palette-text-secondary)'>{}</div>"
)


def _about_files(state: State) -> str:
    where = "the drawn box" if state.box is not None else "the named region, or what is in view"
    place = "" if state.place is not None else " Series and report are of a place: pick one first."
    what = "the values of map A" if state.compare else "the values of the map"
    return f"Map files hold {where}: {what}, with their source.{place}"


class Share:
    """A button and its dialog.

    Parameters
    ----------
    state : State
    address, tiles, precision : callable
        Give the page's address, the path of the map's tiles below the server, and the precision of the run on the map;
        empty where there are none.
    """

    def __init__(
        self,
        state: State,
        address: Callable[[], str],
        *,
        tiles: Callable[[], str],
        precision: Callable[[], str],
    ) -> None:
        self._state, self._address, self._tiles, self._precision = state, address, tiles, precision
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
        self.files = {
            name: pmui.Button(
                label=title,
                icon=icon,
                variant="outlined",
                size="small",
                margin=(2, 6, 4, 0),
                href="#",
                target="_blank",
            )
            for name, (title, icon) in FILES.items()
        }
        self._about = Html("", sizing_mode="stretch_width", margin=(0, 4, 2, 4))
        # part of the page from the start: one that is added and opened in one step sometimes never shows
        self.dialog = pmui.Dialog(
            pn.Column(
                self._about,
                pn.FlexBox(*self.files.values(), margin=(0, 4, 10, 4), sizing_mode="stretch_width"),
                self._text,
                sizing_mode="stretch_width",
                margin=0,
            ),
            title="Take this view with you",
            close_on_click=True,
            show_close_button=True,
            sx=DIALOG_SX,
            width_option="md",
        )

    def open(self) -> None:
        """Write what the state says now and show the dialog."""
        state = self._state
        query = state.to_query()
        for name, button in self.files.items():
            button.href = f"take/{name}?{query}"
            button.disabled = state.place is None if name in OF_A_PLACE else False
        self._about.object = join([heading_html("Files"), _ABOUT.format(_about_files(state))])
        base = self._address().split("?")[0].rsplit("/", 1)[0]
        tiles = self._tiles()
        more = (
            (("Tiles of this map for QGIS (XYZ), as long as this server runs", f"{base}/{tiles}"),)
            if tiles
            else ()
        )
        letter = ""
        second: tuple[tuple[str, str], ...] = ()
        if state.compare:
            letter = " of map A"
            second = (("Python of map B", python_snippet(State(place=state.place, **state.other))),)
        self._text.object = join(
            _PART.format(title=heading_html(title), style=_CODE, text=text)
            for title, text in (
                ("Link to this view", self._address()),
                (f"Python{letter}", python_snippet(state, self._precision())),
                *second,
                (f"Command line{letter}", command_snippet(state, self._precision())),
                *more,
            )
        )
        self.dialog.open = True
