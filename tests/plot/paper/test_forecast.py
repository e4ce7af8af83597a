"""Figure 1: boxes on the whole map, and stations in the same colours as the forecast under them."""

from __future__ import annotations

import cartopy.crs as ccrs
import holoviews as hv
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from cranpm.domain import REGIONS, Region
from cranpm.plot.paper.forecast import FOUR, forecast_figure

LAT, LON = np.arange(59.975, 40, -0.05), np.arange(-4.975, 25, 0.05)  # north first, as forecasts are
DAY = np.datetime64("2022-01-10", "ns")


@pytest.fixture
def forecast():
    """10 everywhere, and nothing south of 45 degrees."""
    values = np.where(LAT[:, None] < 45, np.nan, 10.0) + 0 * LON
    return xr.DataArray(values, {"latitude": LAT, "longitude": LON, "time": DAY}, ("latitude", "longitude"))


@pytest.fixture
def observations():
    """Po Valley: 7 and 15 in the forecast's cells, one where nothing is forecast, one without a value; one in Paris."""
    rows = [
        (45.5, 9.2, 7.0),
        (45.6, 10.0, 15.0),
        (44.5, 11.3, 40.0),
        (45.1, 7.7, np.nan),
        (48.86, 2.35, 12.0),
    ]
    return pd.DataFrame(rows, columns=["latitude", "longitude", "pm2p5"]).assign(time=DAY)


def title(element):
    return element.opts.get().kwargs["title"]


def of_kind(element, kind):
    return [part for part in element if isinstance(part, kind)]


def degrees(points, projection=None):
    projection = projection or ccrs.LambertAzimuthalEqualArea(central_longitude=10, central_latitude=52)
    return ccrs.PlateCarree().transform_points(projection, points[0], points[1])[:, :2]


def test_circles_are_the_stations_of_the_box_that_have_a_value(forecast, observations):
    layout = forecast_figure(forecast, observations, regions=("po_valley", "paris", "silesia"), width=200)
    whole, po, paris, *rest = [part for part in layout if not isinstance(part, hv.Empty)]
    assert len(rest) == 1
    (points,) = of_kind(po, hv.Points)
    np.testing.assert_array_equal(points.dimension_values("pm2p5"), [7.0, 15.0, 40.0])
    places = degrees([points.dimension_values(name) for name in "xy"])
    np.testing.assert_allclose(places, [[9.2, 45.5], [10.0, 45.6], [11.3, 44.5]], atol=1e-6)
    np.testing.assert_array_equal(of_kind(paris, hv.Points)[0].dimension_values("pm2p5"), [12.0])
    assert not len(of_kind(rest[0], hv.Points)[0])
    assert not of_kind(whole, hv.Points)


def test_titles_tell_the_scores_in_the_box(forecast, observations):
    layout = forecast_figure(
        forecast,
        observations,
        regions=("po_valley", "silesia"),
        title="ours, T+1",
        data="simulated",
        width=200,
    )
    names = [title(part) for part in layout if not isinstance(part, hv.Empty)]
    # errors of 3 and -5 at the two stations with a forecast: root of (9 + 25) / 2, and their mean
    assert names == [
        "(a) ours, T+1, 2022-01-10, simulated",
        f"(b) Po Valley\nRMSE {np.sqrt(17):.2f}, bias -1.00 µg/m³, n = 2",
        "(c) Silesia\nno station with a value",
    ]


def test_stations_have_the_colours_of_the_map_and_one_colour_bar_tells_them(forecast, observations):
    whole, *close = [
        part
        for part in forecast_figure(forecast, observations, regions=("po_valley", "paris"), width=200)
        if not isinstance(part, hv.Empty)
    ]
    colours = of_kind(whole, hv.Image)[0].opts.get().kwargs
    assert colours["colorbar"] and "µg/m³" in of_kind(whole, hv.Image)[0].vdims[0].pprint_label
    for part in close:
        for kind in (hv.Image, hv.Points):
            options = of_kind(part, kind)[0].opts.get().kwargs
            assert (options["clim"], options["cmap"]) == (colours["clim"], colours["cmap"])
            assert not options["colorbar"]


def test_boxes_on_the_whole_map_lie_where_the_regions_are(forecast, observations):
    own = Region(name="own", title="Own", south=46, north=47, west=8, east=10)
    layout = forecast_figure(forecast, observations, regions=("po_valley", own), width=200)
    whole = next(iter(layout))
    drawn = of_kind(whole, hv.Path)[-1].split()
    assert len(drawn) == 2
    for line, box in zip(drawn, (REGIONS["po_valley"], own), strict=True):
        there = degrees([line.dimension_values(name) for name in "xy"])
        np.testing.assert_allclose(there.min(axis=0), [box.west, box.south], atol=1e-6)
        np.testing.assert_allclose(there.max(axis=0), [box.east, box.north], atol=1e-6)
    words = [word for label in of_kind(whole, hv.Labels) for word in label.dimension_values("label")]
    assert sorted(map(str.strip, words)) == ["b", "c"]


def test_the_whole_map_stands_beside_two_rows_of_regions(forecast, observations):
    regions = ("po_valley", "paris", "silesia", "rhine_ruhr")
    layout = forecast_figure(forecast, observations, regions=regions, width=200)
    parts = list(layout)
    assert layout._max_cols == 3 and [isinstance(part, hv.Empty) for part in parts] == 3 * [False] + [
        True,
        False,
        False,
    ]
    figures = [child for child, *_ in hv.render(layout, backend="bokeh").children]
    assert figures[0].styles["grid-row"] == "span 2" and "grid-row" not in figures[1].styles


@pytest.mark.parametrize(
    ("change", "arguments", "message"),
    [
        (
            lambda o: o.assign(pm2p5=np.nan),
            {},
            "No station has a value in Po Valley: the table holds 5 rows, 0 with",
        ),
        (lambda o: o.iloc[:0], {}, "No station has a value in Po Valley: the table holds 0 rows"),
        (
            lambda o: o.drop(columns="pm2p5"),
            {},
            "need the columns latitude, longitude, pm2p5; 'pm2p5' is not among",
        ),
        (
            lambda o: o.assign(time=DAY - np.timedelta64(1, "D")),
            {},
            "valid on 2022-01-10, .* of 2022-01-09; select",
        ),
        (
            lambda o: o,
            {"regions": ["iberia"]},
            "Region 'Iberia' has no cell .* covers 40 to 60 °N, -5 to 25 °E",
        ),
        (lambda o: o, {"regions": ["atlantis"]}, "No region 'atlantis'; known: po_valley"),
    ],
)
def test_what_cannot_be_drawn_is_refused(forecast, observations, change, arguments, message):
    forecast = forecast.isel(longitude=LON > -5)
    if arguments.get("regions") == ["iberia"]:
        forecast = forecast.isel(latitude=LAT > 44)
        message = message.replace("40 to", "44 to")
    with pytest.raises(ValueError, match=message):
        forecast_figure(
            forecast, change(observations), **({"regions": ["po_valley"], "width": 100} | arguments)
        )
    assert set(FOUR) <= set(REGIONS)
