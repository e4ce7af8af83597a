"""What training minimises: land error, small-scale spectrum, stations (eq. 6)."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

HOTSPOT_LEVEL = 50.0
"""PM2.5 from which a cell has the full hotspot weight [ug m-3]."""

Pool = Callable[[Tensor], Tensor]
"""Mean of a weight over processes. The mean of gradients over processes is then the gradient of the loss pooled over
all their cells, however unevenly land and stations are shared out."""


def _own(weight: Tensor) -> Tensor:
    return weight


def land_mse(
    forecast: Tensor, target: Tensor, mask: Tensor, weight: Tensor | None = None, pool: Pool = _own
) -> Tensor:
    """Mean squared error over cells with support.

    Parameters
    ----------
    forecast, target : Tensor, shape (B, S, S)
        In network units; values outside ``mask`` do not matter and may be NaN in ``target``.
    mask : Tensor of bool, shape (B, S, S)
        Land cells where both x_t and the target exist.
    weight : Tensor, shape (B, S, S), optional
        Relative weight of cells (`hotspot_weight`).
    pool : callable, optional
        See `Pool`.
    """
    squared = torch.where(mask, forecast - torch.where(mask, target, 0), 0).square()
    if weight is None:
        return squared.sum() / pool(mask.sum().float()).clamp(min=1e-6)
    weight = weight * mask
    return (squared * weight).sum() / pool(weight.sum()).clamp(min=1e-6)


def hotspot_weight(target: Tensor, strength: float) -> Tensor:
    """Weights of cells that grow with PM2.5: 1 in clean air, 1 + strength at 50 ug m-3 and above.

    Parameters
    ----------
    target : Tensor
        PM2.5 [ug m-3]; NaN weighs 1.
    strength : float
        0 weighs all cells alike.
    """
    return 1 + strength * (torch.nan_to_num(target) / HOTSPOT_LEVEL).clamp(0, 1)


def known_mse(forecast: Tensor, target: Tensor, pool: Pool = _own) -> Tensor:
    """Mean squared error where the target is known (finite)."""
    known = torch.isfinite(target)
    error = torch.where(known, forecast - torch.where(known, target, 0), 0)
    return error.square().sum() / pool(known.sum().float()).clamp(min=1e-6)


def token_mse(change: Tensor, target: Tensor, mask: Tensor, pool: Pool = _own) -> Tensor:
    """Squared error of patch means, each patch weighted by its share of cells with support.

    Parameters
    ----------
    change : Tensor, shape (B, N)
        Predicted mean change of each local token's patch, row-major, in network units.
    target : Tensor, shape (B, S, S)
        Change per cell; may be NaN outside ``mask``.
    mask : Tensor of bool, shape (B, S, S)
        Cells with support.
    """
    patch = target.shape[-1] // math.isqrt(change.shape[-1])
    share = functional.avg_pool2d(mask.float()[:, None], patch).flatten(1)
    total = functional.avg_pool2d(torch.where(mask, target, 0)[:, None], patch).flatten(1)
    mean = total / share.clamp(min=0.5 / patch**2)
    return (share * (change - mean).square()).sum() / pool(share.sum()).clamp(min=1e-6)


def focal_frequency_loss(forecast: Tensor, target: Tensor, mask: Tensor | None = None) -> Tensor:
    """Focal frequency loss (Jiang et al. 2021, alpha 1): spectrum error weighted by its own relative size.

    Computed in float32 on the half spectrum; interior columns stand for two. Cells outside ``mask`` are set equal
    in both fields, so that coasts add no frequencies of their own.

    Parameters
    ----------
    forecast, target : Tensor, shape (B, H, W)
    mask : Tensor of bool, shape (B, H, W), optional
    """
    forecast, target = forecast.float(), target.float()
    difference = forecast - target
    if mask is not None:
        difference = torch.where(mask, forecast - torch.where(mask, target, 0), 0)
    spectrum = torch.fft.rfft2(difference, norm="ortho")
    power = spectrum.real.square() + spectrum.imag.square()
    size = power.detach().sqrt()
    largest = size.amax(dim=(-2, -1), keepdim=True)
    focus = torch.where(largest > 0, size / largest.clamp(min=torch.finfo(size.dtype).tiny), 0)
    columns = torch.full((power.shape[-1],), 2.0, device=power.device)
    columns[0] = 1.0
    if difference.shape[-1] % 2 == 0:
        columns[-1] = 1.0
    total = (focus * power * columns).sum(dim=(-2, -1))
    return (total / (difference.shape[-2] * difference.shape[-1])).mean()


def station_loss(
    forecast: Tensor, rows: Tensor, cols: Tensor, observed: Tensor, tile_of: Tensor, pool: Pool = _own
) -> Tensor:
    """Squared error at stations, the forecast read bilinearly at fractional cells.

    Parameters
    ----------
    forecast : Tensor, shape (B, S, S)
        In network units.
    rows, cols : Tensor, shape (K,)
        Fractional row and column of each station within its tile; integers are cell centres.
    observed : Tensor, shape (K,)
        In network units; NaN (missing or invalid) is left out.
    tile_of : Tensor of int64, shape (K,)
        Which tile of the batch each station lies in.
    """
    valid = torch.isfinite(observed)
    number = pool(valid.sum().float()).clamp(min=1e-6)  # before the way parts: every process takes part in it
    if not bool(valid.any()):
        return forecast.sum() * 0.0
    rows, cols, observed, tile_of = rows[valid], cols[valid], observed[valid], tile_of[valid]
    size = forecast.shape[-1]
    row0, col0 = (p.floor().long().clamp(0, size - 2) for p in (rows, cols))
    down, right = (rows - row0).clamp(0, 1), (cols - col0).clamp(0, 1)
    top = torch.lerp(forecast[tile_of, row0, col0], forecast[tile_of, row0, col0 + 1], right)
    bottom = torch.lerp(forecast[tile_of, row0 + 1, col0], forecast[tile_of, row0 + 1, col0 + 1], right)
    return (torch.lerp(top, bottom, down) - observed).square().sum() / number
