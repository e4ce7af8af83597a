"""What the paper's figures draw: the values of the tables and maps they are given, in the rows that they promise."""

from __future__ import annotations

import holoviews as hv
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from cranpm.domain import REGIONS, Region
from cranpm.plot.paper.colours import OURS, method_styles
from cranpm.plot.paper.comparison import FIVE, comparison_figure
from cranpm.plot.paper.europe import error_by_lead, europe_figure
from cranpm.plot.paper.year import SIX, regional_rmse, regions_figure

MINE = "CRAN-PM demo"
LAT, LON = np.arange(35.0, 60.0, 0.05), np.arange(-10.0, 30.0, 0.05)


def field(value):
    """Latitude plus so much, as PM2.5."""
    values = np.broadcast_to(LAT[:, None] + value, (LAT.size, LON.size)).astype(np.float32)
    return xr.DataArray(values, {"latitude": LAT, "longitude": LON}, attrs={"units": "ug m-3"})


def of_day(each, day):
    return each.assign_coords(time=np.datetime64(f"2022-01-{day:02d}", "ns"))


def images(element):
    return [part for part in element if isinstance(part, hv.Image)]


def title(element):
    return element.opts.get().kwargs["title"]


@pytest.fixture
def scores():
    rows = [
        {
            "set": "A",
            "reference": "product",
            "where": where,
            "grid": grid,
            "lead": lead,
            "method": method,
            "rmse": base + lead + (10 if grid == "25 km" else 0) + (100 if where != "all land" else 0),
        }
        for where in ("all land", "Po Valley")
        for grid in ("1 km", "25 km")
        for lead in (3, 1, 2)
        for method, base in (("persistence", 2.0), ("ClimaX", 1.5), (MINE, 1.0))
    ]
    return pd.DataFrame(rows)


@pytest.mark.parametrize(("grid", "more"), [("1 km", 0), ("25 km", 10)])
def test_lines_of_error_are_the_tables_over_all_land_in_order_of_lead(scores, grid, more):
    picture = error_by_lead(scores, grid, ours=MINE)
    curves = {part.label: part for part in picture if isinstance(part, hv.Curve)}
    assert list(curves) == ["persistence", "ClimaX", MINE]  # ours on top
    for name, base in (("persistence", 2.0), ("ClimaX", 1.5), (MINE, 1.0)):
        np.testing.assert_array_equal(curves[name].dimension_values("lead"), [1, 2, 3])
        np.testing.assert_array_equal(
            curves[name].dimension_values("rmse"), base + more + np.array([1, 2, 3])
        )
    assert curves[MINE].opts.get().kwargs["color"] == OURS
    stars = [part for part in picture if isinstance(part, hv.Scatter) and part.label == MINE]
    assert stars[0].opts.get().kwargs["marker"] == "star"


def test_only_the_methods_that_are_asked_for(scores):
    picture = error_by_lead(scores, "1 km", ours=MINE, methods=["ClimaX"])
    assert [part.label for part in picture if isinstance(part, hv.Curve)] == ["ClimaX", MINE]


@pytest.mark.parametrize(
    ("change", "arguments", "message"),
    [
        (lambda t: t, {"methods": ["SimVP"]}, "The table lacks 'SimVP'; it holds persistence, ClimaX"),
        (lambda t: t[t["grid"] == "1 km"], {"grid": "25 km"}, "no scores of maps over all land on 25 km"),
        (lambda t: pd.concat([t, t.assign(set="B")]), {}, r"several sets \(A, B\); choose one"),
    ],
)
def test_a_table_that_does_not_hold_it_is_refused(scores, change, arguments, message):
    with pytest.raises(ValueError, match=message):
        error_by_lead(change(scores), **({"grid": "1 km", "ours": MINE} | arguments))


def test_figure_3_shows_both_maps_the_region_of_both_and_both_grids(scores):
    layout = europe_figure(field(0), field(3), scores, ours=MINE, data="testbed (simulated)", width=120)
    parts = list(layout)
    assert len(parts) == 6
    assert title(parts[0]) == "(a) product, testbed (simulated)" and title(parts[1]).startswith(f"(b) {MINE}")
    for target, forecast in ((parts[0], parts[1]), (images(parts[2])[0], images(parts[3])[0])):
        values = [each.dimension_values("pm2p5", flat=False) for each in (target, forecast)]
        assert np.nanmax(np.abs(values[1] - values[0] - 3)) < 1e-3
    box = REGIONS["po_valley"]
    close = images(parts[2])[0].dimension_values("pm2p5", flat=False)
    assert np.nanmean(close) == pytest.approx((box.south + box.north) / 2, abs=0.2)
    assert [title(part).split(",")[0] for part in parts[4:]] == ["(c) 1 km", "(d) 25 km"]


