"""What `cranpm.plot_map` draws, and that it is true in aspect."""

from __future__ import annotations

import holoviews as hv
import numpy as np
import pytest
import xarray as xr

from cranpm.domain import REGIONS
from cranpm.plot import field_map, plot_map

LAT, LON = 50 - (np.arange(600) + 0.5) * 0.01, 5 + (np.arange(800) + 0.5) * 0.01


def labelled(values, lat=LAT, lon=LON):
    attrs = {"units": "ug m-3", "long_name": "PM2.5, daily mean", "source": "testbed (simulated)"}
    coords = {"latitude": lat, "longitude": lon, "time": np.datetime64("2022-01-11", "ns")}
    return xr.DataArray(values.astype(np.float32), coords, ("latitude", "longitude"), attrs=attrs)


@pytest.fixture
def field():
    """Latitude as PM2.5; the western half is missing."""
    values = np.broadcast_to(LAT[:, None], (600, 800)).copy()
    values[:, :400] = np.nan
    return labelled(values)


def figure(element):
    return hv.render(element, backend="bokeh")


@pytest.mark.parametrize("flip", [False, True])
def test_north_is_up_and_gaps_stay_empty_whatever_the_order_of_latitude(field, flip):
    image = plot_map(field[::-1] if flip else field, width=80)
    value = image.dimension_values("pm2p5", flat=False)
    lat = image.dimension_values("latitude", expanded=False)
    # 800 columns on 80 pixels: blocks of 10 cells, whose mean latitude is that of their middle
    assert value.shape == (60, 80)
    assert np.isnan(value[:, :40]).all()
    np.testing.assert_allclose(value[:, 40:], np.broadcast_to(lat[:, None], (60, 40)), atol=1e-4)


def test_a_block_is_the_mean_of_its_known_cells_and_edges_are_kept():
    values = np.full((25, 25), 4.0)
    values[0, 0] = np.nan  # of the north-western cells
    values[20:, 24] = 8.0  # the southern end of the last column
    image = plot_map(labelled(values, LAT[:25], LON[:25]), width=2)
    drawn = image.dimension_values("pm2p5", flat=False)
    # blocks of 12 x 12 from the south-west; what is left over is a block of its own
    assert drawn.shape == (3, 3)
    assert drawn[2, 0] == 4.0  # eleven of its twelve cells are known
    assert drawn[0, 2] == pytest.approx((5 * 8 + 7 * 4) / 12)


@pytest.mark.parametrize(("south", "degrees"), [(30, 42), (60, 6), (-3, 6)])
def test_a_map_is_not_stretched(south, degrees):
    lat = south + (np.arange(10 * degrees) + 0.5) * 0.1
    lon = (np.arange(700) + 0.5) * 0.1
    for draw in (plot_map, field_map):
        shown = figure(draw(labelled(np.ones((lat.size, lon.size)), lat, lon)))
        # a degree of longitude is cos(latitude) as long as one of latitude: pixels of the frame, in the same ratio
        east = shown.frame_width / 70 / np.cos(np.deg2rad(lat.mean()))
        assert shown.frame_height / degrees == pytest.approx(east, rel=0.02)


def test_a_tall_map_is_made_narrower_not_squeezed():
    lat, lon = (np.arange(400) + 0.5) * 0.1, (np.arange(50) + 0.5) * 0.1
    shown = figure(field_map(labelled(np.ones((400, 50)), lat, lon)))
    # 40 by 5 degrees around 20 north: 8 / cos(20)
    assert shown.frame_height / shown.frame_width == pytest.approx(8 / np.cos(np.deg2rad(20)), rel=0.02)


def test_the_colour_bar_tells_the_unit_and_its_label_has_room(field):
    (bar,) = figure(plot_map(field)).right
    assert bar.title == "PM2.5, 24-h mean (µg/m³)"
    assert bar.title_standoff >= 8


def test_a_map_says_its_day_and_that_it_is_simulated(field):
    assert figure(plot_map(field)).title.text == "PM2.5, daily mean, 2022-01-11, testbed (simulated)"
    assert figure(plot_map(field, title="Mine")).title.text == "Mine"


def test_a_field_with_negative_values_is_a_change(field):
    low, high = plot_map(field - 47).opts.get().kwargs["clim"]
    assert low == -high
    low, high = plot_map(field).opts.get().kwargs["clim"]
    assert low == 0


def test_classes_keep_their_bounds(field):
    kwargs = plot_map(field, scale="eaqi").opts.get().kwargs
    # concentrations are rounded half up before they are classed: 5.4 is Good, 5.5 is Fair (6 to 15)
    assert kwargs["color_levels"][:4] == [0.0, 5.5, 15.5, 50.5]
    assert len(kwargs["cmap"]) == len(kwargs["color_levels"]) - 1 == 6


