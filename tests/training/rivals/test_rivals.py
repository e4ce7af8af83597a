"""Training a rival from the command line: it learns, ends, resumes exactly, keeps its best, and is refused clearly."""

from __future__ import annotations

import json
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from cranpm.baselines.learned.checkpoint import load_rival
from cranpm.baselines.least_squares import LeastSquares
from cranpm.baselines.nodes import node_means
from cranpm.data.store.source import source_statistics
from cranpm.training.batches.batches import BadSampleError
from cranpm.training.batches.source import TrainingData
from cranpm.training.command import TrainCommand
from cranpm.training.recipes.overrides import override
from cranpm.training.recipes.rivals import (
    LeastSquaresRecipe,
    RivalRecipe,
    get_rival_recipe,
    list_rival_recipes,
    rival_recipe,
)
from cranpm.training.rivals.cost import made_up_batch, measure_step
from cranpm.training.rivals.days import NodeMeans, RivalDays, ValidationDays
from cranpm.training.rivals.job import run_least_squares, run_rival_job
from cranpm.training.rivals.module import KeepBest, RivalTraining, node_mse
from cranpm.training.state.options import TrainerOptions
from cranpm.training.state.signals import TrainingStopped
from cranpm.training.state.state import TrainStateError

OPTIONS = TrainerOptions(workers=0, bar=False, save_every=5, validate_every=10, validation_days=2)


@pytest.fixture(scope="module")
def data(make_world):
    world = make_world(validation=6)
    with np.errstate(all="ignore"):
        statistics = source_statistics(world, world.days[:12])
    return TrainingData(source=world, statistics=statistics, fingerprint={"kind": "test"})


@pytest.fixture(scope="module")
def means(data, tmp_path_factory) -> NodeMeans:
    return NodeMeans(data, tmp_path_factory.mktemp("means"))


def tiny(kind: str = "simvp", **changes) -> RivalRecipe:
    fields = {"steps": 30, "days_per_step": 1, "learning_rate": 1e-2, "patience": 0, **changes}
    return replace(rival_recipe(kind, "tiny"), **fields)


def run(recipe, data, out, means, **more):
    more.setdefault("options", OPTIONS)
    return run_rival_job(recipe, data, out, means=means, report=lambda _: None, **more)


@pytest.mark.parametrize("kind", ["convlstm", "simvp", "earthformer", "climax", "topoflow"])
def test_a_few_steps_learn_that_the_air_clears(kind, data, means, tmp_path) -> None:
    """PM2.5 falls by a fifth each day, so that persistence errs by a fifth of today's map at T+1."""
    rival = run(tiny(kind), data, tmp_path / "run", means)
    assert rival.meta["scores"]["skill"] > 0.3
    assert rival.finished and rival.meta["training"]["steps"] == 30
    assert rival.period == "2017-01-02..2017-01-09"
    card = (rival.folder / "card.md").read_text()
    assert "30 of 30 steps of 1 days, to its end" in card and "2 validation days" in card


def test_the_same_seed_gives_the_same_weights_and_another_does_not(data, means, tmp_path) -> None:
    recipe = tiny("topoflow", steps=4)
    hashes = [run(r, data, tmp_path / n, means).hash for r, n in ((recipe, "a"), (recipe, "b"))]
    assert hashes[0] == hashes[1]
    assert run(replace(recipe, seed=2), data, tmp_path / "c", means).hash != hashes[0]


def test_a_run_that_was_stopped_goes_on_as_if_it_had_not_been(data, means, tmp_path) -> None:
    recipe = replace(
        tiny("topoflow", steps=14),
        rival=replace(
            rival_recipe("topoflow", "tiny").rival, network=replace(_network("topoflow"), input_dropout=0.2)
        ),
    )
    whole = run(recipe, data, tmp_path / "whole", means)

    stopped = tmp_path / "stopped"
    with pytest.raises(TrainingStopped, match="Go on with --resume"):
        _run_and_stop(recipe, data, stopped, means, at=7)
    with pytest.raises(TrainStateError, match="Go on with --resume, or name another folder"):
        run(recipe, data, stopped, means)
    with pytest.raises(TrainStateError, match="another rival recipe: learning_rate"):
        run(replace(recipe, learning_rate=1.0), data, stopped, means, resume=True)
    assert run(recipe, data, stopped, means, resume=True).hash == whole.hash


def _network(kind: str):
    return rival_recipe(kind, "tiny").rival.network


def _run_and_stop(recipe, data, out, means, *, at: int) -> None:
    """Ask for a stop, as a signal does, when so many steps are done."""
    before = RivalTraining.training_step

    def step(self, batch, batch_idx):
        if self.global_step == at:
            signal.raise_signal(signal.SIGTERM)
        return before(self, batch, batch_idx)

    RivalTraining.training_step = step
    try:
        run(recipe, data, out, means)
    finally:
        RivalTraining.training_step = before


