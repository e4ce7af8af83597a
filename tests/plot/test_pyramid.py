from __future__ import annotations

import warnings

import numpy as np
import pytest

from cranpm.domain.grid import Grid
from cranpm.plot.pyramid import Pyramid


def grid_of(rows: int, cols: int) -> Grid:
    return Grid(name="test", rows=rows, cols=cols, step=0.01, north=50.0, west=10.0, registration="cell")


def pyramid_of(values: np.ndarray, grid: Grid, **options: int) -> Pyramid:
    return Pyramid(lambda rows, cols: values[rows, cols], grid, **options)


def field_with_gaps(rows: int, cols: int, seed: int = 0) -> np.ndarray:
    generator = np.random.default_rng(seed)
    field = generator.gamma(2.0, 8.0, (rows, cols)).astype(np.float32)
    field[generator.random((rows, cols)) < 0.3] = np.nan
    field[20:90, 30:150] = np.nan  # a lake: whole blocks without a value
    return field


def obvious_level(field: np.ndarray, level: int) -> np.ndarray:
    """Mean of the valid cells of each 2^level block, one block at a time."""
    size = 2**level
    rows, cols = -(-field.shape[0] // size), -(-field.shape[1] // size)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # the mean of an empty block is the NaN we want
        return np.array(
            [
                [np.nanmean(field[i * size : (i + 1) * size, j * size : (j + 1) * size]) for j in range(cols)]
                for i in range(rows)
            ]
        )


def test_every_level_is_the_mean_of_the_valid_cells_below_it():
    field = field_with_gaps(333, 517)  # odd sizes: the last blocks are cut
    pyramid = pyramid_of(field, grid_of(*field.shape))
    for level in range(1, 7):
        np.testing.assert_allclose(
            pyramid.window(level, slice(None), slice(None)),
            obvious_level(field, level),
            rtol=2e-5,
            equal_nan=True,
        )


def test_gaps_never_become_zero():
    field = np.full((128, 128), np.nan, np.float32)
    field[0, 0] = 40.0
    pyramid = pyramid_of(field, grid_of(128, 128))
    # the one valid cell is the mean of every block that holds it; every other block stays empty
    assert pyramid.window(6, slice(None), slice(None)).ravel().tolist()[0] == 40.0
    assert np.isnan(pyramid.window(6, slice(None), slice(None)).ravel()[1:]).all()


def test_updating_a_window_gives_the_same_as_building_anew():
    field = field_with_gaps(700, 600)
    filling = np.full_like(field, np.nan)
    pyramid = pyramid_of(filling, grid_of(*field.shape))
    for rows in (slice(0, 300), slice(300, 700)):
        for cols in (slice(0, 411), slice(411, 600)):
            filling[rows, cols] = field[rows, cols]
            pyramid.update(rows, cols)
    whole = pyramid_of(field, grid_of(*field.shape))
    for ours, theirs in zip(pyramid.levels, whole.levels):
        np.testing.assert_array_equal(ours, theirs)


def test_packed_fill_is_a_gap_and_the_rest_is_scaled():
    raw = np.array([[0, 1], [65535, 655]], np.uint16)
    pyramid = Pyramid.of_packed(raw, grid_of(2, 2), scale_factor=0.1)
    np.testing.assert_allclose(
        pyramid.read(slice(None), slice(None)), [[0.0, 0.1], [np.nan, 65.5]], rtol=1e-6
    )
    # 0, 0.1 and 65.5 are valid: their mean is 65.6 / 3
    assert pyramid.window(1, slice(None), slice(None))[0, 0] == pytest.approx(65.6 / 3, rel=1e-6)


def test_a_difference_of_two_fields_is_read_through_a_function():
    a, b = field_with_gaps(200, 200, 1), field_with_gaps(200, 200, 2)
    pyramid = Pyramid(lambda rows, cols: a[rows, cols] - b[rows, cols], grid_of(200, 200))
    np.testing.assert_allclose(
        pyramid.window(3, slice(None), slice(None)),
        obvious_level(a - b, 3),
        rtol=1e-4,
        atol=1e-5,
        equal_nan=True,
    )


def test_the_level_has_cells_no_larger_than_a_pixel():
    pyramid = pyramid_of(np.zeros((256, 256), np.float32), grid_of(256, 256))
    # cells of 0.01, 0.02, 0.04, 0.08 ... degrees
    assert [pyramid.level_for(d) for d in (0.001, 0.01, 0.019, 0.02, 0.05, 0.08, 9.0)] == [
        0,
        0,
        0,
        1,
        2,
        3,
        6,
    ]


def test_a_field_of_another_shape_is_refused():
    with pytest.raises(ValueError, match="does not fit grid"):
        Pyramid.of_packed(np.zeros((3, 4), np.uint16), grid_of(4, 3))
