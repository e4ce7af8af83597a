"""Another world is a file, not a fork: what differs is said, wrong constants are refused, every one of them acts."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from cranpm.testbed.build import world_identity
from cranpm.testbed.geography.geography import Geography
from cranpm.testbed.instruments.downscale import downscaler
from cranpm.testbed.instruments.instruments import cams_like, ghap_like, observe_stations
from cranpm.testbed.instruments.stations import draw_stations
from cranpm.testbed.simulation.constants import DEFAULT_SEED, WorldConstants, WorldConstantsError
from cranpm.testbed.simulation.noise import EPOCH, day_number
from cranpm.testbed.simulation.world import BLOCK_DAYS, DayState, World
from cranpm.testbed.simulation.world_files import find_world, read_world, shipped_worlds
from cranpm.testbed.source import WorldSource, simulate_days

DAY = EPOCH + day_number("2018-02-03") // BLOCK_DAYS * BLOCK_DAYS


def test_world_1_is_the_default_and_names_nothing() -> None:
    world = find_world()
    assert world == WorldConstants() == find_world("world-1") and world.seed == DEFAULT_SEED
    assert world.changes == {}


def test_a_world_comes_back_from_what_is_written_of_it() -> None:
    world = find_world("shifted")
    assert WorldConstants.from_dict(json.loads(json.dumps(world.to_dict()))) == world
    assert world.seed != DEFAULT_SEED


def test_the_shifted_world_differs_in_all_that_the_protocol_names() -> None:
    """Advecting wind mix, scavenging, lifetimes, softness of barriers, valleys' contrast and height, noise, seed."""
    changes = find_world("shifted").changes
    assert {"low_surface", "low_925", "high_925", "high_850"} <= changes["weather"].keys()
    assert {"rain_scavenging", "low_life", "high_life", "barrier_softness"} <= changes["chemistry"].keys()
    assert {"valley_contrast", "valley_pooling", "valley_height"} <= changes["downscaling"].keys()
    noise = {"fine_noise", "broad_noise", "complex_terrain_bias", "station_noise"}
    assert noise <= changes["instruments"].keys()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "name: x\nchemistry: {low_lif: 3}",
            "odd.yaml: There is no constant chemistry.low_lif; expected one of back",
        ),
        (
            "name: x\nchemistry: {low_life: 0}",
            "chemistry.low_life is 0; expected a number, more than 0, such as 12",
        ),
        ("name: x\nchemistry: {rain_scavenging: -1}", "rain_scavenging is -1; expected a number, 0 or more"),
        ("name: x\nchemistry: {high_life: .nan}", "high_life is nan"),
        ("name: x\nchemistry: {high_life: yes}", "high_life is True"),
        ("name: x\nchemistry: {background: [1, 2, 3]}", r"background is \[1, 2, 3\]; expected 2 numbers"),
        ("name: x\nchemistry: 7", "chemistry is 7; expected names and values"),
        ("name: x\nseed: 1.5", "seed is 1.5; expected a whole number"),
        ("name: x\nseed: 18446744073709551616", "expected 0 .. 2"),
        ("seed: 4", "a world needs a name"),
        ("name: World 7", "a world needs a name of small letters"),
        (
            "name: world-1\nchemistry: {low_life: 9}",
            "with other values of chemistry.low_life needs a name of its own",
        ),
        ("[1", "cannot be read as a world"),
    ],
)
def test_a_file_that_describes_no_world_is_refused_by_name(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "odd.yaml"
    path.write_text(text)
    with pytest.raises(WorldConstantsError, match=message):
        read_world(path)


def test_an_unknown_world_is_told_which_there_are() -> None:
    with pytest.raises(
        WorldConstantsError, match="There is no world 'shfted'; expected world-1, shifted, or a file"
    ):
        find_world("shfted")


def test_all_shipped_worlds_open_under_their_file_names() -> None:
    for name, path in shipped_worlds().items():
        assert read_world(path).name == name


def test_worlds_are_told_apart_and_world_1_is_called_what_it_was(geography_alps: Geography) -> None:
    plain = world_identity(geography_alps, WorldConstants())
    assert plain["version"] == "world-1" and set(plain["world"]) == {"world_version", "seed", "geography"}
    shifted = world_identity(geography_alps, find_world("shifted"))
    assert shifted["version"] == "world-1-shifted"
    assert shifted["world"]["constants"]["chemistry"]["low_life"] == 8.0
    same_seed = world_identity(geography_alps, replace(find_world("shifted"), seed=DEFAULT_SEED))
    assert len({made["hash"] for made in (plain, shifted, same_seed)}) == 3


@pytest.fixture(scope="module")
def days(geography_alps: Geography) -> dict[str, DayState]:
    """One day of world 1 and of the shifted world, with one seed: what differs is physics."""
    shifted = replace(find_world("shifted"), seed=DEFAULT_SEED)
    worlds = WorldConstants(), shifted
    return {w.name: next(World(geography_alps, constants=w).run(DAY, 1)) for w in worlds}


def test_other_physics_move_the_same_weather_otherwise(days: dict[str, DayState]) -> None:
    plain, shifted = days.values()
    np.testing.assert_array_equal(plain.era5, shifted.era5)
    assert not np.allclose(plain.pm, shifted.pm, rtol=0.02)


def test_maps_and_instruments_follow_the_days_world(
    days: dict[str, DayState], geography_alps: Geography
) -> None:
    """The very same air, seen with the constants of either world."""
    plain = days["world-1"]
    as_shifted = replace(plain, constants=days["shifted"].constants)
    stations = draw_stations(geography_alps, plain.seed)
    for product in (ghap_like, lambda d, g: observe_stations(d, g, stations)):
        one, other = product(plain, geography_alps), product(as_shifted, geography_alps)
        assert not np.array_equal(one, other, equal_nan=True)
        assert np.array_equal(np.isnan(one), np.isnan(other)), "gaps are drawn alike"
    np.testing.assert_array_equal(cams_like(plain, geography_alps), cams_like(as_shifted, geography_alps))
    one, other = (downscaler(geography_alps, constants=d.constants) for d in (plain, as_shifted))
    # a valley 280 m deep counts 280 / 350 in one and 280 / 600 in the other
    inside = (one.valleys.abs() > 0.01) & (one.valleys.abs() < 0.79)
    ratio = (other.valleys / one.valleys)[inside]
    assert len(ratio) > 1000
    torch.testing.assert_close(ratio, torch.full_like(ratio, 350 / 600))


def test_day_files_know_their_world_and_are_not_mixed(geography_alps: Geography, tmp_path: Path) -> None:
    shifted = find_world("shifted")
    simulate_days(geography_alps, tmp_path, [(str(DAY), 1)], constants=shifted)
    source = WorldSource(geography_alps, tmp_path)
    assert source.constants == shifted and source.name == "testbed (simulated), world 'shifted'"
    window = slice(300, 420), slice(500, 600)
    state = next(World(geography_alps, constants=shifted).run(DAY, 1))
    seen = ghap_like(state, geography_alps, *window)
    # day files hold half precision
    np.testing.assert_allclose(source.pm2p5(DAY, *window), seen, rtol=2e-3, atol=0.02)
    reported = observe_stations(state, geography_alps, draw_stations(geography_alps, shifted.seed))
    np.testing.assert_allclose(source.stations.on(DAY), reported, rtol=2e-3, atol=0.11)
    assert list(tmp_path.glob("stations-*.npy")), "kept beside the days"
    simulate_days(geography_alps, tmp_path, [(str(DAY + 1), 1)])
    with pytest.raises(ValueError, match="is of 'world-1', other days there of 'shifted'"):
        WorldSource(geography_alps, tmp_path).coarse(DAY + 1)
