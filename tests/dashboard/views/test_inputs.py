"""What the strip of inputs says, and what it must not say: nothing known is not nothing wrong."""

from __future__ import annotations

import html
from types import SimpleNamespace
from typing import Any

import pytest
from cranpm.dashboard.markup import Html
from cranpm.dashboard.views.inputs import InputStrip

from cranpm.data.input_ranges import UnusualInput
from cranpm.forecasting.service.run_folder import RunStatus

HARM = "<img src=x onerror=alert(1)>"


def strip(
    status: RunStatus | None, source: str = "ERA5, CAMS", content_hash: str = "0123456789abcdef"
) -> str:
    """The text that a browser gets."""
    shown = InputStrip(source, content_hash)
    shown.show(None if status is None else SimpleNamespace(status=status))  # type: ignore[arg-type]
    return shown_by(shown.text)


def shown_by(pane: Html) -> str:
    return html.unescape(pane._transform_object(pane.object)["object"])


def unusual(channel: str, share: float) -> dict[str, Any]:
    return UnusualInput(
        channel=channel, units="ug m-3", share=share, extreme=400.0, low=4.0, high=36.0
    ).to_dict()


def read(**facts: Any) -> RunStatus:
    return RunStatus(state="running", **{"missing_land": 0.0, "missing_coarse": 0.0} | facts)


def test_source_and_hash_are_told_whatever_runs() -> None:
    for status in (None, RunStatus(), read()):
        assert ">ERA5, CAMS<" in strip(status)
        assert ">0123456789ab<" in strip(status)
    assert ">no hash<" in strip(None, content_hash="")


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (None, "known once a forecast has read them"),
        (RunStatus(), "not read yet"),
        (RunStatus(state="running"), "not read yet"),
        (RunStatus(state="failed"), "not recorded with this forecast"),
        (RunStatus(state="done"), "not recorded with this forecast"),  # by an older version
    ],
)
def test_what_is_not_known_is_no_clean_bill(status: RunStatus | None, said: str) -> None:
    assert said in strip(status)
    assert "%" not in strip(status)
    assert "within" not in strip(status)


def test_gaps_are_percent_and_a_few_cells_are_not_none() -> None:
    said = strip(read(missing_land=0.0213, missing_coarse=2e-5))
    assert "2.1 % of the land today, &lt; 0.1 % of weather and composition" in said
    assert "0.0 % of the land today, 0.0 % of" in strip(read())


def test_inputs_within_the_range_are_told_as_such() -> None:
    # 35 coarse channels of two days, and the maps of both
    assert "All 72 inputs within 8 s.d. of the training period" in strip(read())


def test_inputs_beyond_it_are_counted_and_listed_the_most_of_them_first() -> None:
    said = strip(read(unusual_inputs=(unusual("no2@t", 0.01), unusual("pm10@t-1", 0.05))))
    assert "2 of 72 inputs beyond the training range" in said
    assert "within" not in said
    worst = "pm10@t-1: 5.00% of it beyond 4 to 36 ug m-3, as far as 400"
    assert 0 < said.index(worst) < said.index("no2@t: 1.00%")


def test_names_of_datasets_and_channels_are_text() -> None:
    said = strip(read(unusual_inputs=(unusual(HARM, 0.5),)), source=HARM, content_hash=HARM)
    assert "<img" not in said
    assert said.count("&lt;img src=x") == 3


def test_a_list_that_is_open_is_not_written_anew() -> None:
    shown = InputStrip("s", "h")
    run: Any = SimpleNamespace(status=read(unusual_inputs=(unusual("no2@t", 0.01),)))
    shown.show(run)
    before = shown.text.object
    run.status = read(unusual_inputs=(unusual("no2@t", 0.01),), done_tiles=3)
    shown.show(run)
    assert shown.text.object is before
