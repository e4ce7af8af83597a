"""A first lesson for the global branch alone: tomorrow's coarse composition from today's coarse fields.

Every node of every day is a target, at the cost of one global encoding: far more is learned per second about how
weather moves and changes PM2.5 than through a few tiles. The bridge and the local branch then learn from tokens that
already know. Needs the coarse fields only (CAMS itself is the target), so it works on real data too. Not in the paper.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import nn

from cranpm.data.samples import coarse_sample
from cranpm.data.source import DaySource
from cranpm.domain import PM_SCALE, Statistics, channel_index
from cranpm.model import CranPM, GlobalInputs
from cranpm.model.decoder import apply_growth


class GlobalHead(nn.Module):
    """Reads the change of coarse PM2.5 at the nodes of each global token's patch; used in training only."""

    def __init__(self, width: int, patch: int, leads: int) -> None:
        super().__init__()
        self.patch, self.leads = patch, leads
        self.norm = nn.LayerNorm(width)
        self.read = nn.Linear(width, leads * 3 * patch * patch)
        nn.init.zeros_(self.read.weight)
        nn.init.zeros_(self.read.bias)

    def forward(self, tokens: torch.Tensor, grid: tuple[int, int], amounts: torch.Tensor) -> torch.Tensor:
        """Tokens (B, Ng, Dl) and coarse PM2.5 of t and t-1 (B, 2, Hc, Wc) to changes (B, leads, Hc, Wc)."""
        rows, cols = grid
        parts = (
            self.read(self.norm(tokens))
            .unflatten(1, grid)
            .unflatten(-1, (3, self.leads, self.patch, self.patch))
        )
        parts = parts.permute(0, 3, 4, 1, 5, 2, 6).reshape(
            len(tokens), 3, self.leads, rows * self.patch, cols * self.patch
        )
        return apply_growth(parts[..., : amounts.shape[-2], : amounts.shape[-1]], amounts[:, :, None])


def pretrain_global(
    network: CranPM,
    source: DaySource,
    statistics: Statistics,
    init_days: Sequence[np.datetime64],
    *,
    validation_days: Sequence[np.datetime64] = (),
    leads: Sequence[int] = (1, 2, 3),
    epochs: int = 10,
    days_per_step: int = 8,
    learning_rate: float = 2e-3,
    weight_decay: float = 0.05,
    seed: int = 1,
    autocast: bool = False,
    report: Callable[[str], None] = print,
) -> GlobalHead:
    """Train the global branch and the bridge's projection in place.

    Returns
    -------
    GlobalHead
        The readout that was trained along, to go on with.
    """
    torch.manual_seed(seed)
    fields = _CoarseDays(source, statistics)
    head = GlobalHead(network.config.local_width, network.config.global_patch, len(leads))
    trained = [p for n, p in network.named_parameters() if n.startswith(("global_branch", "bridge.project"))]
    trained += list(head.parameters())
    matrices, rest = [p for p in trained if p.ndim > 1], [p for p in trained if p.ndim <= 1]
    groups = [{"params": matrices, "weight_decay": weight_decay}, {"params": rest, "weight_decay": 0.0}]
    optimiser = torch.optim.AdamW(groups, lr=learning_rate, betas=(0.9, 0.98))
    steps_per_epoch = max(1, len(init_days) // days_per_step)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, learning_rate, total_steps=epochs * steps_per_epoch, pct_start=0.1, cycle_momentum=False
    )
    generator = np.random.default_rng(seed)
    started = time.perf_counter()
    for epoch in range(epochs):
        network.train()
        order = generator.permutation(len(init_days))
        errors = np.zeros(2)
        for step in range(steps_per_epoch):
            days = [init_days[i] for i in order[step * days_per_step : (step + 1) * days_per_step]]
            with torch.autocast(fields.device_type, dtype=torch.bfloat16, enabled=autocast):
                loss, still = _coarse_loss(network, head, fields, days, leads)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(trained, 1.0)
            optimiser.step()
            schedule.step()
            errors += float(loss.detach()), float(still)
        line = f"global branch, epoch {epoch + 1} of {epochs}: RMSE {_skill(errors):+.1%} against persistence"
        if len(validation_days):
            line += f", {_validate(network, head, fields, validation_days, leads):+.1%} on validation days"
        report(f"{line}, {time.perf_counter() - started:.0f} s")
    return head


