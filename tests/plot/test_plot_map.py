from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from cranpm.plot.whole import whole_map


@pytest.fixture
def field():
    lat, lon = 50 - np.arange(600) * 0.01, 5 + np.arange(800) * 0.01
    values = np.broadcast_to(lat[:, None], (600, 800)).astype(np.float32).copy()
    values[:, :400] = np.nan
    return xr.DataArray(values, coords={"latitude": lat, "longitude": lon}, dims=("latitude", "longitude"))


@pytest.mark.parametrize("flip", [False, True])
def test_north_is_up_and_gaps_stay_empty_whatever_the_order_of_latitude(field, flip):
    image = whole_map(field[::-1] if flip else field, width=80)
    value = image.dimension_values("pm2p5", flat=False)
    lat = image.dimension_values("latitude", expanded=False)
    # each pixel holds the mean latitude of its cells; half of the columns are missing
    assert np.isnan(value[:, :38]).all() and np.isfinite(value[:, 42:]).all()
    assert np.abs(value[:, 60] - lat).max() < 0.1


def test_units_and_title_are_in_the_figure(field):
    image = whole_map(field, layer="change", title="Change, testbed (simulated)")
    assert image.vdims[0].unit == "µg/m³"
    low, high = image.opts.get().kwargs["clim"]
    assert low == -high
