"""Values between the nodes of a grid."""

from __future__ import annotations

import numpy as np

from cranpm.domain.interpolation import bilinear

FIELD = np.array([[0.0, 1.0], [2.0, 3.0]])


def test_bilinear_holds_the_edges() -> None:
    assert bilinear(FIELD, np.array([-1.0, 0.5, 9.0]), np.array([-1.0, 0.5, 9.0])).tolist() == [0.0, 1.5, 3.0]