def test_a_region_is_drawn_on_a_projection_and_fills_its_frame():
    region = REGIONS["po_valley"]
    lat, lon = np.arange(43, 48, 0.02), np.arange(5.5, 15, 0.02)
    values = np.broadcast_to(lat[:, None], (lat.size, lon.size))
    overlay = plot_map(labelled(values, lat, lon), region="po_valley", width=200)
    image = next(part for part in overlay if isinstance(part, hv.element.raster.Image))
    drawn = image.dimension_values("pm2p5", flat=False)
    assert drawn.shape[1] == 200
    assert np.isfinite(drawn).all()
    # the middle of the frame is the middle of the box, the corner's value its latitude, to a pixel of 0.02 degrees
    assert drawn[drawn.shape[0] // 2, 100] == pytest.approx((region.south + region.north) / 2, abs=0.05)
    options = overlay.opts.get().kwargs
    east = options["xlim"][1] - options["xlim"][0]
    north = options["ylim"][1] - options["ylim"][0]
    assert options["frame_height"] / options["frame_width"] == pytest.approx(north / east, rel=0.01)


def test_a_region_holds_the_outlines_of_its_frame_only():
    """All coasts of the world at this detail are 400,000 points, ten megabytes in a page."""
    lat, lon = np.arange(43, 48, 0.02), np.arange(5.5, 15, 0.02)
    overlay = plot_map(labelled(np.ones((lat.size, lon.size)), lat, lon), region="po_valley", width=200)
    limits = overlay.opts.get().kwargs
    lines = [part for part in overlay if isinstance(part, hv.Path)]
    assert len(lines) == 2  # coasts and borders: Italy has both here
    for each in lines:
        x, y = each.dimension_values("x"), each.dimension_values("y")  # NaN between lines
        inside = (limits["xlim"][0] < x) & (x < limits["xlim"][1])
        inside &= (limits["ylim"][0] < y) & (y < limits["ylim"][1])
        assert 100 < inside.sum() < x.size < 10_000


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.to_dataset(name="pm2p5"), r"maps\.pm2p5\.sel\(lead=1\)"),
        (lambda f: f.expand_dims(lead=[1, 2]), r"select one lead, such as \.sel\(lead=\.\.\.\)"),
        (lambda f: f.assign_attrs(units="m"), "cranpm.plot.field_map draws any field"),
    ],
)
def test_what_is_no_map_of_pm2p5_is_refused(field, change, message):
    with pytest.raises((TypeError, ValueError), match=message):
        plot_map(change(field))


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({"scale": "rainbow"}, "Scales are continuous, eaqi, change"),
        ({"region": "mars"}, "No region 'mars'; known: po_valley"),
        ({"region": "balkans"}, "has no cell in this field"),
    ],
)
def test_unknown_scales_and_regions_are_refused(field, request_, message):
    with pytest.raises(ValueError, match=message):
        plot_map(field, **request_)


def test_a_zoomable_map_is_the_mean_from_afar_and_single_cells_from_near(field):
    whole = plot_map(field, zoomable=True, width=100)
    assert isinstance(whole, hv.DynamicMap)
    far = whole[()]
    # 800 columns on 100 pixels; Datashader takes the mean of those that a pixel holds
    assert far.dimension_values("pm2p5", flat=False).shape[1] == 100
    lat = far.dimension_values("latitude", expanded=False)
    values = far.dimension_values("pm2p5", flat=False)
    assert np.isnan(values[:, :49]).all()  # the western half is missing
    np.testing.assert_allclose(values[:, 55], lat, atol=0.05)  # a pixel is 0.08 degrees high
    near = plot_map(field, zoomable=True, width=100)
    near.event(x_range=(10.0, 10.1), y_range=(47.0, 47.1))
    cells = near[()].dimension_values("pm2p5", flat=False)
    rows = np.unique(cells[np.isfinite(cells)])
    # ten rows of cells, whose values are the latitudes of their middles, and the two at the edges
    assert 9 <= rows.size <= 12
    np.testing.assert_allclose(np.diff(rows), 0.01, atol=1e-4)


def test_a_zoomable_map_has_its_frame_its_colours_and_its_title(field):
    shown = figure(plot_map(field, zoomable=True, width=200))
    assert (shown.frame_width, shown.title.text[:5]) == (200, "PM2.5")
    assert shown.frame_height / 6 == pytest.approx(200 / 8 / np.cos(np.deg2rad(47)), rel=0.02)
    assert len(shown.right) == 1
    with pytest.raises(ValueError, match="plot_map zooms in the whole map only"):
        plot_map(field, zoomable=True, region="po_valley")
