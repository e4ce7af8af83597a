"""A notebook that a forward pass writes into: the tensors of the very run, not a re-derivation."""

from __future__ import annotations

import torch
from torch import Tensor

TRACED = {
    "sectors": "(B, G) wind sector of each 7x7 group",
    "order": "(B, G, 49) place within the group of each slot, upwind first",
    "global_elevation_bias": "(B, Ng, Ng) eq. 2 in the global branch, entry (query, key)",
    "global_alpha": "() its strength",
    "local_elevation_bias": "(B, Nl, Nl) eq. 2 in the local branch, entry (query, key)",
    "local_alpha": "() its strength",
    "wind_gamma": "(B, Nl or 1, Ng) eq. 4 before beta, shared by heads and layers",
    "squared_distance": "(B, Nl, Ng) from query to key [km2], where distance is penalised",
    "wind_beta": "(L, h) strength of the wind bias",
    "bridge_reach": "(L, h) reach of the distance penalty [km]",
    "bridge_queries": "(L, B, h, Nl, dh)",
    "bridge_keys": "(L, B or 1, h, Ng, dh)",
    "bridge_attention": "(L, B, h, Nl, Ng) weights; asking for them runs the plain formula",
    "height_damping": "(B, S, S) share of the change that height leaves, in (0, 1]",
    "delta": "(B, S, S) what the network returned",
}

BRIDGE_TRACE = ("bridge_queries", "bridge_keys", "wind_gamma", "wind_beta", "local_alpha")
"""Enough for ``bridge_attention`` of any query of the run, and small: no (Nl, Ng) tensor per head."""


class Trace:
    """Collects the named tensors that were asked for while a network runs.

    Parameters
    ----------
    *names : str
        Keys of ``TRACED``.

    Examples
    --------
    >>> trace = Trace("wind_gamma", "bridge_queries")
    >>> trace.wants("sectors")
    False
    """

    def __init__(self, *names: str) -> None:
        unknown = sorted(set(names) - set(TRACED))
        if unknown:
            raise ValueError(
                f"Nothing called {', '.join(unknown)} can be traced. Known: {', '.join(TRACED)}."
            )
        self.names = frozenset(names)
        self._single: dict[str, Tensor] = {}
        self._layers: dict[str, list[Tensor]] = {}

    def wants(self, name: str) -> bool:
        """Whether that tensor was asked for."""
        return name in self.names

    def record(self, name: str, tensor: Tensor) -> None:
        """Keep a tensor there is one of per pass."""
        if name in self.names:
            self._single[name] = tensor.detach()

    def record_layer(self, name: str, layer: int, tensor: Tensor) -> None:
        """Keep a tensor there is one of per layer; reading it back gives them stacked."""
        if name in self.names:
            kept = self._layers.setdefault(name, [])
            del kept[layer:]  # a second pass starts over
            kept.append(tensor.detach())

    def __contains__(self, name: str) -> bool:
        return name in self._single or name in self._layers

    def __getitem__(self, name: str) -> Tensor:
        if name in self._single:
            return self._single[name]
        if name in self._layers:
            return torch.stack(self._layers[name])
        why = "it was not asked for" if name not in self.names else "this network or pass does not make it"
        raise KeyError(f"No {name!r} in this trace: {why}.")

    def tensors(self) -> dict[str, Tensor]:
        """All that was collected, by name."""
        return {name: self[name] for name in (*self._single, *self._layers)}
