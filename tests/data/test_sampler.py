from __future__ import annotations

import numpy as np
import pytest

from cranpm.data.sampler import TileSampler
from cranpm.domain import FINE, REGIONS

DAYS = np.arange(np.datetime64("2017-01-02"), np.datetime64("2017-02-01"))


@pytest.fixture(scope="module")
def land():
    mask = np.zeros(FINE.shape, dtype=bool)
    mask[1500:3500, 1500:6000] = True
    return mask


def _sampler(land, **changes):
    settings = {"tile_size": 512, "tiles_per_day": 6, "hotspot_ratio": 0.5, "seed": 7} | changes
    return TileSampler(DAYS, land, FINE, **settings)


def test_a_draw_can_be_named_again_and_epochs_differ(land):
    sampler = _sampler(land)
    assert sampler.group(3, 5) == _sampler(land).group(3, 5)
    assert sampler.group(3, 5).tiles != sampler.group(4, 5).tiles
    assert sampler.group(3, 5).tiles != _sampler(land, seed=8).group(3, 5).tiles


def test_an_epoch_visits_every_day_once(land):
    sampler = _sampler(land)
    days = {sampler.group(0, i).init_time for i in range(len(sampler))}
    assert days == set(DAYS)


def test_half_of_the_tiles_are_centred_in_hotspots_and_all_hold_land(land):
    sampler = _sampler(land, tiles_per_day=40)
    hot = total = 0
    for index in range(20):
        for tile in sampler.group(0, index).tiles:
            inside = land[tile.row : tile.row + 512, tile.col : tile.col + 512]
            assert inside.mean() >= 0.1
            lat, lon = FINE.lat[tile.row + 256], FINE.lon[tile.col + 256]
            hot += any(REGIONS[name].contains(lat, lon) for name in ("po_valley", "silesia", "rhine_ruhr"))
            total += 1
    # 800 draws at one half, plus the few per cent of ordinary draws that fall into a hotspot by chance
    assert 0.44 < hot / total < 0.62


def test_an_empty_split_is_refused(land):
    with pytest.raises(ValueError, match="No init days"):
        TileSampler([], land, FINE, tile_size=512, tiles_per_day=1, hotspot_ratio=0, seed=0)


def test_a_sea_without_land_is_refused():
    with pytest.raises(ValueError, match="No tile of 512 cells holds 10% land"):
        _sampler(np.zeros(FINE.shape, dtype=bool))
