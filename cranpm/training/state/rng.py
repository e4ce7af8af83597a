"""The state of every random stream that training draws from, as plain values that load without running code."""

from __future__ import annotations

import random
from typing import Any, TypedDict

import numpy as np
import torch


class RandomState(TypedDict):
    """State of each generator."""

    python: list[Any]
    numpy: list[Any]
    torch: torch.Tensor
    cuda: list[torch.Tensor]


def random_state() -> RandomState:
    """Python's, NumPy's, PyTorch's and each GPU's generator."""
    version, internal, gauss = random.getstate()
    name, keys, position, has_gauss, cached = np.random.get_state()  # noqa: NPY002 - others may draw from it
    return {
        "python": [version, list(internal), gauss],
        "numpy": [name, torch.from_numpy(np.array(keys, dtype=np.int64)), position, has_gauss, cached],
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else [],
    }


def restore_random_state(state: RandomState) -> None:
    """Inverse of `random_state`."""
    version, internal, gauss = state["python"]
    random.setstate((version, tuple(internal), gauss))
    name, keys, position, has_gauss, cached = state["numpy"]
    np.random.set_state((name, keys.numpy().astype(np.uint32), position, has_gauss, cached))  # noqa: NPY002
    torch.set_rng_state(state["torch"])
    if state["cuda"] and torch.cuda.is_available():
        torch.cuda.set_rng_state_all(state["cuda"])
