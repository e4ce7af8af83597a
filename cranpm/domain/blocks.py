"""Stations held out in spatial blocks: of stations drawn singly, most would lie beside one that was trained on."""

from __future__ import annotations

import hashlib

import numpy as np

BLOCK_DEGREES = 2.0
"""Side of a block: about 220 km north to south, some 150 km west to east over Europe."""

HELD_OUT_SHARE = 0.2
"""Share of blocks whose stations are never trained on."""


def blocks_of(latitude: np.ndarray, longitude: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Row and column of each place's block, counted from 0 N 0 E.

    Examples
    --------
    >>> rows, cols = blocks_of(np.array([45.1, 46.1]), np.array([-0.5, 7.3]))
    >>> rows.tolist(), cols.tolist()
    ([22, 23], [-1, 3])
    """
    return tuple(
        np.floor(np.asarray(x, dtype=np.float64) / BLOCK_DEGREES).astype(np.int64)
        for x in (latitude, longitude)
    )  # type: ignore[return-value]


def held_out(
    latitude: np.ndarray,
    longitude: np.ndarray,
    *,
    share: float = HELD_OUT_SHARE,
    seed: int = 1,
) -> np.ndarray:
    """Whether each station is held out; all stations of a block share one fate.

    The fate of a block is drawn from its place and the seed alone (a hash), so it depends on neither the other
    stations nor the machine.

    Parameters
    ----------
    latitude, longitude : ndarray, shape (K,)
        [degrees].
    share : float
        Share of blocks held out, 0..1.

    Returns
    -------
    ndarray of bool, shape (K,)
    """
    if not 0 <= share <= 1:
        raise ValueError(f"The held-out share is {share}; expected 0..1.")
    rows, cols = blocks_of(latitude, longitude)
    fates = {block: _draw(block, seed) < share for block in set(zip(rows.tolist(), cols.tolist()))}
    return np.array([fates[block] for block in zip(rows.tolist(), cols.tolist())], dtype=bool)


def _draw(block: tuple[int, int], seed: int) -> float:
    """A number in [0, 1) that belongs to a block."""
    digest = hashlib.sha256(f"{seed} {block[0]} {block[1]}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64