def test_validations_that_get_no_better_end_the_run_and_the_best_weights_stay(data, means, tmp_path) -> None:
    """A rate at which nothing can be learned: the first validations are the best ones."""
    options = replace(OPTIONS, validate_every=2)
    recipe = tiny(
        steps=200, patience=3, learning_rate=3.0, gradient_clip=0.0, warmup_share=0.0, max_skipped_steps=300
    )
    rival = run(recipe, data, tmp_path / "run", means, options=options)
    rows = json.loads((tmp_path / "run" / "validations.json").read_text())
    training = rival.meta["training"]
    best = min(rows, key=lambda row: row["rmse"])
    assert training["ended_early"] and rival.finished and training["steps"] < 200
    assert len(rows) - 1 - rows.index(best) == 3 and training["best_step"] == best["step"]
    kept = load_file(tmp_path / "run" / "best.safetensors")
    assert all(torch.equal(kept[name], tensor) for name, tensor in rival.network.state_dict().items())
    assert "ended early, 3 validations" in (rival.folder / "card.md").read_text()


def test_what_came_after_the_state_that_is_gone_on_from_is_forgotten(tmp_path) -> None:
    rows = [{"step": step, "rmse": rmse} for step, rmse in ((10, 3.0), (20, 2.0), (30, 2.5))]
    (tmp_path / "validations.json").write_text(json.dumps(rows))
    (tmp_path / "best.safetensors").write_bytes(b"x")
    assert KeepBest(tmp_path, 1, 30).exhausted
    kept = KeepBest(tmp_path, 1, 20)
    assert [row["step"] for row in kept.rows] == [10, 20] and not kept.exhausted
    assert not KeepBest(tmp_path, 1, 10).rows and not (tmp_path / "best.safetensors").exists()


def test_a_budget_of_cpu_minutes_becomes_steps_once(data, means, tmp_path) -> None:
    recipe = tiny("climax", cpu_minutes=0.02, steps=1)
    rival = run(recipe, data, tmp_path / "run", means)
    kept = json.loads((tmp_path / "run" / "recipe.json").read_text())
    assert kept["steps"] == rival.meta["training"]["steps"] > 1
    again = run(recipe, data, tmp_path / "run", means, resume=True)
    assert again.hash == rival.hash


def test_the_cost_is_told_before_it_is_spent(data) -> None:
    recipe = tiny(steps=100)
    before = torch.get_rng_state()
    cost = measure_step(recipe, made_up_batch(recipe, data.source.domain))
    assert torch.equal(before, torch.get_rng_state())
    assert cost.cpu_seconds > 0 and cost.steps_in(1) == int(60 / cost.cpu_seconds)
    assert cost.parameters == sum(p.numel() for p in recipe.rival.build().parameters())
    assert "100 steps" in cost.lines()[2]


def test_the_loss_weighs_nodes_by_area_and_gaps_not_at_all() -> None:
    predicted = torch.zeros(1, 1, 1, 3)
    change = torch.tensor([[[[1.0, 3.0, torch.nan]]]])
    weight = torch.tensor([[[[3.0, 1.0, 0.0]]]])
    assert float(node_mse(predicted, change, weight)) == pytest.approx((3 * 1 + 1 * 9) / 4)
    predicted.requires_grad_()
    node_mse(predicted, change, weight).backward()
    assert predicted.grad is not None and float(predicted.grad[..., 2]) == 0


def test_every_day_comes_once_an_epoch_and_a_step_is_always_the_same(data, means) -> None:
    chosen = list(data.source.days[1:6])
    days = RivalDays(data, means, chosen, (1, 2, 3), days_per_step=2, seed=1)
    drawn = [day for step in range(5) for day in days.days_of(step)]
    assert sorted(drawn[:5]) == sorted(drawn[5:]) == chosen and drawn[:5] != drawn[5:]
    days.first_step = 3
    assert next(iter(days)).init_days == days.days_of(3)


def test_days_that_cannot_be_learned_from_are_named_and_replaced(make_world, tmp_path) -> None:
    world = make_world(validation=6)
    with np.errstate(all="ignore"):
        data = TrainingData(source=world, statistics=source_statistics(world, world.days), fingerprint={})
    bad = world.days[3]
    world.broken = {bad: np.inf}
    days = RivalDays(data, NodeMeans(data, tmp_path), list(world.days[3:5]), (1,), days_per_step=1, seed=1)
    with pytest.raises(BadSampleError, match=f"init day {bad} holds infinite values"):
        days.read([bad])
    step = next(step for step in range(9) if days.days_of(step) == (bad,))
    batch = days.batch(step)
    assert str(bad) in batch.faults[0] and batch.init_days != (bad,)
    with pytest.warns(UserWarning, match="is left out"):
        assert [b.init_days for b in ValidationDays(days, [bad, world.days[6]])] == [(world.days[6],)]


