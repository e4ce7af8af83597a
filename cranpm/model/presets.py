"""Four networks: the paper's, the same at the demo's size, the demo's, and a tiny one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from .config import ModelConfig


def paper() -> ModelConfig:
    """The network of Table S1: 94.3 M trainable parameters, + 0.5 M for the decoder's skip fusion.

    Returns
    -------
    ModelConfig
        The defaults.
    """
    return ModelConfig()


SMALL_SIZE: dict[str, Any] = {
    "global_width": 160,
    "global_heads": 5,
    "global_depth": 3,
    "local_width": 128,
    "local_heads": 4,
    "local_depth": 2,
    "bridge_heads": 4,
    "decoder_channels": (96, 48, 24, 16, 8),
}
"""Widths and depths that `small` and `paper_small` share."""


def paper_small() -> ModelConfig:
    """The paper's network at the demo's size: every part of Table S1, and nothing that is not in the paper.

    Returns
    -------
    ModelConfig
        The defaults, narrower and less deep.
    """
    return ModelConfig(name="paper-small", **SMALL_SIZE)


def small() -> ModelConfig:
    """The demo network: under 3.9 M parameters, under 8 GFLOP a tile, a whole map in seconds on two cores.

    Returns
    -------
    ModelConfig
        Narrower than the paper's, with what is not in the paper switched on.
    """
    return ModelConfig(
        name="small",
        **SMALL_SIZE,
        fine_skip=True,
        bridge_reach=True,
        local_position="domain",
        growth=True,
        transport=True,
        path_freedom=0.5,
        coarse_forecast=True,
        coarse_predictors=True,
        regional_mean=True,
        height_damping=True,
        node_smoothing=2.0,
        drop_path=0.05,
        input_dropout=0.05,
    )


def tiny() -> ModelConfig:
    """A network for tests and notebooks: well under a million parameters.

    Returns
    -------
    ModelConfig
        `small`, narrower still.
    """
    return replace(
        small(),
        name="tiny",
        global_width=64,
        global_heads=4,
        global_depth=2,
        local_width=64,
        decoder_channels=(32, 16, 16, 8, 8),
        drop_path=0.0,
        input_dropout=0.0,
    )


PRESETS: dict[str, Callable[[], ModelConfig]] = {
    "paper": paper,
    "paper-small": paper_small,
    "small": small,
    "tiny": tiny,
}
"""Networks by name."""


def get_preset(name: str) -> ModelConfig:
    """The preset of that name.

    Parameters
    ----------
    name : str
        One of `PRESETS`.

    Returns
    -------
    ModelConfig
        A new one.

    Raises
    ------
    ValueError
        Naming the known presets.
    """
    if name not in PRESETS:
        raise ValueError(f"Unknown model preset {name!r}; expected one of {', '.join(PRESETS)}.")
    return PRESETS[name]()
