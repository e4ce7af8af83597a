"""Fine maps are the same whatever window is asked, and add detail without moving mass."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest
import torch

from cranpm.testbed.geography.geography import Geography
from cranpm.testbed.instruments.downscale import day_fields, downscaler
from cranpm.testbed.instruments.instruments import ghap_like, retrieval
from cranpm.testbed.simulation.noise import day_number
from cranpm.testbed.simulation.surface import block_sum
from cranpm.testbed.simulation.world import DayState, World

EVERYWHERE = slice(None)


def fine_truth(
    state: DayState, geography: Geography, rows: slice = EVERYWHERE, cols: slice = EVERYWHERE
) -> np.ndarray:
    """True PM2.5 on a window of the fine grid, sea included [ug m-3]."""
    scaler = downscaler(geography)
    with torch.inference_mode():
        return scaler.window(day_fields(scaler, state), rows, cols).numpy()


@pytest.fixture(scope="module")
def alps(geography_alps: Geography) -> Geography:
    return geography_alps


@pytest.fixture(scope="module")
def day(alps: Geography) -> DayState:
    return next(World(alps, seed=5).run("2018-01-20", 1))


@pytest.fixture(scope="module")
def product(alps: Geography, day: DayState) -> np.ndarray:
    return ghap_like(day, alps)


@pytest.mark.parametrize(("rows", "cols"), [
    (slice(0, 512), slice(0, 512)), (slice(880, 1392), slice(880, 1392)), (slice(437, 700), slice(13, 14)),
])  # fmt: skip
def test_a_window_shows_the_values_of_the_whole_map(
    alps: Geography, day: DayState, product: np.ndarray, rows: slice, cols: slice
) -> None:
    assert np.array_equal(ghap_like(day, alps, rows, cols), product[rows, cols], equal_nan=True)
    assert np.array_equal(fine_truth(day, alps, rows, cols), fine_truth(day, alps)[rows, cols])


def test_points_agree_with_the_map(alps: Geography, day: DayState) -> None:
    scaler, whole = downscaler(alps), fine_truth(day, alps)
    rows, cols = torch.tensor([3, 700, 1391]), torch.tensor([5, 411, 1391])
    points = scaler.points(scaler.fields(day), rows, cols).numpy()
    np.testing.assert_allclose(points, whole[rows.numpy(), cols.numpy()], rtol=1e-5)


def test_a_batch_of_windows_holds_the_very_values_of_single_windows(
    alps: Geography, day: DayState, product: np.ndarray
) -> None:
    scaler = downscaler(alps)
    rows, cols = torch.tensor([0, 301, 1328]), torch.tensor([77, 640, 1328])
    truth = scaler.windows(scaler.fields(day), rows, cols, 64)
    seen = retrieval(scaler, day.seed).windows(truth, day_number(day.day), rows, cols)
    for index, (row, col) in enumerate(zip(rows.tolist(), cols.tolist(), strict=True)):
        window = (slice(row, row + 64), slice(col, col + 64))
        assert np.array_equal(truth[index].numpy(), fine_truth(day, alps, *window))
        assert np.array_equal(seen[index].numpy(), product[window], equal_nan=True)


def test_detail_keeps_the_means_of_the_tracer(alps: Geography, day: DayState) -> None:
    fine = fine_truth(day, alps)
    means = block_sum(fine, day.pm.shape, "edge") / 100
    inner = (slice(4, -8), slice(4, -8))
    assert abs(means[inner].mean() / day.pm[inner].mean() - 1) < 0.05
    assert np.corrcoef(means[inner].ravel(), day.pm[inner].ravel())[0, 1] > 0.97
    # and there is detail: neighbouring cells differ more than interpolation alone would make them
    assert np.abs(np.diff(fine, axis=1)).mean() > 2 * np.abs(np.diff(day.pm, axis=1)).mean() / 10


def test_plumes_lie_downwind_of_towns(alps: Geography, day: DayState) -> None:
    towns = alps.towns.inside(alps.domain.fine)
    big = towns.select(np.argsort(-towns.population)[:40])
    blown = {}
    for name, wind in (("east", 6.0), ("west", -6.0)):
        era5 = day.era5.copy()
        era5[0], era5[1] = wind, 0.0
        blown[name] = fine_truth(replace(day, era5=era5), alps)
    row = np.round(alps.domain.fine.row_of(big.lat)).astype(int).clip(0, 1391)
    col = np.round(alps.domain.fine.col_of(big.lon)).astype(int).clip(30, 1360)
    difference = blown["east"] - blown["west"]
    assert (difference[row, col + 20] - difference[row, col - 20]).mean() > 0.05


def test_the_product_is_nan_at_sea_and_nearly_complete_on_land(alps: Geography, product: np.ndarray) -> None:
    assert np.isnan(product[~alps.land]).all()
    assert 0.98 < np.isfinite(product[alps.land]).mean() <= 1


def test_retrieval_noise_is_correlated_and_low_in_complex_terrain(
    alps: Geography, day: DayState, product: np.ndarray
) -> None:
    ratio = product / fine_truth(day, alps)
    flat, rough = (alps.terrain_complexity < 30) & alps.land, alps.terrain_complexity > 300
    assert np.nanmean(ratio[rough]) < np.nanmean(ratio[flat]) - 0.08
    noise = np.where(flat, ratio, np.nan) - np.nanmean(ratio[flat])
    pairs = noise[:, 1:] * noise[:, :-1]
    assert np.nanmean(pairs) > 0.6 * np.nanmean(noise**2)


def test_noise_moves_from_day_to_day(alps: Geography) -> None:
    instrument = retrieval(downscaler(alps), 5)
    assert not np.array_equal(instrument.offsets(100), instrument.offsets(101))


def test_a_tile_is_made_quickly(alps: Geography, day: DayState) -> None:
    tile = slice(400, 912)
    ghap_like(day, alps, tile, tile)
    times = []
    for _ in range(5):
        begin = time.perf_counter()
        ghap_like(day, alps, tile, tile)
        times.append(time.perf_counter() - begin)
    assert min(times) < 0.1  # about 11 ms on one core; a busy machine gets slack
