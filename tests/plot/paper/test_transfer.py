"""Figures S2 and S3: product, forecast and error anywhere on Earth, with boxes of the caller."""

from __future__ import annotations

import holoviews as hv
import numpy as np
import pytest
import xarray as xr

from cranpm.domain import Region
from cranpm.plot.paper.transfer import transfer_figure
from cranpm.plot.region import projection_of

LAT, LON = np.arange(20.05, 30, 0.1), np.arange(75.05, 90, 0.1)  # the Indo-Gangetic Plain
DELHI = Region(name="delhi", title="Delhi NCR", south=27.0, north=29.0, west=76.0, east=78.0)
BIHAR = Region(name="bihar", title="Bihar", south=24.0, north=27.0, west=83.0, east=88.0)


def field(values):
    values = np.broadcast_to(values, (LAT.size, LON.size)).astype(np.float32)
    return xr.DataArray(values, {"latitude": LAT, "longitude": LON}, ("latitude", "longitude"))


def inside(box):
    return box.contains(*np.meshgrid(LAT, LON, indexing="ij"))


@pytest.fixture
def target():
    return field(80.0).assign_coords(time=np.datetime64("2022-03-17", "ns"))


@pytest.fixture
def forecast(target):
    """2 too low everywhere, 20 too low in Delhi's box."""
    return target - 2 - 18 * field(inside(DELHI))


def of_kind(element, kind):
    return [part for part in element if isinstance(part, kind)]


def title(element):
    return element.opts.get().kwargs["title"]


def test_three_maps_with_rmse_of_all_and_of_each_box(target, forecast):
    parts = list(transfer_figure(target, forecast, boxes=[DELHI, BIHAR], data="simulated", width=120))
    share = inside(DELHI).mean()
    rmse = np.sqrt(share * 20**2 + (1 - share) * 2**2)
    assert [title(part) for part in parts] == [
        "(a) product, simulated",
        f"(b) forecast, RMSE {rmse:.2f} µg/m³",
        "(c) error, with RMSE of boxes [µg/m³]",
    ]
    words = [
        [str(word).strip() for label in of_kind(part, hv.Labels) for word in label.dimension_values("label")]
        for part in parts
    ]
    assert words == [["Delhi NCR", "Bihar"]] * 2 + [["Delhi NCR 20.00", "Bihar 2.00"]]
    drawn = [of_kind(part, hv.Image)[0].dimension_values("pm2p5", flat=False) for part in parts]
    assert [(np.nanmin(values), np.nanmax(values)) for values in drawn] == [(80, 80), (60, 78), (-20, -2)]


def test_a_name_stands_at_the_side_of_its_box_that_is_towards_the_middle(target, forecast):
    """So that none runs out of the frame."""
    picture = next(iter(transfer_figure(target, forecast, boxes=[DELHI, BIHAR], width=120)))
    western, eastern = of_kind(picture, hv.Labels)
    west, east = picture.opts.get().kwargs["xlim"]
    for label, align in ((western, "left"), (eastern, "right")):
        assert label.opts.get().kwargs["text_align"] == align
        assert west < float(label.dimension_values("x")[0]) < east
    assert float(western.dimension_values("x")[0]) < 0 < float(eastern.dimension_values("x")[0])


def test_colours_reach_as_far_as_the_values_and_are_those_of_both_maps(target, forecast):
    limits = [
        of_kind(part, hv.Image)[0].opts.get().kwargs["clim"]
        for part in transfer_figure(target, forecast, boxes=[DELHI], width=120)
    ]
    assert limits[0] == limits[1] == (0.0, 80.0)  # beyond the 60 that is enough in Europe
    assert limits[2] == (-20.0, 20.0)


def test_the_map_is_drawn_about_its_own_middle_not_about_europe(target):
    outside, europe = (
        projection_of(box) for box in (DELHI, Region(name="", title="", south=44, north=46, west=7, east=13))
    )
    assert outside.transform_point(77.0, 28.0, outside.as_geodetic()) == pytest.approx((0, 0), abs=1)
    assert europe.transform_point(10.0, 52.0, europe.as_geodetic()) == pytest.approx((0, 0), abs=1)
    picture = next(iter(transfer_figure(target, target + 1, width=120)))
    west, east = picture.opts.get().kwargs["xlim"]
    assert west == pytest.approx(-east)  # about Europe's middle it would lie far to the east


def test_gaps_are_blank_and_are_not_scored(target, forecast):
    forecast = forecast.where(~inside(DELHI))
    _, ours, error = transfer_figure(target, forecast, boxes=[BIHAR], width=120)
    assert title(ours) == "(b) forecast, RMSE 2.00 µg/m³"
    for part in (ours, error):
        assert np.isnan(of_kind(part, hv.Image)[0].dimension_values("pm2p5")).any()


@pytest.mark.parametrize(
    ("change", "boxes", "message"),
    [
        (
            lambda f: f[::2, ::2],
            [DELHI],
            r"'forecast' has other cells .* than the target .*; interpolate it first",
        ),
        (lambda f: f.assign_coords(latitude=LAT + 5), [DELHI], "'forecast' has other cells"),
        (
            lambda f: f,
            ["po_valley"],
            "Region 'Po Valley' has no cell in this field, which covers 20 to 30 °N, 75 to 90",
        ),
        (lambda f: f.assign_attrs(units="ppb"), [DELHI], "'forecast' is in 'ppb', convert it first"),
        (
            lambda f: f.assign_coords(time=np.datetime64("2022-03-18", "ns")),
            [DELHI],
            "target is of 2022-03-17, the forecast valid on 2022-03-18",
        ),
        (lambda f: f.where(~inside(DELHI)), [DELHI], "share no known cell in Delhi NCR"),
        (lambda f: f.where(False), [], "share no known cell in the whole map"),
    ],
)
def test_what_cannot_be_compared_is_refused(target, forecast, change, boxes, message):
    with pytest.raises(ValueError, match=message):
        transfer_figure(target, change(forecast), boxes=boxes, width=100)
