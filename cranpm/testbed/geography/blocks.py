"""Blocks of 4 x 4 fine cells, on which smooth fields are computed and kept."""

from __future__ import annotations

import numpy as np

BLOCK = 4
KM_PER_DEGREE = 111.195
"""As world 1 was frozen with; elsewhere `cranpm.domain.grid` has it."""


def block_mean(field: np.ndarray) -> np.ndarray:
    """Means of 4 x 4 cells, shape (H / 4, W / 4)."""
    rows, cols = field.shape
    return field.reshape(rows // BLOCK, BLOCK, cols // BLOCK, BLOCK).mean(axis=(1, 3), dtype=np.float32)
