"""The head's constants after training: where squared errors are least, and nowhere else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from cranpm.domain.normalise import normalise_pm2p5
from cranpm.model import CranPM
from cranpm.model.checkpoint import load_checkpoint, save_checkpoint
from cranpm.model.extensions.detail import detail
from cranpm.training.batches.source import TrainingData
from cranpm.training.fit.calibration import KEPT, _terms, calibrate_head, least_squares
from cranpm.training.fit.health import NonFiniteError
from cranpm.training.fit.loop import training_batches
from cranpm.training.job import _copy_weights
from cranpm.training.recipes.recipes import tiny


@pytest.fixture
def recipe_of_two(quick):
    model = replace(quick.model, regional_mean=False)
    return replace(quick, model=model, calibration_steps=2, hotspot_ratio=0.0, puff_share=0.0)


@pytest.fixture
def network(recipe_of_two):
    """One that says something, and something else everywhere."""
    torch.manual_seed(3)
    network = CranPM(recipe_of_two.model).eval()
    torch.nn.init.normal_(network.decoder.head.weight, std=0.05)
    return network


def error(network, recipe, data):
    """Mean squared error on the tiles that the fit sees."""
    batches = training_batches(replace(recipe, seed=recipe.seed + 1_000), data)
    with torch.inference_mode():
        parts = [_terms(network, batches.batch(step)) for step in range(recipe.calibration_steps)]
    squares = torch.cat([(x[:, 0] - d).square() for x, d in parts])
    return float(squares.double().mean())


def test_the_error_is_least_there(network, recipe_of_two, data):
    before = error(network, recipe_of_two, data)
    calibrate_head(network, recipe_of_two, data)
    least = error(network, recipe_of_two, data)
    assert least < 0.2 * before
    head = network.decoder.head
    for index in range(len(head.bias)):
        for step in (0.05, -0.05):
            head.bias.data[index] += step
            elsewhere = error(network, recipe_of_two, data)
            # what hardly varies here makes hardly a difference
            assert elsewhere > (1.05 if index in (0, 1) else 0.999) * least
            head.bias.data[index] -= step
    head.weight.data *= 1.1
    assert error(network, recipe_of_two, data) > least


def test_a_second_fit_finds_little_more(network, recipe_of_two, data):
    before = error(network, recipe_of_two, data)
    calibrate_head(network, recipe_of_two, data)
    once = error(network, recipe_of_two, data)
    calibrate_head(network, recipe_of_two, data)
    assert abs(error(network, recipe_of_two, data) - once) < 0.01 * (before - once)
    # what hardly varies here, upwind differences in an even field, got no large constant
    assert network.decoder.head.bias.abs().max() < 1


def test_only_the_head_changes(network, recipe_of_two, data):
    weights = {name: value.clone() for name, value in network.state_dict().items()}
    calibrate_head(network, recipe_of_two, data)
    changed = {name for name, value in network.state_dict().items() if not torch.equal(value, weights[name])}
    assert changed == {"decoder.head.weight", "decoder.head.bias"}
    assert not network.training


def test_an_absolute_head_is_refused_before_training():
    absolute = replace(
        tiny().model,
        output="absolute",
        growth=False,
        transport=False,
        coarse_forecast=False,
        coarse_predictors=False,
        regional_mean=False,
    )
    with pytest.raises(ValueError, match="only a head that gives a change can be calibrated"):
        replace(tiny(), model=absolute)


@torch.inference_mode()
def test_with_a_regional_mean_nine_tenths_of_detail_are_kept(quick, data):
    recipe = replace(quick, calibration_steps=2, hotspot_ratio=0.0, puff_share=0.0)
    torch.manual_seed(3)
    network = CranPM(recipe.model).eval()
    torch.nn.init.normal_(network.decoder.head.weight, std=0.05)
    network.decoder.head.bias[1] = -0.4  # of today's map

    def change_along_detail():
        batches = training_batches(replace(recipe, seed=recipe.seed + 1_000), data)
        found = torch.zeros(2, dtype=torch.float64)
        for step in range(recipe.calibration_steps):
            batch = batches.batch(step)
            says = _terms(network, batch)[0][:, 0].double()
            today = detail(torch.nan_to_num(normalise_pm2p5(batch.today))[:, None])[:, 0][batch.mask].double()
            found += torch.stack([says @ today, today @ today])
        return float(found[0] / found[1])

    assert abs(change_along_detail() - (KEPT - 1)) > 0.05
    calibrate_head(network, recipe, data)
    assert abs(change_along_detail() - (KEPT - 1)) < 0.002


def test_least_squares_under_a_condition():
    torch.manual_seed(0)
    rows, target = torch.randn(50, 4).double(), torch.randn(50).double()
    condition = torch.tensor([1.0, -2.0, 0.5, 0.0]).double()
    squares, products = rows.T @ rows, rows.T @ target
    free = least_squares(squares, products, torch.zeros(4).double())
    torch.testing.assert_close(free, torch.linalg.lstsq(rows, target[:, None]).solution[:, 0])
    bound = least_squares(squares, products, condition, wanted=0.3)
    assert float(bound @ condition) == pytest.approx(0.3)
    for _ in range(20):  # all others that fulfil it are worse
        step = torch.randn(4).double()
        other = bound + 0.1 * (step - condition * (step @ condition) / (condition @ condition))
        assert (rows @ other - target).square().sum() > (rows @ bound - target).square().sum()


@pytest.mark.parametrize(
    "lacks", [("coarse_predictors", "regional_mean"), ("regional_mean",)], ids=["both", "the mean"]
)
def test_a_start_without_some_factors_says_the_same_at_first(
    lacks, quick, recipe_of_two, data, statistics, tmp_path
):
    network = CranPM(quick.model).eval()
    model = replace(quick.model, **dict.fromkeys(lacks, False))
    torch.manual_seed(4)
    older = CranPM(model).eval()
    torch.nn.init.normal_(older.decoder.head.weight, std=0.05)
    save_checkpoint(tmp_path / "older", older, statistics)
    _copy_weights(load_checkpoint(tmp_path / "older"), network)
    batch = training_batches(recipe_of_two, data).batch(0)
    with torch.inference_mode():
        then, now = (_terms(n, batch)[0][:, 0] for n in (older, network))
    assert then.abs().max() > 0
    assert torch.allclose(then, now, atol=1e-6)


def test_a_start_whose_factors_come_in_another_order_is_refused(quick, statistics, tmp_path):
    older = CranPM(
        replace(quick.model, coarse_predictors=False)
    )  # its regional mean is where ours has the coarse ones
    save_checkpoint(tmp_path / "older", older, statistics)
    with pytest.raises(ValueError, match="coarse_predictors False there, True here"):
        _copy_weights(load_checkpoint(tmp_path / "older"), CranPM(quick.model))


def test_a_batch_that_cannot_be_used_is_left_out_by_name(network, recipe_of_two, make_world, statistics):
    world = make_world()
    world.broken = dict.fromkeys(world.days, np.inf)  # every tile of every day, but one below
    data = TrainingData(source=world, statistics=statistics)
    recipe = replace(recipe_of_two, calibration_steps=3)
    first = training_batches(replace(recipe, seed=recipe.seed + 1_000), data).groups(0)[0].init_time
    for offset in (-1, 0, 1, 2, 3):
        world.broken.pop(first + np.timedelta64(offset, "D"), None)
    before = {name: weight.clone() for name, weight in network.state_dict().items()}
    with (
        pytest.warns(UserWarning, match="of calibration left out, .*PM2.5 of .* infinite"),
        pytest.raises(NonFiniteError, match="2 steps in a row of calibration .*at most 1"),
    ):
        calibrate_head(network, replace(recipe, calibration_steps=8, max_skipped_steps=1), data)
    assert all(torch.equal(weight, before[name]) for name, weight in network.state_dict().items())
    with pytest.warns(UserWarning, match="left out"):
        calibrate_head(network, replace(recipe, max_skipped_steps=8), data)
    assert all(torch.isfinite(weight).all() for weight in network.state_dict().values())
