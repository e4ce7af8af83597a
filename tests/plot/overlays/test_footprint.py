"""A footprint lies on the map where its tokens lie."""

from __future__ import annotations

import holoviews as hv
import numpy as np
import pytest
import xarray as xr

from cranpm.plot.mercator import from_mercator, to_mercator
from cranpm.plot.overlays.footprint import plot_footprint

LATITUDE, LONGITUDE = np.arange(55.0, 38.0, -2.0), np.arange(1.0, 22.0, 2.0)


@pytest.fixture
def footprint():
    """The token at 47 N 9 E looks at itself (60 %) and at 47 N 7 E; the wind blows from the west."""
    attention = np.zeros((2, 3, LATITUDE.size, LONGITUDE.size))
    attention[..., 4, 4], attention[..., 4, 3] = 0.6, 0.4
    bridge = ("layer", "head", "latitude", "longitude")
    nodes = (8 * LATITUDE.size, 8 * LONGITUDE.size)
    wind = {"eastward_wind": np.full(nodes, 5.0), "northward_wind": np.zeros(nodes)}
    return xr.Dataset(
        {
            "attention": (bridge, attention),
            "wind_bias": (bridge, np.broadcast_to(9.0 - LONGITUDE, attention.shape) / 10),
            "elevation_bias": (("tile_latitude", "tile_longitude"), -np.ones((4, 4))),
            "path": (("point", "of_point"), [[0.0, 47.0, 9.0], [6.0, 47.0, 8.0], [12.0, 47.0, 7.2]]),
            **{name: (("node_latitude", "node_longitude"), values) for name, values in wind.items()},
        },
        {
            "latitude": LATITUDE,
            "longitude": LONGITUDE,
            "tile_latitude": 47.5 - 0.16 * np.arange(4),
            "tile_longitude": 8.5 + 0.16 * np.arange(4),
            "token_latitude": 47.0,
            "token_longitude": 9.0,
        },
        {"place": "47° N, 9° E", "when": "2022-01-11, T+1", "source": "testbed (simulated)"},
    )


def part(overlay, kind):
    return next(each for each in overlay if isinstance(each, kind))


def test_shares_lie_about_their_tokens_in_percent(footprint):
    cells = part(plot_footprint(footprint), hv.Rectangles).dframe()
    at = cells.loc[cells["value"].idxmax()]
    assert at["value"] == pytest.approx(60.0)
    (south, north), (west, east) = from_mercator([at["left"], at["right"]], [at["bottom"], at["top"]])
    assert (south, north, west, east) == pytest.approx((46.0, 48.0, 8.0, 10.0))
    assert (cells["alpha"] > 0).sum() == 2  # the map below stays legible where nothing is read


def test_a_layer_and_a_head_are_shown_alone(footprint):
    footprint.attention[0, 0] = np.roll(footprint.attention[0, 0], 1, axis=1)
    alone = part(plot_footprint(footprint, layer=0, head=0), hv.Rectangles).dframe()
    assert alone.loc[alone["value"].idxmax(), "longitude"] == 11.0
    assert "layer 0, head 0" in plot_footprint(footprint, layer=0, head=0).opts.get().kwargs["title"]


def test_the_view_is_true_in_aspect_and_holds_place_path_and_what_is_attended_to(footprint):
    options = plot_footprint(footprint).opts.get().kwargs
    (x0, x1), (y0, y1) = options["xlim"], options["ylim"]
    assert options["frame_height"] / options["frame_width"] == pytest.approx((y1 - y0) / (x1 - x0), rel=0.01)
    (south, north), (west, east) = from_mercator([x0, x1], [y0, y1])
    assert (south, north) == pytest.approx((40.0, 54.0))  # seven degrees to each side
    assert west < 6 < 10 < east
    tile = plot_footprint(footprint, "elevation_bias").opts.get().kwargs["ylim"]
    assert tile[1] - tile[0] < (y1 - y0) / 10


def test_the_map_below_is_upright_and_not_shifted(footprint):
    lat, lon = np.arange(60, 30, -0.1), np.arange(-5, 30, 0.1)
    hot = np.where((abs(lat[:, None] - 49.0) < 0.3) & (abs(lon - 5.0) < 0.3), 50.0, 5.0)
    hot[lat < 45] = np.nan
    over = xr.DataArray(hot, {"latitude": lat, "longitude": lon}, ("latitude", "longitude"))
    image = part(plot_footprint(footprint, over=over), hv.Image)
    drawn = image.dframe()
    middle = drawn[drawn["pm2p5"] > 25][["x", "y"]].mean()
    assert from_mercator(*middle) == pytest.approx((49.0, 5.0), abs=0.06)
    _, limit = to_mercator(44.9, 0.0)
    assert drawn.loc[drawn["y"] < limit, "pm2p5"].isna().all()  # a gap stays a gap
    x, y = to_mercator(50.0, 10.0)
    assert image[float(x), float(y)] == pytest.approx(5.0)


def test_marks_are_drawn_as_asked_for(footprint):
    assert [type(e).__name__ for e in plot_footprint(footprint, marks=())].count("Points") == 1  # the place
    ages = [e for e in plot_footprint(footprint, marks=["path"]) if isinstance(e, hv.Points)]
    assert ages[0].dimension_values("age").tolist() == [6.0, 12.0]
    few, more = (
        len([e for e in plot_footprint(footprint, marks=m) if isinstance(e, hv.Path)]) for m in ([], ["wind"])
    )
    assert more == few + 2  # lines, and wider white ones below them


def test_what_bokeh_draws_has_a_unit(footprint):
    (bar,) = hv.render(plot_footprint(footprint), backend="bokeh").right
    assert bar.title == "Share of attention per coarse token (%)"


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (
            {"what": "saliency"},
            "has the layers attention, wind_bias, elevation_bias, height_damping; got 'sal",
        ),
        ({"what": "height_damping"}, "has no height_damping; it has attention, wind_bias, elevation_bias"),
        ({"layer": 2}, "The bridge has 2 layers, counted from 0.*got 2"),
        ({"head": -1}, "The bridge has 3 heads, counted from 0.*got -1"),
        ({"marks": ["rain"]}, "Marks are wind, path, scan; got 'rain'"),
    ],
)
def test_what_there_is_not_is_refused(footprint, request_, message):
    with pytest.raises(ValueError, match=message):
        plot_footprint(footprint, **request_)


def test_another_thing_is_refused(footprint):
    with pytest.raises(TypeError, match=r"what cranpm.footprint_at returns; got DataArray"):
        plot_footprint(footprint.attention)
