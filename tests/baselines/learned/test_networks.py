"""The five networks: as large as in the paper, persistence before training, every weight learns, any grid."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from cranpm.baselines.learned.blocks import CHANNELS, FRAME_CHANNELS, NodeInputs
from cranpm.baselines.learned.kinds import KINDS, RivalConfig, get_rival

PAPER = {"convlstm": 8.2, "simvp": 4.9, "earthformer": 61, "climax": 57, "topoflow": 61}
"""Millions of parameters, Table 1."""


def parameters(kind: str, size: str) -> int:
    with torch.device("meta"):
        return sum(p.numel() for p in get_rival(kind, size).build().parameters())


def wake(network: torch.nn.Module) -> None:
    """Heads begin at zero, so that nothing below them would learn in the first step."""
    with torch.no_grad():
        for parameter in network.parameters():
            if not parameter.any():
                parameter.normal_(0, 0.1)


@pytest.mark.parametrize("kind", KINDS)
def test_they_are_as_large_as_in_the_paper(kind: str) -> None:
    assert parameters(kind, "paper") == pytest.approx(1e6 * PAPER[kind], rel=0.03)
    assert parameters(kind, "small") < 2.2e6


def test_convlstms_count_by_hand() -> None:
    """Gates of 4 x 128: the first layer reads 40 channels through 1x1, the others and all states 128 through 5x5."""
    assert (CHANNELS, FRAME_CHANNELS) == (40, 37)
    expected = 512 * (40 + 2 * 128 * 25) + 3 * (512 * 128 * 25 + 512) + 3 * 128 + 1
    assert parameters("convlstm", "paper") == expected


@pytest.mark.parametrize("kind", KINDS)
def test_an_untrained_rival_foretells_no_change_on_any_grid(kind: str, draw_inputs) -> None:
    for rows, cols in ((19, 27), (16, 24)):
        change = get_rival(kind, "tiny").build()(draw_inputs(2, rows, cols))
        assert change.shape == (2, 3, rows, cols) and not change.any()


@pytest.mark.parametrize("kind", KINDS)
def test_every_weight_gets_a_gradient(kind: str, draw_inputs: Callable[..., NodeInputs]) -> None:
    torch.manual_seed(1)
    network = get_rival(kind, "tiny").build()
    wake(network)
    # eight windows and more, with wind and mountains: each relative position and each prior takes part
    network(draw_inputs(1, 56, 60)).square().mean().backward()
    without = [name for name, p in network.named_parameters() if p.grad is None or not p.grad.any()]
    assert not without


@pytest.mark.parametrize("kind", KINDS)
def test_days_of_a_batch_do_not_see_each_other(kind: str, draw_inputs) -> None:
    torch.manual_seed(1)
    network = get_rival(kind, "tiny").build().eval()
    wake(network)
    both = draw_inputs(2)
    one = NodeInputs(**{name: tensor[:1] for name, tensor in vars(both).items()})
    with torch.no_grad():
        assert torch.allclose(network(both)[:1], network(one), atol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_both_days_and_the_fine_product_are_read(kind: str, draw_inputs) -> None:
    torch.manual_seed(1)
    network = get_rival(kind, "tiny").build().eval()
    wake(network)
    inputs = draw_inputs(1)
    with torch.no_grad():
        before = network(inputs)
        for frame, channel in ((0, 3), (1, 3), (1, 35), (1, 36)):
            frames = inputs.frames.clone()
            frames[:, frame, channel] += 1.0
            after = network(NodeInputs(**{**vars(inputs), "frames": frames}))
            assert not torch.equal(before, after), (frame, channel)


def test_a_config_reads_back_and_another_is_refused() -> None:
    config = get_rival("earthformer", "tiny")
    assert RivalConfig.from_dict(config.to_dict()) == config
    with pytest.raises(ValueError, match="Unknown rival 'unet'; expected one of convlstm, simvp"):
        get_rival("unet")
    with pytest.raises(ValueError, match="Unknown size 'huge'; expected one of paper, small, tiny"):
        get_rival("simvp", "huge")
    with pytest.raises(ValueError, match="Unknown field"):
        RivalConfig.from_dict({"kind": "simvp", "size": "x", "network": {"depth_of_sea": 3}})
