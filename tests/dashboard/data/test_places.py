"""What the page says of a place."""

from __future__ import annotations

import numpy as np
import pytest
from cranpm.dashboard.data.places import value_between_nodes

FIELD = np.array([[0.0, 1.0], [2.0, 3.0]])


def test_the_value_of_a_place_is_not_known_beyond_the_nodes() -> None:
    # 2 row + col, which is linear
    assert value_between_nodes(FIELD, 0.25, 0.75) == pytest.approx(1.25)
    assert value_between_nodes(FIELD, 1.0, 1.0) == 3.0
    assert np.isnan([value_between_nodes(FIELD, *at) for at in ((-0.01, 0.5), (0.5, 1.01))]).all()
    gap = np.where(FIELD == 3.0, np.nan, FIELD)
    assert np.isnan(value_between_nodes(gap, 0.5, 0.5))