@pytest.fixture
def daily():
    """Two seasons of two regions; ours is 1 too high in the Po Valley and 2 in Paris, persistence twice as much."""
    days = [*pd.date_range("2022-01-10", periods=4), *pd.date_range("2022-07-10", periods=4)]
    rows = [
        {
            "set": "development",
            "where": where,
            "init_day": str((day - pd.Timedelta(days=lead)).date()),
            "valid_day": str(day.date()),
            "lead": lead,
            "method": method,
            "mean": 20 + number + times * off,
            "target_mean": 20.0 + number,
            "squared": float((times * off) ** 2),
            "cells": 100 * (1 + number),
        }
        for where, off in (("Po Valley", 1), ("Paris Basin", 2), ("all land", 9))
        for number, day in enumerate(days)
        for lead in (1, 2)
        for method, times in (("persistence", 2), (MINE, 1))
    ]
    return pd.DataFrame(rows)


def test_figure_4_draws_means_of_each_day_and_bars_of_rmse(daily):
    layout = regions_figure(daily, ours=MINE, data="testbed (simulated)")
    po, paris, bars = list(layout)
    assert title(po) == "Po Valley, T+1, 8 days, testbed (simulated)" and title(paris).startswith(
        "Paris Basin"
    )
    for picture, off in ((po, 1), (paris, 2)):
        points = {part.label: part for part in picture if isinstance(part, hv.Scatter)}
        np.testing.assert_array_equal(points["product"].dimension_values("pm2p5"), 20 + np.arange(8))
        np.testing.assert_array_equal(points[MINE].dimension_values("pm2p5"), 20 + np.arange(8) + off)
        assert str(points[MINE].dimension_values("time")[0])[:10] == "2022-01-10"
    heights = {
        part.label: dict(zip(part.dimension_values("Region"), part.dimension_values("RMSE"), strict=True))
        for part in bars
    }
    assert heights == {
        "persistence": {"Po Valley": 2.0, "Paris Basin": 4.0},
        MINE: {"Po Valley": 1.0, "Paris Basin": 2.0},
    }
    edges = [tuple(part.dimension_values(name)) for part in bars for name in ("x0", "x1")]
    assert edges[1][0] <= edges[2][0]  # beside each other, not on top
    hv.render(layout, backend="bokeh")


def test_half_a_year_without_a_day_is_no_line(daily):
    picture = next(iter(regions_figure(daily, ours=MINE)))
    curve = next(part for part in picture if isinstance(part, hv.Curve))
    values = curve.dimension_values("pm2p5")
    assert len(values) == 9 and np.isnan(values[4]) and np.isfinite(np.delete(values, 4)).all()


def test_rmse_is_pooled_over_cells_not_a_mean_of_days():
    table = pd.DataFrame({"where": "Silesia", "method": MINE, "squared": [0.0, 16.0], "cells": [300, 100]})
    assert float(regional_rmse(table, [MINE])["rmse"].iloc[0]) == 2.0


def test_a_year_without_the_regions_is_refused(daily):
    with pytest.raises(ValueError, match=r"No day of T\+3 in Po Valley"):
        regions_figure(daily, ours=MINE, lead=3)
    with pytest.raises(ValueError, match="The table lacks 'CRAN-PM other'"):
        regions_figure(daily, ours="CRAN-PM other")
    assert len(SIX) == 6 and set(SIX) <= {region.title for region in REGIONS.values()}


def test_figure_5_has_a_row_a_method_and_the_error_below():
    fields = {"target": field(0), "CAMS": field(4), "ClimaX": field(-2), MINE: field(1)}
    regions = ("po_valley", "paris")
    layout = comparison_figure(fields, ours=MINE, regions=regions, data="simulated", width=60)
    panels = list(layout)
    assert len(panels) == 5 * 2 and layout._max_cols == 2
    names = [title(panel) for panel in panels[::2]]
    assert names == [
        "Po Valley\ntarget, simulated",
        *(
            "CAMS\nRMSE 4.00",
            "ClimaX\nRMSE 2.00",
            f"{MINE}\nRMSE 1.00",
            f"error of {MINE}\nforecast minus target",
        ),
    ]
    bars = [images(panel)[0].opts.get().kwargs["colorbar"] for panel in panels]
    assert bars == 5 * [False, True]
    for column in range(2):
        drawn = [images(panel)[0].dimension_values("pm2p5", flat=False) for panel in panels[column::2]]
        for values, off in zip(drawn[1:4], (4, -2, 1), strict=True):
            assert np.nanmax(np.abs(values - drawn[0] - off)) < 1e-3
        assert np.nanmax(np.abs(drawn[4] - 1)) < 1e-3
    colours = [images(panel)[0].opts.get().kwargs["clim"] for panel in panels]
    assert len(set(colours[:8])) == 1 and colours[8][0] == -colours[8][1]


