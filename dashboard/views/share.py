"""The dialog that takes a view out of the browser: its link, and the Python and command line that make it again."""

from __future__ import annotations

from collections.abc import Callable

import panel_material_ui as pmui

from ..markup import Html, Markup, join
from ..state import State
from .controls import heading_html


def python_snippet(state: State) -> str:
    """Python that makes the array on the map, and its value at the picked place."""
    lines = ["import cranpm", "", f'data = cranpm.open_dataset("{state.dataset}")']
    if state.layer in ("today", "target"):
        day = state.init_time if state.layer == "today" else state.valid_time
        lines.append(f'pm2p5 = data.pm2p5("{day}")')
    else:
        lines += [
            f'maps = cranpm.forecast("{state.init_time}", leads=[{state.lead_time}], '
            f'checkpoint="{state.checkpoint}", data=data)',
            f"pm2p5 = maps.pm2p5.sel(lead={state.lead_time})",
        ]
    if state.layer in ("change", "error"):
        day = state.init_time if state.layer == "change" else state.valid_time
        lines.append(f'pm2p5 = pm2p5 - data.pm2p5("{day}")')
    if state.place:
        lat, lon = state.place
        lines.append(f'print(float(pm2p5.sel(latitude={lat}, longitude={lon}, method="nearest")))')
    return "\n".join(lines)


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
