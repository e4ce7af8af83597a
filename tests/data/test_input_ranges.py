"""What cannot be is refused by name before it is forecast from; what is unusual is counted and told."""

from __future__ import annotations

import json

import numpy as np
import pytest

from cranpm.data.input_ranges import ImpossibleInputError, UnusualInput, check_inputs
from cranpm.domain import DAY_CHANNELS, Statistics, channel_index

CENTRE = {"t2m": 280.0, "sp": 95e3, "t": 260.0, "q": 5e-3, "z": 2e4}
SHAPE = (10, 20)


def usual() -> np.ndarray:
    """Every channel at its mean."""
    values = [CENTRE.get(c.variable, 20.0 if c.source == "cams" else 0.0) for c in DAY_CHANNELS]
    return np.array(values, np.float32)[:, None, None] * np.ones(SHAPE, np.float32)


STATISTICS = Statistics(
    mean={c.name: float(v) for c, v in zip(DAY_CHANNELS, usual()[:, 0, 0])} | {"tp": 0.5},
    std={c.name: 1e-3 if c.variable == "q" else 2.0 for c in DAY_CHANNELS} | {"tp": 0.5},
    period="2017-01-01..2020-12-31",
    source="test",
)


def check(
    change: str = "", value: float = 0.0, *, cells: int = 1, before: bool = False
) -> tuple[UnusualInput, ...]:
    """One channel of one day changed at some of the 200 nodes; "map" changes the fine map."""
    coarse = {"t": usual(), "t-1": usual()}
    maps = {day: np.full((50, 50), 12.0, np.float32) for day in coarse}
    day = "t-1" if before else "t"
    if change:
        field = maps[day] if change == "map" else coarse[day][channel_index(change)]
        field.ravel()[:cells] = value
    return check_inputs(coarse, maps, STATISTICS, name="init day 2022-01-10")


def test_usual_inputs_pass_without_a_word_and_gaps_are_no_fault() -> None:
    assert check() == ()
    assert check("t2m", np.nan, cells=50) == () == check("map", np.nan, cells=999)


@pytest.mark.parametrize(
    ("channel", "value", "match"),
    [
        ("t2m", 0.0, r"t2m@t holds 0 K \(0.50% of it; possible is 180 to 340\)"),
        ("u10", np.inf, r"u10@t holds inf m s-1 \(0.50% of it; possible is -100 to 100\)"),
        ("v_850", -np.inf, r"v_850@t holds -inf m s-1"),
        ("sp", 950.0, r"sp@t holds 950 Pa"),
        ("tp", -1.0, r"tp@t holds -1 mm"),
        ("q_1000", 5.0, r"q_1000@t holds 5 kg kg-1"),
        ("no2", 1e6, r"no2@t holds 1e\+06 ug m-3"),
        ("pm2p5", -3.0, r"pm2p5@t holds -3 ug m-3"),
        ("map", np.inf, r"the map of PM2.5@t holds inf ug m-3 \(0.04% of it; possible is 0 to 6553.5\)"),
        ("map", -1.0, r"the map of PM2.5@t holds -1 ug m-3"),
    ],
)
def test_the_impossible_is_refused_by_channel_value_unit_day_and_range(
    channel: str, value: float, match: str
) -> None:
    with pytest.raises(ImpossibleInputError, match=f"^init day 2022-01-10 cannot be forecast: {match}"):
        check(channel, value)
    with pytest.raises(ImpossibleInputError, match=match.replace("@t", "@t-1")):
        check(channel, value, before=True)


def test_all_that_is_impossible_is_named_at_once() -> None:
    fields = {day: usual() for day in ("t", "t-1")}
    for day in fields:
        fields[day][:3, 0, 0] = 1e6
    maps = {day: np.full((4, 4), 12.0, np.float32) for day in fields}
    with pytest.raises(ImpossibleInputError, match=r"u10@t.*v10@t.*t2m@t .*u10@t-1.* \.\.\. and 2 more"):
        check_inputs(fields, maps, STATISTICS, name="a day")


def test_the_unusual_is_counted_with_its_furthest_value() -> None:
    # 20 + 8 * 2 = 36 is the end of the usual, 20 - 16 = 4 its beginning; 10 of 200 nodes lie beyond
    (found,) = check("pm10", 400.0, cells=10, before=True)
    assert found == UnusualInput(
        channel="pm10@t-1",
        units="ug m-3",
        share=0.05,
        extreme=400.0,
        low=pytest.approx(4.0),
        high=pytest.approx(36.0),
    )
    assert str(found) == "pm10@t-1: 5.00% of it beyond 4 to 36 ug m-3, as far as 400"
    assert UnusualInput(**json.loads(json.dumps(found.to_dict()))) == found
    (cold,) = check("t2m", 262.0)  # 280 - 16 = 264
    assert (cold.channel, cold.extreme) == ("t2m@t", 262.0)


def test_precipitation_is_held_against_its_logarithm_and_the_map_against_its_own_scale() -> None:
    # log1p(100) = 4.62 is 8.2 deviations of 0.5 from 0.5; the usual ends at exp(0.5 + 4) - 1 = 89.02 mm
    (rain,) = check("tp", 100.0)
    assert (rain.low, rain.high) == (0.0, pytest.approx(89.017, abs=0.01))
    assert check("tp", 89.0) == ()
    # 15 + 8 * 20 = 175 ug m-3
    (smog,) = check("map", 176.0, cells=25)
    assert (smog.channel, smog.high, smog.share) == ("pm2p5 map@t", 175.0, 0.01)
    assert check("map", 174.0) == ()


@pytest.mark.parametrize("value", [np.nan, np.inf, -1e4, 9001.0, 1e6])
def test_ground_that_cannot_be_is_refused_and_has_no_gaps(value: float) -> None:
    ground = {"elevation": np.array([[0.0, 4807.0, -28.0, value]])}
    with pytest.raises(
        ImpossibleInputError, match=r"cannot be forecast: elevation holds .* m \(25.00% of it"
    ):
        check_inputs({}, {}, STATISTICS, ground=ground, name="a day")
    assert (
        check_inputs({}, {}, STATISTICS, ground={"elevation": ground["elevation"][:, :3]}, name="a day") == ()
    )
