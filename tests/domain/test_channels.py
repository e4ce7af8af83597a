from __future__ import annotations

import numpy as np
import pytest

from cranpm.domain import COARSE_CHANNELS, DAY_CHANNELS, LOCAL_CHANNELS, MissingStatisticsError, channel_index
from cranpm.domain.normalise import (
    Statistics,
    compute_statistics,
    denormalise_coarse,
    denormalise_pm2p5,
    normalise_coarse,
    normalise_pm2p5,
)


def test_seventy_coarse_and_five_local_channels_in_the_settled_order():
    names = [c.name for c in COARSE_CHANNELS]
    assert len(names) == len(set(names)) == 70
    # ERA5(t) 30, CAMS(t) 5, ERA5(t-1) 30, CAMS(t-1) 5
    assert names[:5] == ["u10@t", "v10@t", "t2m@t", "sp@t", "tp@t"]
    assert names[5:10] == ["t_1000@t", "t_925@t", "t_850@t", "t_700@t", "t_500@t"]
    assert names[30:36] == ["pm2p5@t", "pm10@t", "no2@t", "o3@t", "co@t", "u10@t-1"]
    assert names[-1] == "co@t-1"
    assert [c.name for c in LOCAL_CHANNELS] == ["pm2p5@t", "elevation", "latitude", "longitude", "pm2p5@t-1"]


def test_an_unknown_channel_is_refused_with_the_known_ones():
    with pytest.raises(KeyError, match="Unknown channel 'msl'"):
        channel_index("msl")


def _days(rng, number=4):
    scale = np.arange(1, 36)[:, None, None]
    return [np.abs(rng.normal(10, 2, (35, 6, 7))) * scale for _ in range(number)]


def test_normalise_and_denormalise_are_inverses_and_keep_gaps():
    days = _days(np.random.default_rng(1))
    days[0][3, 2, 2] = np.nan
    statistics = compute_statistics(days, period="test", source="test")
    both = np.concatenate([days[0], days[1]])
    scores = normalise_coarse(both, statistics)
    assert np.isnan(scores[3, 2, 2]) and np.isnan(scores).sum() == 1
    assert np.allclose(denormalise_coarse(scores, statistics), both, rtol=2e-4, equal_nan=True)
    # all training days together have mean 0 and spread 1 in every channel
    everything = np.stack([normalise_coarse(day, statistics) for day in days])
    assert np.nanmean(everything, axis=(0, 2, 3)) == pytest.approx(np.zeros(35), abs=1e-3)
    assert np.nanstd(everything, axis=(0, 2, 3)) == pytest.approx(np.ones(35), abs=1e-3)


def test_pm2p5_scale_is_the_papers():
    # (x - 15) / 20
    assert normalise_pm2p5(35.0) == 1.0
    assert denormalise_pm2p5(normalise_pm2p5(7.25)) == 7.25


def test_a_missing_or_flat_statistic_is_an_error_not_a_default():
    names = [c.name for c in DAY_CHANNELS]
    full = dict.fromkeys(names, 1.0)
    without = {k: v for k, v in full.items() if k != "co"}
    with pytest.raises(MissingStatisticsError, match="co"):
        Statistics(mean=without, std=full, period="p", source="s").vectors()
    with pytest.raises(MissingStatisticsError, match="t2m"):
        Statistics(mean=full, std={**full, "t2m": 0.0}, period="p", source="s").vectors()
    with pytest.raises(ValueError, match="35"):
        normalise_coarse(np.zeros((34, 2, 2)), Statistics(mean=full, std=full, period="p", source="s"))