def test_rmse_of_a_panel_leaves_gaps_out():
    ours = field(1)
    ours[(LAT > 45) & (LAT < 45.5)] = np.nan
    ours[(LAT > 46) & (LAT < 48)] += 1
    layout = comparison_figure({"target": field(0), MINE: ours}, ours=MINE, regions=("po_valley",), width=60)
    box = REGIONS["po_valley"]
    inside = LAT[(box.south <= LAT) & (box.north >= LAT) & ~((LAT > 45) & (LAT < 45.5))]
    expected = np.sqrt(np.mean(np.where((inside > 46) & (inside < 48), 2.0, 1.0) ** 2))
    assert title(list(layout)[1]) == f"{MINE}\nRMSE {expected:.2f}"


def test_the_same_panels_stand_across_as_the_paper_prints_them():
    fields = {"target": field(0), "A": field(4), MINE: field(1)}
    arguments = {"ours": MINE, "regions": ("po_valley", "paris"), "width": 60}
    down, across = (comparison_figure(fields, across=flag, **arguments) for flag in (False, True))
    assert (down._max_cols, across._max_cols) == (2, 4)
    names = [title(panel) for panel in across]
    assert names == [title(panel) for column in range(2) for panel in list(down)[column::2]]
    assert [name.split("\n")[0] for name in names[:4]] == ["Po Valley", "A", MINE, f"error of {MINE}"]
    bars = [images(panel)[0].opts.get().kwargs["colorbar"] for panel in across]
    assert bars == 2 * [False, False, True, True]


def test_figure_6_tells_how_alike_variants_are_in_a_box_of_ones_own():
    box = Region(name="own", title="Own", south=45.0, north=50.0, west=0.0, east=8.0)
    fields = {"target": field(0), "A": field(9), "C": field(3), "D": field(0)}
    layout = comparison_figure(fields, ours="D", regions=(box,), ssim_range=20.0, width=60)
    # without contrast between neighbours only levels tell maps apart: (2 m n + c) / (m m + n n + c), c = 0.2 ** 2
    alike = [round(float(title(panel).rpartition(" ")[2]), 2) for panel in list(layout)[1:4]]
    m = 47.5
    assert alike == [round((2 * m * (m + d) + 0.04) / (m**2 + (m + d) ** 2 + 0.04), 2) for d in (9, 3, 0)]
    assert title(list(layout)[3]) == "D\nRMSE 0.00, SSIM 1.00" and title(list(layout)[4]).startswith(
        "error of D"
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.pop("target"), "No field 'target' to draw"),
        (lambda f: f.pop(MINE), f"No field '{MINE}' to draw"),
        (lambda f: f.update(CAMS=f["CAMS"][::5, ::5]), "'CAMS' has other cells"),
        (
            lambda f: f.update(CAMS=f["CAMS"].assign_attrs(units="kg m-3")),
            "'CAMS' is in 'kg m-3', convert it first",
        ),
        (
            lambda f: f.update({"target": of_day(f["target"], 10), MINE: of_day(f[MINE], 11)}),
            f"The target is of 2022-01-10, the {MINE} valid on 2022-01-11; give the target of the valid day",
        ),
    ],
)
def test_fields_that_cannot_be_compared_are_refused(change, message):
    fields = {"target": field(0), "CAMS": field(4), MINE: field(1)}
    change(fields)
    with pytest.raises(ValueError, match=message):
        comparison_figure(fields, ours=MINE)


def test_persistence_is_the_map_of_another_day():
    fields = {"target": of_day(field(0), 11), "persistence": of_day(field(2), 10), MINE: of_day(field(1), 11)}
    layout = comparison_figure(fields, ours=MINE, regions=("paris",), width=60)
    assert title(list(layout)[1]) == "persistence\nRMSE 2.00"


def test_figure_3_of_two_days_is_refused(scores):
    with pytest.raises(ValueError, match="target is of 2022-01-10, the forecast valid on 2022-01-11"):
        europe_figure(of_day(field(0), 10), of_day(field(1), 11), scores, ours=MINE)


def test_a_region_outside_the_fields_is_refused():
    there = Region(name="delhi", title="Delhi", south=27.0, north=29.0, west=76.0, east=78.0)
    with pytest.raises(ValueError, match="Region 'Delhi' has no cell in this field, which covers"):
        comparison_figure({"target": field(0), MINE: field(1)}, ours=MINE, regions=("paris", there))
    assert len(FIVE) == 5 and set(FIVE) <= set(REGIONS)


def test_twenty_methods_are_told_apart_by_colour_and_dash():
    styles = method_styles([f"m{n}" for n in range(20)], MINE)
    assert len({(style["color"], style["line_dash"]) for style in styles.values()}) == 21
