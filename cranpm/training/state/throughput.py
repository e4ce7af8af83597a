"""How fast a device multiplies matrices: what a training step is measured against."""

from __future__ import annotations

import time

import torch


def matmul_rate(device: torch.device, bfloat16: bool = False, *, seconds: float = 0.3) -> float:
    """FLOP/s of the best plain matrix product, the ceiling that training is compared with."""
    kind = torch.bfloat16 if bfloat16 else torch.float32
    size = 8192 if device.type == "cuda" else 1024
    a, b = (torch.randn(size, size, device=device).to(kind) for _ in range(2))
    best, begun = 0.0, time.perf_counter()
    rounds = 0
    with torch.no_grad():
        while rounds < 3 or time.perf_counter() - begun < seconds:
            synchronize(device)
            start = time.perf_counter()
            torch.mm(a, b)
            synchronize(device)
            best = max(best, 2.0 * size**3 / (time.perf_counter() - start))
            rounds += 1
    return best


def synchronize(device: torch.device) -> None:
    """Until all that was asked of the device is done."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
