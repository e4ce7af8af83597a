"""The table of stations: what the circles on the map say, for those who do not see or point at them.

Everything works by keyboard: the order is chosen in a list, pages are turned by buttons, and the box of a row opens its
station.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

import pandas as pd
import panel as pn
import panel.models.tabulator  # its scripts belong to the page from the start
import panel_material_ui as pmui
from bokeh.models.widgets.tables import NumberFormatter
from param.parameterized import Event

from ...background import Latest
from ...data.pictures import Picture
from ...data.stations import station_rows
from ...data.store import Store
from ...markup import Html, Markup, without_paths
from ...state import long_date
from ...theme import DIALOG_SX, SOFT

log = logging.getLogger(__name__)

COLUMNS: dict[str, str] = {
    "name": "Name",
    "country": "Country",
    "station_type": "Type",
    "area": "Area",
    "altitude": "Height [m]",
    "terrain_complexity": "σz [m]",
    "observed": "Observed",
    "shown": "Map",
    "difference": "Difference",
}
"""Columns of the table, with their titles; concentrations in ug m-3."""

WORDS = ("name", "country", "station_type", "area")
PAGE_ROWS = 11

_TEXT = Markup(f"<div class='cranpm-stations' style='font-size:12.5px;{SOFT}'>{{}}</div>")
_STYLE = """
:host { --bs: var(--mui-palette-divider); }
.tabulator, .tabulator .tabulator-header, .tabulator .tabulator-header .tabulator-col, .tabulator .tabulator-footer,
.tabulator .tabulator-tableholder, .tabulator .tabulator-row {
  font-size: 13px !important; background: transparent !important; color: var(--mui-palette-text-primary) !important;
  border-color: var(--mui-palette-divider) !important;
}
.tabulator .tabulator-row.tabulator-selectable:hover { background: var(--mui-palette-action-hover) !important; }
.tabulator .tabulator-row .tabulator-cell { padding: 4px 10px !important; }
.tabulator .tabulator-footer .tabulator-page { color: inherit !important; background: transparent !important; }
.tabulator .tabulator-footer .tabulator-page.active { text-decoration: underline; font-weight: 700; }
"""


class StationTable:
    """A dialog; filled when it is opened.

    Parameters
    ----------
    store : Store
    on_pick : callable
        Called with latitude, longitude and id of the station that is to be opened.
    """

    def __init__(self, store: Store, *, on_pick: Callable[[float, float, str], None]) -> None:
        self._store, self._on_pick = store, on_pick
        self._questions = Latest(pn.state.curdoc)
        self._rows = pd.DataFrame()
        self._shown = pd.DataFrame()
        self.text = Html("", sizing_mode="stretch_width", margin=(0, 4, 6, 4))
        self.find = pmui.TextInput(
            label="Find a name or id", value="", size="small", width=220, margin=(4, 8, 4, 4)
        )
        self.order = pmui.Select(
            label="Sort by", options={title: name for name, title in COLUMNS.items()}, value="name", size="small",
            width=180, margin=(4, 8, 4, 4),
        )  # fmt: skip
        self.descending = pmui.Switch(label="Largest first", value=False, margin=(12, 4, 4, 4))
        self.find.param.watch(lambda _event: self._fill(), "value")
        self.order.param.watch(lambda _event: self._sort(), "value")
        self.descending.param.watch(lambda _event: self._sort(), "value")
        self._place = pn.Column(sizing_mode="stretch_width", margin=0, min_height=440)
        self.table: pn.widgets.Tabulator | None = None
        self.dialog = pmui.Dialog(
            pn.Column(
                self.text,
                pn.Row(self.find, self.order, self.descending, margin=0),
                self._place,
                sizing_mode="stretch_width",
                styles={"width": "min(1130px, 84vw)"},
            ),
            title="Stations",
            close_on_click=True,
            show_close_button=True,
            sx=DIALOG_SX,
            width_option="lg",
        )

    def open(self, picture: Picture) -> None:
        """Show the stations of a picture: its filters, its day, its map."""
        state = picture.state
        concentrations = picture.field_id and state.shown_layer.is_concentration
        self.text.object = _TEXT.format("Reading the stations …")
        self.dialog.open = True

        def read() -> pd.DataFrame:
            field = self._store.fields.field(picture.field_id) if concentrations else None
            return station_rows(self._store, state, state.shown_time, field)

        def then(rows: pd.DataFrame | None, error: BaseException | None) -> None:
            if rows is None:
                log.error("The stations could not be read", exc_info=error)
                self.text.object = _TEXT.format(without_paths(f"The stations cannot be read: {error}"))
                return
            what = state.shown_layer.title.lower() if concentrations else "no concentrations on the map"
            self._about = (
                f"{{}} of {len(rows)} stations · observed on {long_date(state.shown_time)}: "
                f"{int(rows['observed'].notna().sum())} · map: {what} · difference: map − observed · µg/m³, 24-h mean"
            )
            self._rows = rows
            self._fill()

        self._questions.ask(read, then)

    def _fill(self) -> None:
        rows, wanted = self._rows, self.find.value.strip().casefold()
        if wanted:
            text = rows["name"].astype(str) + " " + rows["station_id"].astype(str)
            rows = rows[text.str.casefold().str.contains(wanted, regex=False)]
        self._shown = rows.reset_index(drop=True)
        self.text.object = _TEXT.format(self._about.format(len(rows)))
        value = self._shown.reindex(columns=list(COLUMNS))
        for name in COLUMNS:
            if name in WORDS:
                value[name] = value[name].astype(object).where(value[name].notna(), "unknown").astype(str)
            else:
                value[name] = value[name].astype(float)
        if self.table is None:
            self.table = self._new_table(value)
            self._place[:] = [self.table]
        else:
            self.table.param.update(value=value, selection=[], page=1)

    def _new_table(self, value: pd.DataFrame) -> pn.widgets.Tabulator:
        table = pn.widgets.Tabulator(
            value,
            titles=COLUMNS,
            show_index=False,
            disabled=True,
            selectable="checkbox-single",
            pagination="local",
            page_size=PAGE_ROWS,
            sorters=self._sorters(),
            layout="fit_columns",
            sizing_mode="stretch_width",
            # names come from files: plain text never becomes HTML, and Tabulator's own guess would
            formatters={
                name: {"type": "plaintext"}
                if name in WORDS
                else NumberFormatter(format="0.0", nan_format="–")
                for name in COLUMNS
            },
            row_height=32,
            text_align={name: "left" if name in WORDS else "right" for name in COLUMNS},
            header_align={name: "left" if name in WORDS else "right" for name in COLUMNS},
            widths={"name": 230},
            stylesheets=[_STYLE],
        )
        table.param.watch(self._selected, "selection")
        return table

    def _sort(self) -> None:
        if self.table is not None:
            self.table.sorters = self._sorters()

    def _sorters(self) -> list[dict[str, str]]:
        return [{"field": self.order.value, "dir": "desc" if self.descending.value else "asc"}]

    def _selected(self, event: Event) -> None:
        if not event.new:
            return
        station = self._shown.iloc[int(event.new[0])]
        self.dialog.open = False
        assert self.table is not None
        self.table.selection = []
        self._on_pick(float(station["latitude"]), float(station["longitude"]), str(station["station_id"]))
