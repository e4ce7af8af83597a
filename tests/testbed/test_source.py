"""Day files of the simulated world: what training reads is what was simulated, also from an earlier version's files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from cranpm.testbed.geography.geography import Geography
from cranpm.testbed.instruments.downscale import downscaler
from cranpm.testbed.instruments.instruments import cams_like, retrieval
from cranpm.testbed.simulation.noise import EPOCH, day_number
from cranpm.testbed.simulation.world import BLOCK_DAYS, DayState, World
from cranpm.testbed.source import WorldSource, day_file, holds_days, simulate_days

START = (
    EPOCH + day_number("2018-02-03") // BLOCK_DAYS * BLOCK_DAYS
)  # the shortest way from where a world starts
SEED = 2**64 - 1  # the largest that a day can carry
WINDOW = slice(300, 420), slice(500, 600)


@pytest.fixture(scope="module")
def simulated(
    geography_alps: Geography, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, list[DayState]]:
    """A folder of two days, and the states they were made from."""
    folder, states, plain = tmp_path_factory.mktemp("days"), [], World.run

    def recorded(*arguments: Any, **named: Any) -> Iterator[DayState]:
        for state in plain(*arguments, **named):
            states.append(state)
            yield state

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(World, "run", recorded)
        simulate_days(geography_alps, folder, [(str(START), 2)], seed=SEED)
    return folder, states


@pytest.fixture
def folder(simulated: tuple[Path, list[DayState]]) -> Path:
    return simulated[0]


def test_a_day_comes_back_as_it_was_simulated(
    simulated: tuple[Path, list[DayState]], geography_alps: Geography
) -> None:
    folder, states = simulated
    source = WorldSource(geography_alps, folder)
    assert source.days.tolist() == [START.item(), (START + 1).item()] == [s.day.item() for s in states]
    assert {path.suffix for path in folder.iterdir()} == {".safetensors"}
    for state in states:
        coarse = np.concatenate([state.era5, cams_like(state, geography_alps)]).astype(np.float32)
        np.testing.assert_array_equal(source.coarse(state.day), coarse)
        scaler = downscaler(geography_alps)
        truth = scaler.window(scaler.fields(state).half(), *WINDOW)
        seen = retrieval(scaler, SEED).window(truth, day_number(state.day), *WINDOW)
        np.testing.assert_array_equal(source.pm2p5(state.day, *WINDOW), seen.numpy())


def test_what_is_written_into_a_day_stays_out_of_its_file(folder: Path, geography_alps: Geography) -> None:
    source = WorldSource(geography_alps, folder)
    before = source.coarse(START).copy()
    source.coarse(START)[:] = 7  # mapped copy-on-write
    np.testing.assert_array_equal(WorldSource(geography_alps, folder).coarse(START), before)


def test_days_of_an_earlier_version_are_converted_and_not_simulated_again(
    folder: Path, geography_alps: Geography, tmp_path: Path
) -> None:
    for day in (START, START + 1):
        kept = load_file(day_file(folder, day))
        arrays = {name: tensor.numpy() for name, tensor in kept.items()}
        np.savez(tmp_path / f"{day}.npz", seed=np.uint64(SEED), **arrays)
    assert holds_days(tmp_path)
    (tmp_path / f"{START + 1}.npz").rename(tmp_path / "later")
    source, expected = (WorldSource(geography_alps, place) for place in (tmp_path, folder))
    assert source.days.tolist() == [START.item()]
    np.testing.assert_array_equal(source.coarse(START), expected.coarse(START))
    np.testing.assert_array_equal(source.pm2p5(START, *WINDOW), expected.pm2p5(START, *WINDOW))

    (tmp_path / "later").rename(tmp_path / f"{START + 1}.npz")

    def again(done: int, total: int, seconds_left: float) -> None:
        pytest.fail("the day was there")

    simulate_days(geography_alps, tmp_path, [(str(START), 2)], seed=SEED, progress=again)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(path.name for path in folder.iterdir())
    assert torch.equal(
        load_file(day_file(tmp_path, START + 1))["fields"], load_file(day_file(folder, START + 1))["fields"]
    )


def test_only_the_day_that_lacks_is_made_and_counted(
    folder: Path, geography_alps: Geography, tmp_path: Path
) -> None:
    kept = tmp_path / day_file(folder, START + 1).name
    kept.write_bytes(day_file(folder, START + 1).read_bytes())
    before, told = kept.stat().st_mtime_ns, []
    periods = [(str(START), 2)]
    simulate_days(geography_alps, tmp_path, periods, seed=SEED, progress=lambda *p: told.append(p[:2]))
    assert told == [(1, 1)]
    assert kept.stat().st_mtime_ns == before
    assert day_file(tmp_path, START).read_bytes() == day_file(folder, START).read_bytes()


def test_a_folder_without_days_holds_none(tmp_path: Path) -> None:
    (tmp_path / "puffs").mkdir()
    assert not holds_days(tmp_path) and not holds_days(tmp_path / "nowhere")
