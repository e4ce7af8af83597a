"""Arithmetic of a forecast: float32 throughout, or bfloat16 matrix products where the hardware has them."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, get_args

import torch

Precision = Literal["auto", "float32", "bfloat16"]
"""What matrix products and convolutions run in; sums, biases, blending and the map itself are always float32."""

_NATIVE = ("amx_bf16", "avx512_bf16")
"""Instructions that multiply bfloat16, as PyTorch and Linux name them; elsewhere it is emulated, and slower."""


def choose_precision(precision: str, device: torch.device) -> torch.dtype:
    """The type that matrix products run in on a device.

    Parameters
    ----------
    precision : str
        "float32", "bfloat16", or "auto": bfloat16 where the device multiplies it natively.
    device : torch.device

    Returns
    -------
    torch.dtype
        ``torch.float32`` or ``torch.bfloat16``.

    Raises
    ------
    ValueError
        For another word.

    Examples
    --------
    >>> choose_precision("float32", torch.device("cpu"))
    torch.float32
    """
    if precision not in get_args(Precision):
        known = ", ".join(get_args(Precision))
        raise ValueError(f"Precision must be one of {known}, got {precision!r}.")
    if precision == "auto":
        return torch.bfloat16 if bfloat16_is_native(device) else torch.float32
    return getattr(torch, precision)


def bfloat16_is_native(device: torch.device) -> bool:
    """Whether a device has instructions that multiply bfloat16."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type == "cpu":
        return any(_cpu_features().get(name, False) for name in _NATIVE)
    return False


@functools.lru_cache(maxsize=1)
def _cpu_features() -> Mapping[str, object]:
    if hasattr(torch.cpu, "get_capabilities"):  # since PyTorch 2.10
        return dict(torch.cpu.get_capabilities())
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:  # not Linux: float32 is right everywhere
        return {}
    flags = next((line.partition(":")[2] for line in lines if line.startswith("flags")), "")
    return dict.fromkeys(flags.split(), True)
