"""Between cells and nodes: means that agree with the general averaging, gaps that stay gaps."""

from __future__ import annotations

import numpy as np
import pytest

from cranpm.baselines.nodes import hold_outwards, node_means, to_cells
from cranpm.data.regrid.averaging import cell_sums
from cranpm.domain import domain_from_corner

DOMAIN = domain_from_corner("t", "T", north=48.0, west=6.0, coarse_rows=16, coarse_cols=24)


def test_means_agree_with_the_general_averaging_which_also_knows_the_sphere() -> None:
    field = np.random.default_rng(1).uniform(2, 40, DOMAIN.fine.shape).astype(np.float32)
    field[100:180, 40:200] = np.nan
    mean, share = node_means(field, DOMAIN)
    total, covered = cell_sums(field, DOMAIN.fine.lat, DOMAIN.fine.lon, DOMAIN.coarse_box)
    inner = slice(1, -2), slice(1, -2)
    assert share[inner] == pytest.approx(covered[inner], abs=2e-3)
    known = np.isfinite(mean[inner])
    assert mean[inner][known] == pytest.approx((total / np.maximum(covered, 1e-9))[inner][known], rel=2e-3)
    assert (share[4:7, 3:7] == 0).any() and np.isnan(mean[share == 0]).all()


def test_a_field_that_is_linear_comes_back_from_the_nodes() -> None:
    """Means round a node of a plane are the plane at the node, and bilinear interpolation keeps planes."""
    plane = (0.5 * DOMAIN.fine.lat[:, None] + 0.25 * DOMAIN.fine.lon[None]).astype(np.float32)
    back = to_cells(node_means(plane, DOMAIN)[0], DOMAIN)
    assert back[25:-50, 25:-50] == pytest.approx(plane[25:-50, 25:-50], abs=2e-4)


def test_a_coast_holds_its_value_outwards_and_nothing_becomes_zero() -> None:
    field = np.full((4, 5), np.nan, np.float32)
    field[1, 1], field[2, 4] = 7.0, 3.0
    held = hold_outwards(field)
    assert held[0, 0] == 7 and held[3, 4] == 3 and set(held.ravel()) == {7.0, 3.0}
    with pytest.raises(ValueError, match="missing everywhere"):
        hold_outwards(np.full((2, 2), np.nan))


def test_other_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"fine map with shape \(400, 592\)"):
        node_means(np.zeros((3, 3), np.float32), DOMAIN)
    with pytest.raises(ValueError, match=r"nodes with shape \(17, 25\)"):
        to_cells(np.zeros((16, 24)), DOMAIN)
