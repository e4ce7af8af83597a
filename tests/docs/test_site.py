"""What the site makes of names and outputs, without building it."""

from __future__ import annotations

import pytest

pytest.importorskip("sphinx")


@pytest.fixture(scope="module")
def tutorials(load_file):
    return load_file("docs/_ext/tutorials.py")


@pytest.fixture(scope="module")
def api_pages(load_file):
    return load_file("docs/_ext/api_pages.py")


def test_a_progress_bar_is_shown_as_it_was_last(tutorials):
    text = (
        "Forecast from 2022-01-04: 0tile [00:00, ?tile/s]\n"
        "Forecast from 2022-01-04:   1%|          | 1/131 [00:09<20:47,  9.60s/tile]\n"
        "Forecast from 2022-01-04: 100%|##########| 131/131 [10:24<00:00,  4.77s/tile]\n"
        "Score demo: 100%|##########| 3/3 [00:24<00:00,  4.77s/day]\n"
        "done\n"
    )
    assert tutorials.as_a_terminal_ends(text).splitlines() == text.splitlines()[2:]


def test_lines_that_are_no_bar_stay_all(tutorials):
    text = "RMSE: 1.2 [0.9, 1.5]\nRMSE: 1.3 [1.0, 1.6]\n\nepoch 1 of 2: 3 s\nepoch 2 of 2: 3 s"
    assert tutorials.as_a_terminal_ends(text) == text


@pytest.mark.parametrize(
    ("written", "explained"),
    [
        (
            "cranpm.data.DaySource",
            "cranpm.data.store.source.DaySource",
        ),  # as an import takes it from the room
        ("cranpm.forecasting.api.forecast", "cranpm.forecast"),  # of the front door, which has a page for it
        ("cranpm.model.network.CranPM", "cranpm.model.network.CranPM"),
        ("cranpm.nowhere.Thing", "cranpm.nowhere.Thing"),
    ],
)
def test_a_name_is_found_where_it_is_explained(api_pages, written, explained):
    assert api_pages._where_explained(written) == [explained]
