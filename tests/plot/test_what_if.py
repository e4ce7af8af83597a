"""The difference that a change makes, and what cannot be compared."""

from __future__ import annotations

import holoviews as hv
import numpy as np
import pytest
import xarray as xr

from cranpm.plot.what_if import plot_what_if

LAT, LON = 46 - (np.arange(100) + 0.5) * 0.01, 8 + (np.arange(120) + 0.5) * 0.01


def maps(value, leads=(1, 2), rows=slice(None), **attrs):
    lat = LAT[rows]
    fields = np.full((len(leads), lat.size, LON.size), value, np.float32)
    fields += np.array(leads, np.float32)[:, None, None]
    init = np.datetime64("2022-01-11", "ns")
    return xr.Dataset(
        {"pm2p5": (("lead", "latitude", "longitude"), fields, {"units": "ug m-3"})},
        {
            "lead": list(leads),
            "latitude": lat,
            "longitude": LON,
            "time": ("lead", init + np.array(leads, "timedelta64[D]")),
            "forecast_reference_time": init,
        },
        {"source": "testbed (simulated)", "checkpoint_sha256": "h", "precision": "float32", **attrs},
    )


def test_red_is_where_the_change_raises_pm2p5():
    picture = plot_what_if(maps(13.0, interventions="wind_turn=180"), maps(10.0), lead=2)
    assert np.unique(picture.dimension_values(2)) == pytest.approx([3.0])
    low, high = picture.opts.get().kwargs["clim"]
    assert (low, high) == (-5.0, 5.0)  # the next round number above what all cells stay within
    shown = hv.render(picture, backend="bokeh")
    assert shown.title.text == "What if: wind_turn=180\n2022-01-13, T+2, testbed (simulated)"
    (bar,) = shown.right
    assert bar.title == "What if, minus forecast (µg/m³)"
    red, green, blue = (int(bar.color_mapper.palette[-30][i : i + 2], 16) for i in (1, 3, 5))
    assert red > max(green, blue)


def test_a_limit_is_kept_and_gaps_stay_gaps():
    changed = maps(13.0, interventions="hide_cams=1")
    changed.pm2p5[0, :50] = np.nan
    picture = plot_what_if(changed, maps(10.0), limit=2.0)
    assert picture.opts.get().kwargs["clim"] == (-2.0, 2.0)
    values = picture.dimension_values(2, flat=False)  # south first
    assert np.isnan(values[50:]).all()
    assert np.isfinite(values[:50]).all()


def test_a_what_if_of_a_region_is_held_against_the_same_cells_of_the_whole_map():
    part = maps(12.0, rows=slice(20, 60), interventions="transport=0", region="mine")
    picture = plot_what_if(part, maps(10.0), width=100)
    image = next(each for each in picture if isinstance(each, hv.element.raster.Image))
    values = image.dimension_values(2)
    assert np.nanmin(values) == np.nanmax(values) == 2.0


def test_no_difference_has_a_scale_too():
    low, high = plot_what_if(maps(1.0, interventions="x=1"), maps(1.0)).opts.get().kwargs["clim"]
    assert low < 0 < high


CHANGED = {"interventions": "wind_turn=180"}


@pytest.mark.parametrize(
    ("changed", "forecast", "request_", "message"),
    [
        (maps(1.0), maps(1.0), {}, "nothing was changed.*interventions="),
        (maps(1.0, **CHANGED), maps(1.0, **CHANGED), {}, "The second is a what-if too .wind_turn=180."),
        (
            maps(1.0, **CHANGED),
            maps(1.0, checkpoint_sha256="k"),
            {},
            "another checkpoint than the forecast: h, k",
        ),
        (maps(1.0, **CHANGED), maps(1.0, source="GHAP"), {}, "another source of data than the forecast"),
        (
            maps(1.0, **CHANGED),
            maps(1.0).assign_coords(forecast_reference_time=np.datetime64("2022-01-12", "ns")),
            {},
            "another init day than the forecast",
        ),
        (maps(1.0, leads=(1,), **CHANGED), maps(1.0, leads=(2,)), {}, "none in common"),
        (maps(1.0, **CHANGED), maps(1.0), {"lead": 3}, r"Both hold the leads \[1, 2\], got 3"),
        (maps(1.0, **CHANGED), maps(1.0, rows=slice(0, 50)), {}, "does not hold all cells of the what-if"),
        (maps(1.0, **CHANGED), maps(1.0), {"limit": 0}, "limit must be a number above 0"),
    ],
)
def test_what_cannot_be_compared_is_refused(changed, forecast, request_, message):
    with pytest.raises(ValueError, match=message):
        plot_what_if(changed, forecast, **request_)


def test_a_map_alone_is_refused():
    with pytest.raises(
        TypeError, match="two datasets that cranpm.forecast returns; the forecast is a DataArray"
    ):
        plot_what_if(maps(1.0, **CHANGED), maps(1.0).pm2p5)