def test_means_are_computed_once_and_a_damaged_file_again(make_world, tmp_path, monkeypatch) -> None:
    world = make_world()
    data = TrainingData(source=world, statistics=None, fingerprint={"kind": "test"})
    day, averaged = world.days[2], []

    def counted(field, domain):
        averaged.append(1)
        return node_means(field, domain)

    monkeypatch.setattr("cranpm.training.rivals.days.node_means", counted)
    first = NodeMeans(data, tmp_path)(day)
    assert np.array_equal(NodeMeans(data, tmp_path)(day), first, equal_nan=True) and len(averaged) == 1
    (path,) = tmp_path.iterdir()
    path.write_bytes(b"cut")
    assert np.array_equal(NodeMeans(data, tmp_path)(day), first, equal_nan=True) and len(averaged) == 2
    elsewhere = TrainingData(source=world, statistics=None, fingerprint={"kind": "other"})
    assert NodeMeans(elsewhere).folder != NodeMeans(data).folder


def test_a_day_that_was_prepared_anew_is_averaged_anew(make_world, tmp_path) -> None:
    world = make_world()
    data = TrainingData(source=world, statistics=None, fingerprint={"kind": "test"})
    before = NodeMeans(data, tmp_path)(world.days[2])[0]
    world._pattern = 2 * world._pattern
    after = NodeMeans(data, tmp_path)(world.days[2])[0]
    assert after == pytest.approx(2 * before, nan_ok=True, rel=1e-5)


def test_least_squares_is_a_recipe_too(data, tmp_path) -> None:
    lines: list[str] = []
    path = run_least_squares(LeastSquaresRecipe(days=8), data, tmp_path, lines.append)
    fit = LeastSquares.load(path)
    # PM2.5 falls by a fifth each day: tomorrow is 0.8 of today, whoever else could say the same
    assert fit.leads[1].rmse < 1e-2 and set(fit.leads) == {1, 2, 3}
    assert fit.training["split"] == ["2017-01-01", "2020-12-31"] and lines[-1] == "least squares: 8 of 8 days"
    with pytest.raises(ValueError, match="is there already"):
        run_least_squares(LeastSquaresRecipe(days=8), data, tmp_path)


def test_recipes_have_names_and_fields_that_can_be_set() -> None:
    assert {"rival-convlstm", "rival-convlstm-paper", "rival-least-squares"} <= set(list_rival_recipes())
    recipe = get_rival_recipe("rival-climax")
    assert (
        isinstance(recipe, RivalRecipe)
        and RivalRecipe.from_dict(json.loads(json.dumps(recipe.to_dict()))) == recipe
    )
    changed = override(recipe, ["rival.network.width=32", "steps=7", "cpu_minutes=5"])
    assert (changed.rival.network.width, changed.steps, changed.cpu_minutes) == (32, 7, 5.0)
    with pytest.raises(ValueError, match="Unknown recipe 'rival-unet'; expected one of rival-convlstm"):
        get_rival_recipe("rival-unet")
    with pytest.raises(ValueError, match="one for each output of the network"):
        replace(recipe, leads=(1, 2))
    with pytest.raises(ValueError, match="takes neither --ablation nor --start-from"):
        TrainCommand(out=Path("x"), recipe="rival-simvp", ablation="R2").resolve_recipe()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("steps", 0),
        ("learning_rate", 0.0),
        ("cpu_minutes", -1.0),
        ("patience", -1),
        ("precision", "half"),
        ("warmup_share", 2.0),
    ],
)
def test_fields_that_make_no_sense_are_refused_by_name(field, value) -> None:
    with pytest.raises(ValueError, match=f"RivalRecipe.{field}"):
        tiny(**{field: value})


def test_several_processes_are_refused(data, means, tmp_path) -> None:
    with pytest.raises(ValueError, match="one process, got 2"):
        run(tiny(), data, tmp_path, means, options=replace(OPTIONS, devices=2))


def test_from_the_command_line_to_the_table(cranpm, tmp_path, scene) -> None:
    """Train on a dataset, score beside persistence: the names of both forms are in the page."""
    from typer.testing import CliRunner

    from cranpm.cli.app import app
    from cranpm.model import CranPM
    from cranpm.model import tiny as tiny_model

    scene.write_scene(tmp_path / "data", domain=scene.SMALL, days=7)
    scene.write_checkpoint(tmp_path / "untrained", CranPM(tiny_model()).eval())
    settings = ['splits.train=["2022-01-10","2022-01-31"]', "steps=3", "days_per_step=1"]
    said = cranpm(
        *("--recipe", "rival-simvp-tiny", "--data", tmp_path / "data", "--out", tmp_path / "run"),
        *(part for setting in settings for part in ("--set", setting)),
        *("--workers", 0),
    )
    assert said.exit_code == 0, said.output
    assert load_rival(tmp_path / "run" / "checkpoint").config.kind == "simvp"
    result = CliRunner().invoke(
        app,
        [
            *("score", "--data", str(tmp_path / "data"), "--checkpoint", str(tmp_path / "untrained")),
            *("--rival", str(tmp_path / "run" / "checkpoint"), "--lead", "1", "--days", "1"),
        ],
    )
    assert result.exit_code == 0, result.output
    for words in (
        "SimVP (25 km, interpolated)",
        "SimVP, on today's map",
        "3 steps on 2022-01-11",
        "which shares days with 1 of the 1 init days: no held-out score",
    ):
        assert words in result.output
