"""Values between the nodes of a grid."""

from __future__ import annotations

import numpy as np


def bilinear(field: np.ndarray, rows: np.ndarray, cols: np.ndarray) -> np.ndarray:
    """Values of ``field`` (..., H, W) at fractional rows and columns (broadcast together); edges are held."""
    height, width = field.shape[-2:]
    rows, cols = np.clip(rows, 0, height - 1), np.clip(cols, 0, width - 1)
    row0 = np.minimum(np.floor(rows).astype(int), max(height - 2, 0))
    col0 = np.minimum(np.floor(cols).astype(int), max(width - 2, 0))
    row1, col1 = np.minimum(row0 + 1, height - 1), np.minimum(col0 + 1, width - 1)
    down, right = (rows - row0).astype(np.float32), (cols - col0).astype(np.float32)
    top = field[..., row0, col0] * (1 - right) + field[..., row0, col1] * right
    bottom = field[..., row1, col0] * (1 - right) + field[..., row1, col1] * right
    return (top * (1 - down) + bottom * down).astype(np.float32)
