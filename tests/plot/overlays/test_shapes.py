"""What is drawn over the map lies where it belongs: cells about tokens, arrows downwind, the scan upwind first."""

from __future__ import annotations

import numpy as np
import pytest

from cranpm.plot.mercator import from_mercator
from cranpm.plot.overlays.shapes import arrows, cells, path, scan, shown_layer

LATITUDE, LONGITUDE = np.array([46.0, 44.0, 42.0]), np.array([6.0, 8.0, 10.0, 12.0])


def footprint(**more):
    attention = np.zeros((2, 2, 3, 4))
    attention[0, :, 1, 2] = 1.0  # layer 1 looks at 44 N 10 E alone
    attention[1, 0, 0, 0], attention[1, 1, 2, 3] = 1.0, 1.0
    return {
        "attention": attention,
        "wind_bias": -attention,
        "latitude": LATITUDE,
        "longitude": LONGITUDE,
    } | more


def test_cells_reach_half_a_token_to_all_sides_and_hold_the_share():
    shown = shown_layer(footprint(), "attention", layer=0)
    columns = cells(shown, 0.8)
    brightest = int(np.argmax(columns["alpha"]))
    (south, north), (west, east) = from_mercator(
        np.array([columns["left"][brightest], columns["right"][brightest]]),
        np.array([columns["bottom"][brightest], columns["top"][brightest]]),
    )
    assert (south, north, west, east) == pytest.approx((43.0, 45.0, 9.0, 11.0))
    assert columns["alpha"][brightest] == pytest.approx(0.8)
    assert np.count_nonzero(columns["alpha"]) == 1  # nothing is drawn where nothing is read
    assert shown.scale.high == 100.0
    assert shown.scale.units == "%"


def test_the_mean_over_layers_and_heads_shares_the_attention():
    """Half of it at the token that layer 1 looks at, a quarter at each of the two of layer 2."""
    values = shown_layer(footprint(), "attention").values
    assert (values[1, 2], values[0, 0], values[2, 3]) == (50.0, 25.0, 25.0)
    assert shown_layer(footprint(), "attention", layer=1, head=0).values[0, 0] == 100.0
    assert shown_layer(footprint(), "attention", layer=9).values[1, 2] == 50.0  # a link for another network


def test_what_the_network_lacks_is_not_drawn_and_gaps_have_no_cell():
    assert shown_layer(footprint(elevation_bias=None), "elevation_bias") is None
    damping = np.array([[0.5, np.nan], [1.0, 0.25]])
    axes = {"tile_latitude": np.array([46.0, 45.0]), "tile_longitude": np.array([8.0, 9.0])}
    shown = shown_layer(footprint(height_damping=damping, **axes), "height_damping")
    assert len(cells(shown, 1.0)["left"]) == 3
    assert (shown.scale.low, shown.scale.high) == (0.0, 1.0)


def test_tokens_that_cannot_be_attended_to_have_no_cell():
    valid = np.ones((3, 4), bool)
    valid[:, 3] = False
    shown = shown_layer(footprint(valid=valid), "wind_bias")
    assert len(cells(shown, 1.0)["left"]) == 9


def test_arrows_point_to_where_the_air_goes():
    wind = np.zeros((2, 24, 32))
    wind[0], wind[1, :8] = 5.0, 5.0  # towards the east, in the north towards the north-east
    columns = arrows(wind, LATITUDE, LONGITUDE)
    assert len(columns["xs"]) == 12
    (x0, x1, *_), (y0, y1, *_) = columns["xs"][0], columns["ys"][0]
    assert x1 > x0
    assert y1 > y0
    (x0, x1, *_), (y0, y1, *_) = columns["xs"][-1], columns["ys"][-1]
    assert x1 > x0
    assert y1 == y0
    assert arrows(np.full((2, 24, 32), np.nan), LATITUDE, LONGITUDE)["xs"] == []


def test_the_scan_goes_through_its_group_in_the_order_of_the_run():
    """Upwind first: a wind towards the south is read from the northern row down."""
    order = np.arange(49)[None]
    lat = 60.0 - 2 * np.arange(7)
    lon = 2.0 * np.arange(7)
    columns = scan({"order": order, "latitude": lat, "longitude": lon})
    (xs,), (ys,) = columns["xs"], columns["ys"]
    first, last = from_mercator(xs[0], ys[0]), from_mercator(xs[48], ys[48])
    assert np.round(first, 6).tolist() == [60.0, 0.0]
    assert np.round(last, 6).tolist() == [48.0, 12.0]
    assert scan({"order": None, "latitude": lat, "longitude": lon})["xs"] == []


def test_groups_follow_each_other_row_by_row_and_padding_is_left_out():
    lat, lon = 60.0 - 2 * np.arange(7), 2.0 * np.arange(10)  # 7 + 3 columns: the second group is padded
    columns = scan({"order": np.tile(np.arange(49), (2, 1)), "latitude": lat, "longitude": lon})
    assert [len(xs) for xs in columns["xs"]] == [49 + 3, 21 + 3]  # and three points of the head
    assert from_mercator(columns["xs"][1][0], columns["ys"][1][0])[1] == pytest.approx(14.0)


def test_the_path_ends_at_the_place_and_a_network_without_transport_has_none():
    line, dots = path(np.array([[0.0, 45.0, 9.0], [6.0, 45.5, 8.0]]))
    assert from_mercator(line["xs"][0][0], line["ys"][0][0]) == pytest.approx((45.0, 9.0))
    assert len(dots["x"]) == 1
    assert path(None)[0]["xs"] == []