def _coarse_loss(
    network: CranPM,
    head: GlobalHead,
    fields: _CoarseDays,
    days: Sequence[np.datetime64],
    leads: Sequence[int],
) -> tuple[torch.Tensor, torch.Tensor]:
    inputs, amounts, change = fields.batch(days, leads)
    context = network.encode_global(inputs)
    predicted = head(context.tokens, context.grid, amounts)
    known = torch.isfinite(change)
    change = torch.where(known, change, 0)
    error = torch.where(known, predicted.float() - change, 0)
    return error.square().sum() / known.sum(), change.square().sum() / known.sum()


@torch.no_grad()
def _validate(
    network: CranPM,
    head: GlobalHead,
    fields: _CoarseDays,
    days: Sequence[np.datetime64],
    leads: Sequence[int],
) -> float:
    network.eval()
    errors = np.zeros(2)
    for day in days:
        errors += [float(value) for value in _coarse_loss(network, head, fields, [day], leads)]
    return _skill(errors)


def _skill(errors: np.ndarray) -> float:
    """Relative change of RMSE from persistence; negative is better."""
    return float(np.sqrt(errors[0] / errors[1]) - 1)


class _CoarseDays:
    """Coarse inputs and targets of days, normalised once and kept in half precision."""

    device_type = "cpu"

    def __init__(self, source: DaySource, statistics: Statistics) -> None:
        self._source, self._statistics = source, statistics
        self._pm = channel_index("pm2p5")
        self._samples: dict[np.datetime64, tuple[torch.Tensor, torch.Tensor]] = {}
        self._template = None

    def _day(self, day: np.datetime64) -> tuple[torch.Tensor, torch.Tensor]:
        """Normalised fields (35, Hc, Wc) half, and PM2.5 (Hc, Wc) in residual units."""
        if day not in self._samples:
            raw = self._source.coarse(day)
            sample = coarse_sample(
                raw,
                raw,
                self._source.coarse_elevation,
                domain=self._source.domain,
                statistics=self._statistics,
                name=f"day {day}",
            )
            if self._template is None:
                self._template = sample
            rows, cols = self._source.domain.coarse.shape
            pm = torch.from_numpy(raw[self._pm, :rows, :cols] / PM_SCALE)
            self._samples[day] = sample.fields[:35].half(), pm
        return self._samples[day]

    def batch(
        self, days: Sequence[np.datetime64], leads: Sequence[int]
    ) -> tuple[GlobalInputs, torch.Tensor, torch.Tensor]:
        one = np.timedelta64(1, "D")
        stacked, amounts, changes = [], [], []
        for day in days:
            (today, pm), (before, pm_before) = self._day(day), self._day(day - one)
            stacked.append(torch.cat([today.float(), before.float()]))
            amounts.append(torch.nan_to_num(torch.stack([pm, pm_before])))
            changes.append(torch.stack([self._day(day + lead * one)[1] - pm for lead in leads]))
        template, mean, std = self._template, *self._statistics.vectors()
        fields = torch.stack(stacked)
        wind = fields[:, :2] * torch.from_numpy(std[:2, None, None]) + torch.from_numpy(mean[:2, None, None])
        inputs = GlobalInputs(
            fields=fields,
            elevation=template.elevation[None],
            wind=wind,
            latitude=template.latitude,
            longitude=template.longitude,
        )
        return inputs, torch.stack(amounts), torch.stack(changes)
