"""`cranpm bench` on a domain of a few tiles: what is in the file, that ratios are ratios, what it refuses."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from cranpm.bench import run as run_module
from cranpm.bench.ceilings import COPY, Ceiling, Ceilings, find_ceilings
from cranpm.bench.figures import Bound, Figure, Label, PartUnavailableError, table
from cranpm.bench.run import PARTS, NothingMeasuredError, check_parts, run_bench
from cranpm.bench.settings import BenchSettings
from cranpm.bench.timing import Spread, Turns, time_in_turns
from cranpm.cli.app import app
from cranpm.domain import domain_from_corner
from cranpm.model import get_preset

CPU = torch.device("cpu")
MINI = domain_from_corner("mini", "Mini", north=48.0, west=6.0, coarse_rows=14, coarse_cols=14)


def settings(**changes) -> BenchSettings:
    given = {
        "device": CPU, "preset": "tiny", "domain": MINI, "tile_size": 128, "seconds": 0.05, "quick": True,
        "leads": (1,), "days": 3, "workers": (0,),
    }  # fmt: skip
    return BenchSettings(**{**given, **changes})


@pytest.fixture(scope="module")
def ceilings() -> Ceilings:
    return find_ceilings(get_preset("tiny"), CPU, seconds=0.1)


@pytest.fixture(scope="module")
def machine(scene, drawn, tmp_path_factory):
    root = tmp_path_factory.mktemp("machine")
    scene.write_scene(root / "data", domain=MINI, days=3)
    scene.write_checkpoint(root / "drawn", drawn)
    return root


# what a part gives


def test_every_part_measures_something_on_a_small_domain(machine, ceilings):
    asked = settings(data=str(machine / "data"), checkpoint=str(machine / "drawn"))
    for part, measure in PARTS.items():
        figures = measure(asked, ceilings)
        assert figures, part
        for one in figures:
            assert one.part == part and one.rounds >= 1
            assert 0 < one.seconds.low <= one.seconds.median <= one.seconds.high < 600, one.what
            if (
                one.share is not None
            ):  # nothing here may be faster than the ceiling, but for the noise of a round
                assert one.ceiling in ceilings.of
                assert 0 < one.share.median < 3, one.what
        compared = [one for one in figures if one.times_faster]
        # preparing is compared with other numbers of workers, of which there is one here
        assert compared or part == "prepare", part
        for one in compared:
            assert all(
                ratio.median > 0 and math.isfinite(ratio.median) for ratio in one.times_faster.values()
            )


def test_a_time_line_has_the_stages_of_a_forecast_and_they_add_up(machine, ceilings):
    whole, *stages = PARTS["forecast"](
        settings(data=str(machine / "data"), checkpoint=str(machine / "drawn")), ceilings
    )
    names = [one.what.split(":")[0].removeprefix("- ") for one in stages]
    assert names == ["read", "decode", "check", "inputs", "compute", "blend", "encode", "write"]
    assert sum(one.seconds.median for one in stages) == pytest.approx(whole.seconds.median)  # of one round
    assert sum(one.detail["share_of_run"] for one in stages) == pytest.approx(1)
    assert whole.detail["megabytes"] > 0.01


def test_a_map_counts_every_tile_and_the_day_once(ceilings):
    figures = {one.what: one for one in PARTS["model"](settings(), ceilings)}
    # 14 x 14 coarse nodes are 336 x 336 cells: starts 0, 64, 128, 192, 208 along each side
    (whole,) = (one for name, one in figures.items() if name.startswith("map of 25 tiles, batch 1, float32"))
    day, tile = figures["day, float32"], figures["batch 1, float32"]
    assert whole.derived == "day + 25 tiles"
    if whole.rounds == 1:
        assert whole.seconds.median == pytest.approx(day.seconds.median + 25 * tile.seconds.median)
    else:
        assert whole.seconds.median > 25 * tile.seconds.low


# the arithmetic of ratios


def test_ratios_are_taken_round_by_round():
    # the machine was ten times slower in the second round: no ratio knows of it
    turns = Turns(
        {
            "ours": np.array([1.0, 10.0]),
            "theirs": np.array([3.0, 30.0]),
            "ceiling: float32": np.array([0.5, 5.0]),
        },
        {"ours": np.ones(2), "theirs": np.ones(2), "ceiling: float32": np.ones(2)},
    )
    best = Ceiling(
        name="float32", what="product", library="MKL", work=100.0, unit="FLOP/s", call=lambda: None
    )
    one = Figure.of(
        turns,
        "ours",
        Label("model", "tile"),
        count=2,
        bound=Bound(50.0, best),
        instead={"theirs": 1.0},
    )
    assert one.seconds == Spread.of(np.array([0.5, 5.0]))  # two tiles a call
    # 50 FLOP in 1 s, where the product does 100 FLOP in 0.5 s
    assert one.share == Spread(0.25, 0.25, 0.25)
    # ours take 0.5 s a tile, theirs 3 s
    assert one.times_faster["theirs"] == Spread(6.0, 6.0, 6.0)
    assert one.times_less_cpu["theirs"] == Spread(2.0, 2.0, 2.0)
    line = table([one])[-1]
    assert "25% (50%) of float32" in line and "6 (2) x theirs" in line


def test_cpu_seconds_that_are_not_all_of_the_work_make_no_ratio():
    turns = Turns({"a": np.ones(1), "b": np.ones(1)}, {"a": np.ones(1), "b": np.ones(1)}, all_cpu=False)
    one = Figure.of(
        turns,
        "a",
        Label("prepare", "day"),
        instead={"b": 1.0},
    )
    assert one.times_faster and not one.times_less_cpu and one.share_by_cpu is None


def test_forms_take_turns():
    order: list[str] = []
    turns = time_in_turns(
        {"a": lambda: order.append("a"), "b": lambda: order.append("b")}, CPU, seconds=0.0, least=3
    )
    # a warm-up of each; a machine that has no time left stops after a round
    assert order[:4] == ["a", "b", "a", "b"]
    assert len(turns.wall["a"]) == len(turns.wall["b"]) == (len(order) - 2) // 2


def test_the_best_of_several_libraries_is_the_ceiling(ceilings):
    assert set(ceilings.of) >= {"float32", COPY}
    assert ceilings.best in ceilings.of
    for name, told in ceilings.to_dict(CPU, 0.05).items():
        assert told["library"] and 0 < told["low"] <= told["median"] <= told["high"], name
    assert ceilings.to_dict(CPU, 0.01)[COPY]["unit"] == "byte/s"


# what is refused, what is left out


def test_a_bench_that_measures_nothing_fails(machine):
    with pytest.raises(NothingMeasuredError, match="Nothing was measured. forecast: .*no-such"):
        run_bench(settings(data="no-such", checkpoint=str(machine / "drawn")), ["forecast"])


def test_a_part_that_breaks_costs_only_itself(monkeypatch):
    def broken(*_):
        raise RuntimeError("out of luck")

    def unavailable(*_):
        raise PartUnavailableError("not here")

    monkeypatch.setitem(run_module.PARTS, "model", broken)
    monkeypatch.setitem(run_module.PARTS, "render", unavailable)
    results = run_bench(settings(), ["model", "render", "blend"])
    assert results.failed == {"model": "RuntimeError: out of luck"}
    assert results.left_out == {"render": "not here"}
    assert [one.part for one in results.figures] == ["blend"]
    assert "FAILED: model: RuntimeError: out of luck" in results.lines()


def test_a_quick_run_begins_no_part_that_would_end_too_late(monkeypatch):
    """At the pace of ceilings and blend, a million times their work would take days, and none of it no time."""
    work = run_module.QUICK_WORK | {"training": 1e7, "verify": 0.0}
    monkeypatch.setattr(run_module, "QUICK_WORK", work)
    monkeypatch.setattr(run_module, "QUICK_LIMIT", 600.0)
    results = run_bench(settings(), ["blend", "training", "verify"])
    assert list(dict.fromkeys(one.part for one in results.figures)) == ["blend", "verify"]
    assert "measure it with --only training" in results.left_out["training"]
    seconds = results.about["seconds_of_parts"]
    assert list(seconds) == ["ceilings", "blend", "verify"]
    assert sum(seconds.values()) == pytest.approx(results.about["seconds"], abs=1.0)


def test_an_unknown_part_is_refused():
    with pytest.raises(ValueError, match=r"Parts to measure are model, blend, .*; got 'speed'"):
        check_parts(["model", "speed"])
    with pytest.raises(ValueError, match="got none"):
        check_parts([])


# the command


def bench(*arguments):
    return CliRunner().invoke(app, ["bench", *map(str, arguments)])


def test_the_command_writes_what_it_measured(tmp_path):
    out = tmp_path / "bench.json"
    options = ["--only", "blend", "--quick", "--preset", "tiny", "--domain", "alps", "--out", out]
    result = bench(*options)
    assert result.exit_code == 0, result.output
    assert "blend" in result.output and "NumPy on the CPU" in result.output
    told = json.loads(out.read_text())
    assert told["quick"] is True and told["preset"] == "tiny" and told["domain"] == "alps"
    assert {"processor", "cores", "threads", "memory_gb", "load", "device"} <= set(told["machine"])
    assert told["versions"]["torch"] == torch.__version__
    assert set(told["ceilings"]) >= {"float32", "copy"}
    assert not told["failed"]
    (figure,) = told["figures"]
    assert figure["ceiling"] == "copy" and set(figure["seconds"]) == {"median", "low", "high"}
    assert set(figure["times_faster"]) == {"NumPy on the CPU"}
    # what is there is not replaced unless asked
    again = bench(*options)
    assert again.exit_code == 2 and "--overwrite" in again.output


def test_the_command_refuses_what_it_cannot_do(tmp_path):
    unknown = bench("--only", "speed")
    assert unknown.exit_code == 2 and "Parts to measure are" in unknown.output
    other = bench("--out", tmp_path / "bench.txt")
    assert other.exit_code == 2 and "written as .json" in other.output
