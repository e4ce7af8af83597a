from __future__ import annotations

import numpy as np
import pytest

from cranpm.domain import (
    COARSE,
    COARSE_BOX,
    DOMAINS,
    EUROPE,
    FINE,
    Domain,
    Grid,
    OutsideGridError,
    fine_to_coarse,
)


def test_fine_grid_covers_europe_cell_by_cell():
    assert FINE.shape == (4192, 6992)
    # edges 72.00..30.08 N and 25.00 W..44.92 E, so centres half a cell inside
    assert (FINE.lat[0], FINE.lat[-1]) == (71.995, 30.085)
    assert (FINE.lon[0], FINE.lon[-1]) == (-24.995, 44.915)
    assert FINE.extent == (-25.0, 30.08, 44.92, 72.0)


def test_coarse_nodes_start_on_the_corner_and_the_box_keeps_one_more():
    assert COARSE.shape == (168, 280)
    assert COARSE_BOX.shape == (169, 281)
    assert (COARSE.lat[0], COARSE.lat[-1], COARSE.lon[0], COARSE.lon[-1]) == (72.0, 30.25, -25.0, 44.75)
    assert (COARSE_BOX.lat[-1], COARSE_BOX.lon[-1]) == (30.0, 45.0)


@pytest.mark.parametrize("grid", [FINE, COARSE, COARSE_BOX])
def test_coordinates_are_spaced_exactly_and_index_back_to_themselves(grid):
    assert np.allclose(np.diff(grid.lat), -grid.step, atol=1e-9)
    assert np.allclose(np.diff(grid.lon), grid.step, atol=1e-9)
    rows = np.rint(grid.row_of(grid.lat)).astype(int)
    assert (rows == np.arange(grid.rows)).all()
    assert np.abs(grid.col_of(grid.lon) - np.arange(grid.cols)).max() < 1e-6


def test_fine_row_lies_between_its_coarse_nodes():
    # 12 fine cells and a half fit before the first row reaches node 0.5
    assert fine_to_coarse(12) == 0.5
    rows = np.arange(FINE.rows)
    assert np.allclose(COARSE.row_of(FINE.lat), fine_to_coarse(rows))
    # the last 17 fine rows lie beyond the last network node (30.25 N): only the box can interpolate to them
    assert (fine_to_coarse(rows) > COARSE.rows - 1).sum() == 17
    assert fine_to_coarse(rows).max() < COARSE_BOX.rows - 1


def test_places_find_their_cell_and_edges_belong_to_one_cell_only():
    row, col = FINE.index_of(45.4642, 9.19)
    assert abs(FINE.lat[row] - 45.4642) <= 0.005 + 1e-9
    assert abs(FINE.lon[col] - 9.19) <= 0.005 + 1e-9
    assert FINE.index_of(72.0, -25.0) == (0, 0)
    with pytest.raises(OutsideGridError, match="outside grid"):
        FINE.index_of(30.08, 0.0)
    with pytest.raises(OutsideGridError, match="covers"):
        FINE.index_of(45.0, 60.0)


def test_window_keeps_the_coordinates_of_its_cells():
    window = FINE.window(slice(100, 612), slice(448, 960))
    assert np.array_equal(window.lat, FINE.lat[100:612])
    assert np.array_equal(window.lon, FINE.lon[448:960])


def test_regions_follow_the_rule_that_makes_europe():
    for domain in DOMAINS.values():
        assert domain.coarse.rows % 56 == 0 and domain.coarse.cols % 56 == 0
        assert domain.fine.rows % 16 == 0 and domain.fine.cols % 16 == 0
        assert domain.coarse_box.lat[-1] <= domain.fine.lat[-1]
    assert Domain.from_dict(EUROPE.to_dict()) == EUROPE


def test_an_unknown_registration_is_refused():
    with pytest.raises(ValueError, match="registration"):
        Grid(name="x", rows=1, cols=1, step=1.0, north=0.0, west=0.0, registration="corner")
