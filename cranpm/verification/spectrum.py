"""Is a map as sharp as it should be, and do its tiles show? Power by wavelength, and roughness along tile edges."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike


def power_spectrum(field: ArrayLike, spacing: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Isotropic power spectrum of a square window without gaps.

    The mean is taken away and a Hann window applied, so that the window's own edges do not look like detail.

    Parameters
    ----------
    field : array_like, shape (N, N)
        Finite everywhere.
    spacing : float
        Distance of cells, for instance in km.

    Returns
    -------
    wavelength : ndarray, shape (N // 2 - 1,)
        Descending, in units of the spacing: N / k for k = 1 ... N / 2 - 1 waves in the window.
    power : ndarray, same shape
        Variance of the (windowed) field in each ring of wavenumbers, scaled so that white noise of variance 1 sums to
        about 1 over all rings, the corners beyond the last ring included.

    Raises
    ------
    ValueError
        For another shape, or a window with gaps.
    """
    values = np.asarray(field, dtype=float)
    if values.ndim != 2 or values.shape[0] != values.shape[1] or len(values) < 8:
        raise ValueError(f"A spectrum needs a square window of at least 8 cells, got {values.shape}.")
    if not np.isfinite(values).all():
        raise ValueError(
            f"The window has {int((~np.isfinite(values)).sum())} cells without a value; choose one without gaps: "
            "filling them would invent detail, or smoothness."
        )
    size = len(values)
    taper = np.hanning(size)[:, None] * np.hanning(size)[None]
    transform = np.fft.fft2((values - values.mean()) * taper)
    power = np.abs(transform) ** 2 / (size**2 * (taper**2).sum())
    waves = np.fft.fftfreq(size, 1 / size)
    ring = np.rint(np.hypot(waves[:, None], waves[None])).astype(int)
    rings = np.bincount(ring.ravel(), power.ravel())
    number = np.arange(1, size // 2)
    return size * spacing / number, rings[1 : size // 2]


def whole_windows(known: np.ndarray, size: int = 256) -> list[tuple[slice, slice]]:
    """Square windows without a gap, on a lattice of their own size.

    Parameters
    ----------
    known : ndarray of bool, shape (H, W)
        Cells that have a value.
    size : int
        Cells along a window.

    Returns
    -------
    list of (slice, slice)
        Rows and columns of each window in which every cell is known.
    """
    starts = [range(0, n - size + 1, size) for n in known.shape]
    windows = [(slice(r, r + size), slice(c, c + size)) for r in starts[0] for c in starts[1]]
    return [window for window in windows if known[window].all()]


def mean_spectra(
    fields: Mapping[str, ArrayLike], *, size: int = 128, spacing: float = 1.0
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Spectra of several maps of one grid, each the mean over the windows in which none of them has a gap.

    Parameters
    ----------
    fields : mapping of str to array_like, shape (rows, cols)
        NaN is missing.
    size : int
        Cells along a window's side.
    spacing : float
        As in `power_spectrum`.

    Returns
    -------
    wavelength : ndarray
    power : dict of str to ndarray

    Raises
    ------
    ValueError
        If there is no such window.

    Examples
    --------
    A field of twice the amplitude has four times the power at every wavelength.

    >>> noise = np.random.default_rng(0).normal(size=(64, 64))
    >>> wavelength, power = mean_spectra({"noise": noise, "twice": 2 * noise}, size=32)
    >>> bool(np.allclose(power["twice"], 4 * power["noise"])), float(wavelength[0])
    (True, 32.0)
    """
    values = {name: np.asarray(field, dtype=float) for name, field in fields.items()}
    windows = whole_windows(np.logical_and.reduce([np.isfinite(field) for field in values.values()]), size)
    if not windows:
        raise ValueError(f"No square of {size} cells is without gaps in all maps; take a smaller one.")
    made = {name: [power_spectrum(field[w], spacing) for w in windows] for name, field in values.items()}
    wavelength = next(iter(made.values()))[0][0]
    return wavelength, {name: np.mean([power for _, power in each], axis=0) for name, each in made.items()}


def edge_roughness(field: ArrayLike, edges: Sequence[int], axis: int) -> tuple[float, float]:
    """How much rougher a map is along the edges of its tiles than between them.

    Parameters
    ----------
    field : array_like, shape (rows, cols)
        NaN is missing.
    edges : sequence of int
        First rows (axis 0) or columns (axis 1) after an edge.
    axis : int
        Across which the edges are crossed.

    Returns
    -------
    at_edges, elsewhere : float
        Mean absolute second difference across the edges, and across all other lines, in the field's units.
    """
    values = np.moveaxis(np.asarray(field, dtype=float), axis, 0)
    bend = np.abs(values[2:] - 2 * values[1:-1] + values[:-2])  # line i is about cell i + 1
    known = np.isfinite(bend)
    total, count = np.where(known, bend, 0.0).sum(1), known.sum(1)
    # a step between cells e - 1 and e bends the lines about both
    lines = sorted({e + k - 1 for e in edges for k in (-1, 0)} & set(range(len(bend))))
    at = np.zeros(len(bend), dtype=bool)
    at[lines] = True
    return tuple(
        float(total[part].sum() / count[part].sum()) if count[part].any() else float("nan")
        for part in (at, ~at)
    )  # type: ignore[return-value]
