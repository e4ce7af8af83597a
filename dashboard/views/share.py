"""The dialog that takes a view out of the browser: its link, and the Python and command line that make it again."""

from __future__ import annotations

from collections.abc import Callable

import panel_material_ui as pmui

from ..markup import Html, Markup, join
from ..state import State
from .controls import heading_html


def python_snippet(state: State) -> str:
    """Python that makes the array on the map, and its value at the picked place."""
    at = (
        f'\nprint(float(pm2p5.sel(latitude={state.place[0]}, longitude={state.place[1]}, method="nearest")))'
        if state.place
        else ""
    )
    today = f'Dataset.open(find_dataset("{state.dataset}").path).pm2p5("{state.init_time}")'
    if state.layer == "today":
        return f"{_IMPORT_DATA}\n\npm2p5 = {today}{at}"
    if state.layer == "target":
        return f"{_IMPORT_DATA}\n\npm2p5 = {today.replace(str(state.init_time), str(state.valid_time))}{at}"
    lines = [
        _IMPORT_FORECAST,
        "",
        f'run = forecast("{state.init_time}", leads=[{state.lead_time}], checkpoint="{state.checkpoint}", '
        f'dataset="{state.dataset}")',
        'pm2p5 = run["pm2p5"].isel(forecast_period=0)',
    ]
    if state.layer in ("change", "error"):
        day = state.init_time if state.layer == "change" else state.valid_time
        lines[0] = f"{_IMPORT_DATA}\n{_IMPORT_FORECAST}"
        lines.append(
            f'pm2p5 = pm2p5 - Dataset.open(find_dataset("{state.dataset}").path).pm2p5("{day}").drop_vars("time")'
        )
    return "\n".join(lines) + at


_IMPORT_DATA = "from cranpm.registry import find_dataset\nfrom cranpm.data.store.dataset import Dataset"
_IMPORT_FORECAST = "from cranpm.forecasting.api import forecast"


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
