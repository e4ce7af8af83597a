"""Table 3: trained from recipes in one place, interrupted and gone on with, written in four forms; faults are named."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from cranpm.cli.app import app
from cranpm.evaluation import ablation as ablation_module
from cranpm.evaluation.ablation import missing_runs, run_ablations, write_ablation
from cranpm.training.batches.source import TrainingData
from cranpm.training.compare import ComparisonPlan, compare_ablations
from cranpm.training.comparison import Comparison
from cranpm.training.job import run_job
from cranpm.training.recipes.ablations import ABLATIONS, TABLES, AblationTable, ablation, same_recipe
from cranpm.training.recipes.recipes import paper_small
from cranpm.training.state.options import TrainerOptions
from cranpm.training.state.signals import TrainingStopped

ONCE = ComparisonPlan(seeds=(1,), days=2, tiles_per_day=2)
OPTIONS = TrainerOptions(workers=0, save_every=1, validate_every=3, validation_days=2)
"""A state after every step, so that a run that is broken off has one."""


@pytest.fixture(scope="module")
def data(load_file) -> TrainingData:
    from cranpm.data.store.source import source_statistics

    world = load_file("tests/training/conftest.py").DecayingWorld(validation=True).with_stations(6000)
    statistics = source_statistics(world, world.days[:12])
    about = {"source": "a test's world (simulated)", "simulated": True}
    return TrainingData(source=world, statistics=statistics, fingerprint={"kind": "test"}, about=about)


@pytest.fixture(scope="module")
def short(load_file):
    from cranpm.training.recipes.debug import smallest
    from cranpm.training.recipes.recipes import tiny

    recipe = smallest(replace(tiny(), station_weight=0.0, puff_share=0.0))
    return replace(
        recipe,
        steps=3,
        warmup_steps=1,
        token_steps=0,
        calibration_steps=0,
        global_epochs=0,
        coarse_weight=0.0,
        average_decay=None,
    )


@pytest.fixture
def two_variants(monkeypatch):
    """A table that a test can afford."""
    table = AblationTable(title="two and one twice", variants=("full", "R2", "D"), reference="full")
    monkeypatch.setitem(TABLES, "c", table)


def test_the_parts_of_table_3_are_the_papers_and_three_more():
    assert len(TABLES["a"].variants) == 7
    assert TABLES["b"].variants == ("A", "B", "C", "D")
    assert set(TABLES["c"].variants) == {
        "full",
        *(f"R{n}" for n in range(1, 9)),
        *("scan-only", "bias-only", "bridge-off"),
    }
    for table in TABLES.values():
        assert set(table.variants) <= set(ABLATIONS) and table.reference in table.variants


def test_in_paper_small_every_variant_takes_something_out():
    """R7 is trained with stations, wind variants have no transport to fall back on: none is the full recipe."""
    same = {name: same_recipe(name, paper_small()) for table in TABLES.values() for name in table.variants}
    assert {name for name, first in same.items() if first == "full"} == {"full", "D", "fusion-cross"}
    # no coarse branch is the same with the bridge off: nothing else joins the branches in the paper's network
    assert same["R1"] == same["fusion-none"] == same["bridge-off"] == "R1"
    assert same["bias-only"] not in ("full", "R3") and same["scan-only"] not in ("full", "R3")


def test_table_b_draws_as_many_tiles_in_each_row():
    drawn = {}
    for name in TABLES["b"].variants:
        recipe = ablation(name, paper_small())
        drawn[name] = recipe.steps * recipe.days_per_step * recipe.tiles_per_day
    assert len(set(drawn.values())) == 1


def test_interrupted_it_goes_on_and_the_tables_say_on_what(data, short, two_variants, tmp_path, monkeypatch):
    said: list[str] = []
    arguments = {
        "runs": tmp_path / "runs",
        "out": tmp_path / "out",
        "plan": ComparisonPlan(seeds=(1, 2), days=2, tiles_per_day=2),
        "options": OPTIONS,
        "report": said.append,
    }
    assert missing_runs(short, ["c"], tmp_path / "runs", (1, 2)) == [
        *("full-seed1", "full-seed2", "R2-seed1", "R2-seed2"),
    ]
    started: list[tuple[str, bool]] = []

    def stopped_once(recipe, data, folder, *, resume, **more):
        started.append((folder.name, resume))
        if len(started) == 2:  # before the second run
            raise TrainingStopped("asked to stop")
        return run_job(recipe, data, folder, resume=resume, **more)

    monkeypatch.setattr("cranpm.training.compare.run_job", stopped_once)
    with pytest.raises(TrainingStopped):
        run_ablations(short, data, ["c"], **arguments)
    assert missing_runs(short, ["c"], tmp_path / "runs", (1, 2)) == ["full-seed2", "R2-seed1", "R2-seed2"]
    files = run_ablations(short, data, ["c"], **arguments)
    assert [name for name, _ in started] == ["full-seed1", *["full-seed2"] * 2, "R2-seed1", "R2-seed2"]

    of = {path.suffix: path for path in files}
    assert set(of) == {".csv", ".json", ".md", ".tex"}
    tidy = pd.read_csv(of[".csv"])
    assert len(tidy) == 3 * 2 * 2 and not tidy.duplicated(["variant", "seed", "init_day"]).any()
    document = json.loads(of[".json"].read_text())
    assert document["simulated"] and document["seeds"] == [1, 2] and len(document["init_days"]) == 2
    assert document["machine"] and document["hours"] >= 0 and document["revision"]
    rows = {row["variant"]: row for row in document["variants"]}
    assert rows["D"]["same_as"] == "full" and rows["D"]["rmse"] == rows["full"]["rmse"]
    assert rows["R2"]["low"] <= rows["R2"]["change_pct"] <= rows["R2"]["high"]
    pooled = np.sqrt((tidy[tidy["variant"] == "R2"]["rmse"] ** 2).mean())
    assert rows["R2"]["rmse"] == pytest.approx(pooled, abs=1e-4)
    for group in ("station", "held_out_station"):
        assert rows["R2"][f"{group}_low"] <= rows["R2"][f"{group}_change_pct"] <= rows["R2"][f"{group}_high"]
        assert rows["full"][f"{group}_change_pct"] == 0
        assert rows["full"][f"{group}_rmse"] != rows["full"]["rmse"]
    page, paper = of[".md"].read_text(), of[".tex"].read_text()
    assert "RMSE at stations (change) | at stations held out (change)" in page
    for words in (
        "a test's world (simulated)",
        "Simulated: not comparable",
        "seeds 1, 2, paired",
        "h of training",
    ):
        assert words in page
    assert "here the same as full" in page
    assert paper.count(r"\begin{tabular}") == paper.count(r"\end{tabular}") == 1
    assert all(f"\n{name} & " in paper for name in ("full", "R2", "D"))


def test_a_run_that_was_broken_off_is_gone_on_with(data, short, tmp_path):
    """Its state is there, its checkpoint is not."""
    folder = tmp_path / "full-seed1"
    run_job(replace(short, seed=1), data, folder, options=OPTIONS, report=lambda _: None)
    for path in sorted((folder / "checkpoint").iterdir()):
        path.unlink()
    (folder / "checkpoint").rmdir()
    found = compare_ablations(short, data, [], tmp_path, plan=ONCE, options=OPTIONS, report=lambda _: None)
    assert found.trained["full"]["steps"] == 3


def test_what_lies_in_a_folder_must_be_what_is_asked_for(data, short, tmp_path):
    def compare(recipe, of=data, **more):
        return compare_ablations(
            recipe, of, [], tmp_path, plan=replace(ONCE, **more), options=OPTIONS, report=lambda _: None
        )

    compare(short)
    with pytest.raises(ValueError, match=r"full-seed1 holds a run of another recipe \(other learning_rate\)"):
        compare(replace(short, learning_rate=2e-3))
    other = replace(data.statistics, mean={**data.statistics.mean, "u10": 7.0})
    with pytest.raises(ValueError, match="full-seed1 was trained on other data"):
        compare(short, replace(data, statistics=other))
    folder = tmp_path / "full-seed3"
    run_job(replace(short, seed=3, steps=2), data, folder, options=OPTIONS, report=lambda _: None)
    (folder / "recipe.json").write_text(json.dumps(replace(short, seed=3).to_dict()))
    with pytest.raises(ValueError, match="was trained for 2 of 3 steps only; half-trained variants are not"):
        compare(short, seeds=(3,))
    with pytest.raises(ValueError, match="Intervals need at least 2 held-out days with PM2.5, got 1 of 1"):
        compare(short, days=1)
    with pytest.raises(ValueError, match=r"Expected different seeds, at least one; got \[1, 1\]"):
        compare(short, seeds=(1, 1))


def test_one_seed_is_said(short, tmp_path):
    found = Comparison(
        seeds=(4,),
        persistence=np.array([4.0, 9.0]),
        squared={"full": np.array([[1.0, 4.0]]), "R3": np.array([[1.21, 4.84]])},
        days=("2021-01-02", "2021-02-02"),
    )
    (page,) = [
        path
        for path in write_ablation(tmp_path, "c", found, short, {"source": "real", "simulated": False})
        if path.suffix == ".md"
    ]
    said = page.read_text()
    assert "days only, as there is one seed" in said and "Simulated" not in said
    assert (
        "| R3 | without wind scan, wind bias and transport | 1.74 | +31.8 % | +10.0 % [+10.0, +10.0] | - |"
        in said
    )


def test_the_command_says_what_it_would_train(tmp_path):
    result = CliRunner().invoke(
        app, ["ablate", "--runs", str(tmp_path), "--table", "b", "--seeds", "2", "--dry-run"]
    )
    assert result.exit_code == 0, result.output
    assert "8 run(s) to train" in result.output and "full-seed1, full-seed2, A-seed1" in result.output
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--table", "d"], "Unknown part of Table 3 'd'; expected one of a, b, c"),
        (["--recipe", "rival-simvp"], "rival-simvp is a rival; parts are taken out of CRAN-PM's own recipes"),
        ([], "Say what to train on"),
    ],
)
def test_the_command_refuses_by_name(tmp_path, arguments, message):
    result = CliRunner().invoke(app, ["ablate", "--runs", str(tmp_path), *arguments])
    assert result.exit_code not in (0, None)
    assert message in " ".join(result.output.split())


def test_a_stop_leaves_with_75(tmp_path, monkeypatch):
    def stop(*_, **__):
        raise TrainingStopped("Stopped; the state of step 2 is saved.")

    monkeypatch.setattr("cranpm.training.command.TrainCommand.open_data", lambda *_: None)
    monkeypatch.setattr(ablation_module, "compare_ablations", stop)
    monkeypatch.setattr(ablation_module, "run_ablations", stop)
    result = CliRunner().invoke(app, ["ablate", "--runs", str(tmp_path), "--world", str(tmp_path)])
    assert result.exit_code == 75
    assert "The same command goes on." in " ".join(result.output.split())
