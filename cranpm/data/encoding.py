"""PM2.5 on disk: uint16 tenths of ug m-3, lossless for the satellite product; NumPy only."""

from __future__ import annotations

import numpy as np

PM2P5_SCALE = 0.1
"""One stored unit [ug m-3]."""

PM2P5_FILL = 65535
"""Stored where there is no value."""


def decode_pm2p5(raw: np.ndarray) -> np.ndarray:
    """Stored tenths as float32 [ug m-3], NaN where there is no value; the inverse of `encode_pm2p5`."""
    values = raw * np.float32(PM2P5_SCALE)
    values[raw == PM2P5_FILL] = np.nan
    return values
