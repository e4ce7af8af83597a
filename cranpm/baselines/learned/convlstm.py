"""ConvLSTM (Shi et al. 2015, arXiv 1506.04214): recurrent cells whose gates are convolutions.

Encoding and forecasting as in the paper: the stack reads the days, its states are copied, and it runs on without
input, one step a lead time; a 1x1 convolution over the hidden states of all layers reads each step out. Here both use
the same weights. Their peepholes, a weight for each place, are left out: they would tie the network to one grid.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from cranpm.baselines.learned.blocks import CHANNELS, Rival, zero_head

State = tuple[Tensor, Tensor]
"""Hidden state and cell, (B, D, H, W) each."""


@dataclass(frozen=True, kw_only=True)
class ConvLSTMConfig:
    """Three layers of 128 with 5 x 5 kernels: 8.2 M parameters."""

    hidden: int = 128
    """Features of a cell."""
    layers: int = 3
    kernel: int = 5
    patch: int = 1
    """Nodes along the side of what a cell holds; theirs folded 4 x 4 pixels into one."""
    leads: int = 3


SIZES = {
    "paper": ConvLSTMConfig(),
    "small": ConvLSTMConfig(hidden=32, patch=2),
    "tiny": ConvLSTMConfig(hidden=8, layers=2, kernel=3, patch=2),
}


class ConvLSTM(Rival):
    """The stack of cells."""

    def __init__(self, config: ConvLSTMConfig) -> None:
        super().__init__()
        c = config
        self.multiple, self.leads, self.hidden = c.patch, c.leads, c.hidden
        self.fold, self.unfold = nn.PixelUnshuffle(c.patch), nn.PixelShuffle(c.patch)
        # what a day holds is read node by node: the states' kernels carry it further
        layers = [Cell(CHANNELS * c.patch**2, c.hidden, kernel_in=1, kernel=c.kernel)]
        layers += [Cell(c.hidden, c.hidden, kernel_in=c.kernel, kernel=c.kernel) for _ in range(c.layers - 1)]
        self.layers = nn.ModuleList(layers)
        self.head = zero_head(nn.Conv2d(c.layers * c.hidden, c.patch**2, kernel_size=1))

    def change(self, frames: Tensor) -> Tensor:
        """See `Rival`."""
        frames = self.fold(frames.flatten(0, 1)).unflatten(0, frames.shape[:2])
        blank = frames.new_zeros(len(frames), self.hidden, *frames.shape[-2:])
        states: list[State] = [(blank, blank)] * len(self.layers)
        for day in frames.unbind(1):
            states = self._step(day, states)
        changes = []
        for _ in range(self.leads):
            states = self._step(None, states)
            changes.append(self.unfold(self.head(torch.cat([hidden for hidden, _ in states], dim=1))))
        return torch.cat(changes, dim=1)

    def _step(self, fields: Tensor | None, states: list[State]) -> list[State]:
        """One day on: each layer reads the one below it."""
        result: list[State] = []
        for layer, state in zip(self.layers, states, strict=True):
            result.append(layer(fields, state))
            fields = result[-1][0]
        return result


class Cell(nn.Module):
    """One layer: input, forget and output gate, and what is proposed, from convolutions of input and state."""

    def __init__(self, channels: int, hidden: int, *, kernel_in: int, kernel: int) -> None:
        super().__init__()
        self.from_input = nn.Conv2d(channels, 4 * hidden, kernel_in, padding=kernel_in // 2, bias=False)
        self.from_state = nn.Conv2d(hidden, 4 * hidden, kernel, padding=kernel // 2)
        assert self.from_state.bias is not None
        with torch.no_grad():
            self.from_state.bias[hidden : 2 * hidden] += 1.0  # remember at first

    def forward(self, fields: Tensor | None, state: State) -> State:
        """The next state; without input the state goes on by itself."""
        hidden, cell = state
        gates = self.from_state(hidden)
        if fields is not None:
            gates = gates + self.from_input(fields)
        take, keep, show, proposed = gates.chunk(4, dim=1)
        cell = keep.sigmoid() * cell + take.sigmoid() * proposed.tanh()
        return show.sigmoid() * cell.tanh(), cell
