"""Heights of something else than the ground are refused by what their files say, or are called."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from siblings import FINE, ground, written

from cranpm.data.errors import NotThisProductError
from cranpm.data.readers.elevation import read_elevation


@pytest.mark.parametrize(
    ("attrs", "file", "match"),
    [
        ({}, "ETOPO_2022_v1_30s_N90W180_bed.nc", "is the bedrock below the ice"),
        ({}, "ETOPO_2022_v1_30s_N90W180_geoid.nc", "is the height of the geoid"),
        ({}, "GMTED2010_max_7p5arcsec.nc4", "is a maximum"),
        ({}, "GMTED2010_std_7p5arcsec.nc4", "is a standard deviation"),
        ({"long_name": "standard deviation of orography"}, "x.nc", "holds a standard deviation"),
        ({"standard_name": "height_above_reference_ellipsoid"}, "x.nc", "holds a height above the ellipsoid"),
        ({"standard_name": "sea_floor_depth_below_geoid"}, "x.nc", "holds a depth of the sea"),
        ({"positive": "down"}, "x.nc", "is a depth, positive downwards"),
    ],
)
def test_siblings_of_terrain_are_refused(
    attrs: dict[str, Any], file: str, match: str, tmp_path: Path
) -> None:
    with pytest.raises(NotThisProductError, match=match):
        read_elevation([written(tmp_path, ground(attrs), file)], FINE)


def test_terrain_that_says_what_it_is_is_read(tmp_path: Path) -> None:
    named = {"standard_name": "height_above_mean_sea_level", "long_name": "topography and bathymetry"}
    made = read_elevation([written(tmp_path, ground(named), "ETOPO_2022_v1_30s_N90W180_surface.nc")], FINE)
    # 100 m + 300 m a degree: at 48.015 N, the centre of the first row, 100 + 300 * 0.515
    assert made[0].mean() == pytest.approx(254.5, abs=1.0)
