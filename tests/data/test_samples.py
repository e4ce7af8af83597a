from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from cranpm.data.samples import (
    MissingInputError,
    coarse_sample,
    local_fields,
    refuse_missing_land,
    wind_at_tokens,
)
from cranpm.data.store.encoding import decode_pm2p5
from cranpm.domain import DAY_CHANNELS, EUROPE, PM_OFFSET, Statistics, channel_index, domain_from_corner

SMALL = domain_from_corner("small", "Small", north=50.0, west=0.0, coarse_rows=56, coarse_cols=56)


@pytest.fixture
def statistics():
    names = [c.name for c in DAY_CHANNELS]
    return Statistics(
        mean=dict.fromkeys(names, 2.0), std=dict.fromkeys(names, 4.0), period="p", source="test"
    )


@pytest.fixture
def days():
    rng = np.random.default_rng(3)
    return [rng.uniform(1, 9, (35, *SMALL.coarse_box.shape)).astype(np.float32) for _ in range(2)]


def _sample(days, statistics):
    elevation = np.zeros(SMALL.coarse_box.shape, dtype=np.float32)
    return coarse_sample(*days, elevation, domain=SMALL, statistics=statistics, name="2022-01-05")


def test_the_network_sees_the_first_nodes_of_the_box_as_z_scores(days, statistics):
    sample = _sample(days, statistics)
    assert sample.fields.shape == (70, 56, 56)
    row = channel_index("t2m")
    assert torch.allclose(sample.fields[row], torch.from_numpy((days[0][row, :56, :56] - 2) / 4))
    # t-1 follows in the second half
    assert torch.allclose(sample.fields[35 + row], torch.from_numpy((days[1][row, :56, :56] - 2) / 4))
    assert torch.equal(sample.wind, torch.from_numpy(days[0][:2, :56, :56]))


def test_gaps_become_the_mean_and_are_marked(days, statistics):
    days[0][:, 4, 5] = np.nan
    days[1][:, 4, 5] = np.nan
    days[0][7, 9, 9] = np.nan
    sample = _sample(days, statistics)
    assert not sample.valid[4, 5] and sample.valid[9, 9] and int((~sample.valid).sum()) == 1
    assert (sample.fields[:, 4, 5] == 0).all() and sample.fields[7, 9, 9] == 0
    assert torch.isfinite(sample.fields).all()
    # unknown wind is calm, so that it points nowhere
    assert (sample.wind[:, 4, 5] == 0).all()


def test_a_channel_with_too_many_gaps_is_refused_by_name(days, statistics):
    days[1][channel_index("co"), :20] = np.nan
    with pytest.raises(MissingInputError, match="2022-01-05: channel 'co' of day t-1 lacks 35%"):
        _sample(days, statistics)


def test_a_wrong_grid_is_refused(days, statistics):
    with pytest.raises(ValueError, match=r"must be \(35, 57, 57\)"):
        _sample([days[0][:, :-1], days[1]], statistics)


def test_token_winds_are_bilinear_at_token_centres():
    # a wind that grows linearly with the node indices is reproduced exactly by bilinear interpolation
    rows, cols = np.indices(EUROPE.coarse_box.shape)
    wind = np.stack([rows * 2.0, cols * -3.0]).astype(np.float32)
    tokens = wind_at_tokens(wind, row_start=448, col_start=960, tile_size=512)
    # first token centre: fine index 448 + 7.5, coarse coordinate (455.5 + 0.5) / 25 = 18.24
    assert tokens.shape == (2, 32, 32)
    assert tokens[0, 0, 0] == pytest.approx(36.48, abs=1e-4)
    assert tokens[1, 0, 0] == pytest.approx(-3 * (960 + 7.5 + 0.5) / 25, abs=1e-3)


def test_stored_gaps_decode_to_nan_and_zero_stays_zero():
    assert np.array_equal(
        decode_pm2p5(np.array([0, 123, 65535], dtype=np.uint16)),
        np.float32([0.0, 12.3, np.nan]),
        equal_nan=True,
    )


def test_pm2p5_that_alone_is_missing_is_no_known_air(days, statistics):
    days[0][channel_index("pm2p5"), 4, 5] = np.nan
    days[1][channel_index("pm2p5"), 9, 9] = np.nan  # of day t-1: what is carried is that of day t
    sample = _sample(days, statistics)
    assert sample.valid.all(), "other channels have values there"
    assert not sample.known_pm2p5[4, 5] and int((~sample.known_pm2p5).sum()) == 1


def test_missing_pm_is_filled_with_the_products_mean(statistics):
    """Old statistics do not know it: theirs is 15 ug m-3, the offset of network units, and is said to be."""
    assert statistics.pm2p5_fill == PM_OFFSET == 15.0
    known = replace(statistics, pm2p5_mean=9.0)
    assert Statistics.from_dict(known.to_dict()) == known and known.pm2p5_fill == 9.0
    assert (
        Statistics.from_dict(statistics.to_dict()) == statistics and "pm2p5_mean" not in statistics.to_dict()
    )
    pm, before = torch.full((1, 16, 16), 35.0), torch.full((1, 16, 16), 35.0)
    pm[0, 3, 3], before[0, 5, 5] = torch.nan, torch.nan
    lat, lon = torch.full((1, 16), 51.0), torch.full((1, 16), 10.0)
    fields = local_fields(pm, before, torch.zeros(1, 16, 16), lat, lon, fill=known.pm2p5_fill)
    # (9 - 15) / 20
    assert fields[0, 0, 3, 3] == fields[0, 4, 5, 5] == pytest.approx(-0.3)
    assert fields[0, 0, 0, 0] == 1.0


def test_missing_pm_without_a_known_mean_is_filled_with_the_offset_not_with_clean_air():
    pm = torch.full((1, 16, 16), 35.0)
    pm[0, 3, 3] = torch.nan
    lat, lon = torch.full((1, 16), 51.0), torch.full((1, 16), 10.0)
    fields = local_fields(pm, pm, torch.full((1, 16, 16), 500.0), lat, lon)
    assert fields.shape == (1, 5, 16, 16)
    assert fields[0, 0, 3, 3] == 0 and fields[0, 0, 0, 0] == 1.0  # 0 means 15 ug m-3; 0 ug m-3 would be -0.75
    assert (fields[0, 1] == 0.5).all() and (fields[0, 2:4] == 0).all()


def test_a_day_without_enough_land_is_refused():
    land = np.ones((10, 10), dtype=bool)
    pm = np.full((10, 10), 8.0)
    pm[:2] = np.nan
    assert refuse_missing_land(pm, land, "2022-01-05") == pytest.approx(0.2)
    pm[:3] = np.nan
    with pytest.raises(MissingInputError, match="2022-01-05: 30% of the land"):
        refuse_missing_land(pm, land, "2022-01-05")
