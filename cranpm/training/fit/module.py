"""The network with its losses, optimiser and schedule, as PyTorch Lightning wants it."""

from __future__ import annotations

from typing import Any

import lightning as L
import torch
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig

from cranpm.domain import PM_SCALE
from cranpm.domain.normalise import normalise_pm2p5
from cranpm.model import CranPM, GlobalContext, LocalInputs
from cranpm.model.extensions.coarse_forecast import CoarseForecast
from cranpm.model.parameters import learn_biases
from cranpm.training.batches.batches import TrainingBatch
from cranpm.training.batches.station_points import StationPoints
from cranpm.training.fit.auxiliary_heads import TokenHead, coarse_change
from cranpm.training.fit.health import Health, describe_batch
from cranpm.training.fit.losses import (
    focal_frequency_loss,
    hotspot_weight,
    known_mse,
    land_mse,
    station_loss,
    token_mse,
)
from cranpm.training.fit.micro_batches import encode_days, forecast_tiles
from cranpm.training.fit.optimiser import parameter_groups, rate_factor
from cranpm.training.fit.scores import validation_scores
from cranpm.training.recipes.recipes import Recipe


class HealthyModule(L.LightningModule):
    """What the callbacks of every training here rely on, whatever network it is.

    Parameters
    ----------
    max_skipped_steps : int
        Steps in a row that may be left out because their gradient is not finite.
    """

    def __init__(self, max_skipped_steps: int) -> None:
        super().__init__()
        self.health = Health(max_skipped_steps)
        self.updating = False
        """Whether weights, momenta and averages are just being moved, and belong together only afterwards."""
        self.latest: dict[str, torch.Tensor] = {}
        """Loss and RMSE [ug m-3] of the last training step, for progress and for messages."""

    @property
    def seed(self) -> int:
        """Of the run."""
        raise NotImplementedError

    def describe(self, batch: Any) -> str:
        """The samples of a batch in words, for a step that was left out."""
        raise NotImplementedError

    def configure_gradient_clipping(
        self,
        optimizer: torch.optim.Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Clip by the norm over all weights; a step whose norm is not finite moves nothing (`health.Health`)."""
        members = [p for group in optimizer.param_groups for p in group["params"]]
        self.health.clip(members, gradient_clip_val or 0.0)
        self.updating = (
            True  # until the step's last callback is done: weights, momenta and average belong together
        )

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:
        return batch.to(device)


class Training(HealthyModule):
    """CRAN-PM with its loss, optimiser and schedule.

    Parameters
    ----------
    recipe : Recipe
    network : CranPM, optional
        A new one by default.
    coarse_head : CoarseForecast, optional
        Readout of the coarse change, where the network has none of its own.
    micro_batch : int, optional
        Tiles whose activations are held at a time (`micro_batches`); None for the whole batch.
    """

    def __init__(
        self,
        recipe: Recipe,
        network: CranPM | None = None,
        coarse_head: CoarseForecast | None = None,
        micro_batch: int | None = None,
    ) -> None:
        super().__init__(recipe.max_skipped_steps)
        self.recipe, self.micro_batch = recipe, micro_batch
        self.network = CranPM(recipe.model) if network is None else network
        model = recipe.model
        self.token_head = TokenHead(model.local_width, model.local_patch, model.head_predictors)
        wanted = recipe.coarse_weight and not model.coarse_forecast
        self.coarse_head = (coarse_head or CoarseForecast.of(model, len(recipe.leads))) if wanted else None

    @property
    def seed(self) -> int:
        """See `HealthyModule`."""
        return self.recipe.seed

    def describe(self, batch: TrainingBatch) -> str:
        """See `HealthyModule`; only the samples that give non-finite values, where they can be found."""
        return describe_batch(self.network, batch)

    def losses(self, batch: TrainingBatch) -> dict[str, torch.Tensor]:
        """Each term of eq. 6 on one batch, in network units, and the RMSE of the batch in ug m-3.

        While the token stage lasts, only the mean change of each local patch is learned, straight from the fused
        tokens: the decoder, most of the cost, waits until there is something to draw.
        """
        network = self.network
        in_parts = self.micro_batch is not None and self.micro_batch < len(batch.day_index)
        context = encode_days(network, batch.global_inputs, in_parts=in_parts)
        terms = self._coarse_terms(batch, context) if self.training and self.recipe.coarse_weight else {}
        extra: torch.Tensor | float = self.recipe.coarse_weight * terms["coarse"] if terms else 0.0
        today, target = torch.nan_to_num(normalise_pm2p5(batch.today)), normalise_pm2p5(batch.target)
        if self.training and self.global_step < self.recipe.token_steps:

            def means(inputs: LocalInputs, day_index: torch.Tensor) -> torch.Tensor:
                tokens, _ = network.fuse(inputs, context, day_index)
                return self.token_head(tokens, network.predictors(inputs, context, day_index))

            change = forecast_tiles(means, batch.local_inputs, batch.day_index, self.micro_batch)
            terms["token"] = token_mse(change, target - today, batch.mask, self._pool)
            terms["loss"] = terms["token"] + extra
            terms["rmse"] = PM_SCALE * terms["token"].detach().sqrt()
            still = token_mse(torch.zeros_like(change), target - today, batch.mask, self._pool)
            terms["persistence"] = PM_SCALE * still.detach().sqrt()
            return terms

        def residual(inputs: LocalInputs, day_index: torch.Tensor) -> torch.Tensor:
            return network.forecast_delta(inputs, context, day_index).float()

        forecast = today + forecast_tiles(residual, batch.local_inputs, batch.day_index, self.micro_batch)
        return terms | self._map_terms(batch, forecast, today, target, extra)

    def _coarse_terms(self, batch: TrainingBatch, context: GlobalContext) -> dict[str, torch.Tensor]:
        if batch.coarse_change is None:
            raise ValueError(
                "coarse_weight needs batches with the coarse change (TrainingDays(coarse_change=True))."
            )
        leads = self.recipe.leads
        predicted = coarse_change(self.network, self.coarse_head, batch.global_inputs, context, leads)
        return {"coarse": known_mse(predicted.float(), batch.coarse_change, self._pool)}

    def _map_terms(
        self,
        batch: TrainingBatch,
        forecast: torch.Tensor,
        today: torch.Tensor,
        target: torch.Tensor,
        extra: torch.Tensor | float,
    ) -> dict[str, torch.Tensor]:
        recipe = self.recipe
        plain = land_mse(forecast, target, batch.mask, pool=self._pool)
        pixel = plain
        if recipe.hotspot_weight and self.training:
            weight = hotspot_weight(batch.target, recipe.hotspot_weight)
            pixel = land_mse(forecast, target, batch.mask, weight, pool=self._pool)
        still = land_mse(today, target, batch.mask, pool=self._pool)
        terms = {
            "persistence": PM_SCALE * still.detach().sqrt(),
            "pixel": pixel,
            "rmse": PM_SCALE * plain.detach().sqrt(),
            "loss": pixel + extra,
        }
        if recipe.frequency_weight:
            terms["frequency"] = focal_frequency_loss(forecast, target, batch.mask)
            terms["loss"] = terms["loss"] + recipe.frequency_weight * terms["frequency"]
        if recipe.station_weight and batch.stations is not None:
            terms["station"] = self._station_error(forecast, batch.stations, held=False)
            terms["loss"] = terms["loss"] + recipe.station_weight * terms["station"]
            if not self.training:
                terms["station_held_out"] = self._station_error(forecast, batch.stations, held=True)
        return terms

    def _station_error(self, forecast: torch.Tensor, points: StationPoints, held: bool) -> torch.Tensor:
        """Squared error at the stations of one group, in network units."""
        observed = torch.where(points.held == held, normalise_pm2p5(points.observed), torch.nan)
        return station_loss(forecast, points.rows, points.cols, observed, points.tile, self._pool)

    def _pool(self, weight: torch.Tensor) -> torch.Tensor:
        """Mean over processes (`losses.Pool`)."""
        if not self.training or self._trainer is None or self.trainer.world_size == 1:
            return weight
        weight = weight.detach().clone()
        torch.distributed.all_reduce(weight)
        return weight / self.trainer.world_size

    def on_train_batch_start(self, batch: TrainingBatch, batch_idx: int) -> None:
        if self.recipe.bias_update_interval > 1:
            # the last of the group: in the very first step the heads are zero, so that no gradient passes them
            learn_biases(self, (self.global_step + 1) % self.recipe.bias_update_interval == 0)

    def training_step(self, batch: TrainingBatch, batch_idx: int) -> torch.Tensor:
        terms = self.losses(batch)
        self.log_dict({f"train/{k}": v.detach() for k, v in terms.items() if k != "loss"}, batch_size=1)
        self.log("train/loss", terms["loss"].detach(), batch_size=1, sync_dist=self.trainer.world_size > 1)
        self.latest = {"loss": terms["loss"].detach(), "rmse": terms["rmse"]}
        # a substitute is not trained on: its loss makes every gradient, on every process, one that is left out
        return terms["loss"] * torch.nan if batch.faults else terms["loss"]

    def on_validation_epoch_start(self) -> None:
        self._validated: dict[int, list[float | None]] = {}

    def validation_step(self, batch: TrainingBatch, batch_idx: int) -> None:
        if not bool(batch.mask.any()):  # nothing there to be right or wrong about
            return
        terms = self.losses(batch)
        # squared, so that the mean over days pools cells instead of averaging per-batch errors
        squares: list[float | None] = [float(terms[name].square()) for name in ("rmse", "persistence")]
        if batch.stations is not None and "station" in terms:
            squares += [
                PM_SCALE**2 * float(terms[name]) if bool((batch.stations.held == held).any()) else None
                for name, held in (("station", False), ("station_held_out", True))
            ]
        self._validated[batch.groups[0].index] = squares

    def on_validation_epoch_end(self) -> None:
        many = self.trainer.world_size > 1
        validated = self._validated
        if many:
            parts: list[dict[int, list[float | None]]] = [{}] * self.trainer.world_size
            torch.distributed.all_gather_object(parts, validated)
            validated = {day: row for part in parts for day, row in part.items()}
        if validated:
            # the same on all processes; sync_dist is asked for, so that Lightning does not warn
            scores = validation_scores([validated[day] for day in sorted(validated)])
            self.log_dict({f"validation/{name}": value for name, value in scores.items()}, sync_dist=many)

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        recipe = self.recipe
        optimiser = torch.optim.AdamW(
            parameter_groups(
                self, recipe, learning_rate=recipe.learning_rate, global_lr_mult=recipe.global_lr_mult
            ),
            betas=(0.9, 0.98),
        )
        schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: rate_factor(step, recipe))
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def as_healthy(module: L.LightningModule) -> HealthyModule:
    """The module that callbacks are handed, by its own type."""
    assert isinstance(module, HealthyModule)
    return module
