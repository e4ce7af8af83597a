"""The last step of training: the constants of the map's head, fitted by least squares (not in the paper).

The head gives an offset and factors, each a constant plus what the decoder's features add. Gradient steps over a few
noisy tiles find the features, but leave the constants, a dozen numbers that every cell of every day speaks of, far
from where they should be. Here they are solved for, together with a common factor of the network's output.
"""

from __future__ import annotations

from dataclasses import replace

import torch

from cranpm.domain.normalise import normalise_pm2p5
from cranpm.model import CranPM
from cranpm.model.extensions.detail import detail
from cranpm.training.batches.batches import TrainingBatch, TrainingDays
from cranpm.training.batches.source import TrainingData
from cranpm.training.fit.health import Health, describe_batch
from cranpm.training.fit.loop import training_batches
from cranpm.training.recipes.recipes import Recipe

RIDGE = 1e-4
"""Added to the mean square of each term, in squared network units: what hardly varies gets no large constant."""

KEPT = 0.9
"""Share of today's detail in the forecast; the network adds some of its own, and both together are to be as much as
there is on a day."""


@torch.inference_mode()
def calibrate_head(network: CranPM, recipe: Recipe, data: TrainingData) -> None:
    """Change the head in place so that its squared error on training tiles is least.

    With y the network's output, x_k the predictors that the head multiplies (`CranPM.predictors`), g the share of the
    change that height leaves (`CranPM.damping_factor`) and d the observed change, s, b and c_k minimise the mean over
    land cells of (s y + g (b + sum c_k x_k) - d)^2; the head's weights are multiplied by s, and b and c_k added to its
    constants. Tiles are drawn anywhere on land, without puffs. The head must give a change, not the map itself
    (`Recipe` sees to it). A batch that cannot be used, or for which its output is not finite, is
    left out by name.

    With a regional mean among the predictors the fit may not shrink detail as it likes: of all s, b and c_k those are
    taken that keep, on average, the share `KEPT` of today's. Free, it would halve what may not last until tomorrow, and
    every map would be softer than the day it comes from.

    Raises
    ------
    NonFiniteError
        If more than ``recipe.max_skipped_steps`` batches in a row are left out.
    """
    device = next(network.parameters()).device
    plain = replace(recipe, hotspot_ratio=0.0, puff_share=0.0, station_weight=0.0, seed=recipe.seed + 1_000)
    batches: TrainingDays = training_batches(plain, data)
    training = network.training
    network.eval()
    terms = 2 + network.config.head_predictors
    squares = torch.zeros(terms, terms, dtype=torch.float64)
    products = torch.zeros(terms, dtype=torch.float64)
    of_detail, of_itself = torch.zeros(terms, dtype=torch.float64), 0.0
    cells = 0
    health = Health(recipe.max_skipped_steps, "calibration")
    for step in range(recipe.calibration_steps):
        batch = batches.batch(step).to(device)
        x, d = _terms(network, batch)
        more_squares, more_products = x.T @ x, x.T @ d
        finite = torch.isfinite(more_squares).all() & torch.isfinite(more_products).all()
        health.count(not batch.faults and bool(finite))
        if health.skipped:
            health.refuse_or_warn(step + 1, describe_batch(network, batch))
            continue
        squares += more_squares.cpu().double()
        products += more_products.cpu().double()
        if network.config.regional_mean:
            known = torch.isfinite(batch.today)[:, None]
            field = torch.nan_to_num(normalise_pm2p5(batch.today))[:, None]
            today = detail(field, known)[:, 0][batch.mask]
            of_detail += (x.T @ today).cpu().double()
            of_itself += float(today @ today)
        cells += len(d)
    network.train(training)
    if not cells:
        return
    # towards what is there: s = 1, all others 0
    towards = torch.zeros_like(products)
    towards[0] = 1.0
    loading = RIDGE * cells
    solution = least_squares(
        squares + loading * torch.eye(terms, dtype=torch.float64),
        products + loading * towards,
        of_detail,
        (KEPT - 1) * of_itself,
    )
    scale, constants = solution[0], solution[1:]
    head = network.decoder.head
    assert head.bias is not None
    head.weight.mul_(scale.to(head.weight))
    head.bias.mul_(scale.to(head.bias)).add_(constants.to(head.bias))


def least_squares(
    squares: torch.Tensor, products: torch.Tensor, along: torch.Tensor, wanted: float = 0.0
) -> torch.Tensor:
    """The x with least x' squares x - 2 x' products of those with x' along = wanted (of all, where along is 0)."""
    if not along.any():
        return torch.linalg.solve(squares, products)
    free, towards = torch.linalg.solve(squares, torch.stack([products, along], 1)).unbind(1)
    return free + towards * (wanted - along @ free) / (along @ towards)


def _terms(network: CranPM, batch: TrainingBatch) -> tuple[torch.Tensor, torch.Tensor]:
    """Of each land cell: the network's output, and what multiplies the head's constants; the observed change.

    Shapes (cells, 2 + n) and (cells,).
    """
    context = network.encode_global(batch.global_inputs)
    output = network.forecast_delta(batch.local_inputs, context, batch.day_index).float()
    predictors = network.predictors(batch.local_inputs, context, batch.day_index)
    share = network.damping_factor(batch.local_inputs, context, batch.day_index)
    share = torch.ones_like(output) if share is None else share
    parts = [output, share, *([] if predictors is None else (predictors.float() * share[:, None]).unbind(1))]
    change = normalise_pm2p5(batch.target) - torch.nan_to_num(normalise_pm2p5(batch.today))
    return torch.stack(parts, -1)[batch.mask], change[batch.mask]
