"""What goes into the network, what is shared by the tiles of a day, and the door where bad input is refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from .config import ModelConfig
from .padding import pad_coordinate, pad_to_multiple


class ModelInputError(ValueError):
    """An input the network refuses: wrong shape, or a value that is not finite."""


@dataclass(frozen=True, kw_only=True)
class GlobalInputs:
    """One or more days on the coarse grid, rows north to south."""

    fields: Tensor
    """(B, 70, Hc, Wc) normalised channels, gaps filled with 0 (the mean)."""
    elevation: Tensor
    """(B or 1, Hc, Wc) [m], for the elevation bias."""
    wind: Tensor
    """(B, 2, Hc, Wc) u10, v10 of day t [m s-1]; feeds only priors: the scan order and, where it is on, transport."""
    latitude: Tensor
    """(Hc,) [degrees]."""
    longitude: Tensor
    """(Wc,) [degrees]."""
    valid: Tensor | None = None
    """(B, Hc, Wc) bool, cells that hold real values; None for all."""
    known_pm2p5: Tensor | None = None
    """(B, Hc, Wc) bool, cells whose PM2.5 of day t is a real value, which one channel of many may lack; None for all
    that are ``valid``."""


@dataclass(frozen=True, kw_only=True)
class LocalInputs:
    """A batch of tiles on the fine grid, rows north to south."""

    fields: Tensor
    """(B, 5, S, S) normalised channels, gaps filled with 0; channel 0 is PM2.5 of day t."""
    elevation: Tensor
    """(B, S, S) [m], for the elevation bias."""
    wind: Tensor
    """(B, 2, S/16, S/16) u10, v10 of day t at token centres [m s-1]; feeds only the wind bias."""
    latitude: Tensor
    """(B, S) [degrees]."""
    longitude: Tensor
    """(B, S) [degrees]."""
    lead: Tensor
    """(B,) int, lead time 1..3 [days]; of one tile (B = 1) also several, which then share all that does not depend on
    the lead, the biases above all."""
    known: Tensor | None = None
    """(B, S, S) bool, cells whose PM2.5 of day t is a real value; None for all."""


@dataclass(frozen=True, kw_only=True)
class GlobalContext:
    """What the global branch says of each day, shared by all tiles and leads of that day."""

    tokens: Tensor
    """(B, Ng, Dl) already projected to the local width."""
    latitude: Tensor
    """(Ng,) token centres [degrees]."""
    longitude: Tensor
    """(Ng,) token centres [degrees]."""
    valid: Tensor | None
    """(B, Ng) bool, tokens that may be attended to; None for all."""
    grid: tuple[int, int]
    """Rows and columns of tokens, padding included."""
    keys: tuple[Tensor, ...] = ()
    """For each bridge layer, (B, h, Ng, dh)."""
    values: tuple[Tensor, ...] = ()
    """For each bridge layer, (B, h, Ng, dh)."""
    upwind: Tensor | None = None
    """(B, leads, 3, Hc, Wc) what the wind carries to each coarse node, minus what is there; None without transport."""
    paths: Tensor | None = None
    """(B, points, 2, Hc, Wc) row and column of the points of each node's back trajectory; None without transport."""
    change: Tensor | None = None
    """(B, leads, Hc, Wc) the global branch's own forecast of coarse PM2.5's change; None where it makes none."""
    pm2p5: Tensor | None = None
    """(B, 1 or 2, Hc, Wc) coarse PM2.5 of days t and t-1, normalised; None where no head multiplies it."""
    elevation: Tensor | None = None
    """(B or 1, Hc, Wc) [m], of the coarse nodes; None where nothing asks how far a place is above them."""
    nodes: tuple[Tensor, Tensor] | None = None
    """(Hc,) and (Wc,) latitude and longitude of the coarse nodes, padding included [degrees]."""

    def without(self, tokens: Sequence[int]) -> GlobalContext:
        """The same with some coarse tokens hidden from the bridge alone.

        No local token attends to their keys and values; what else is known of the day (other tokens, which have read
        them; upwind differences; the coarse forecast) stays as it is.

        Parameters
        ----------
        tokens : sequence of int
            Row-major on the padded token grid.

        Raises
        ------
        ModelInputError
            If none would be left to attend to.
        """
        shape = self.tokens.shape[:2]
        everywhere = torch.ones(shape, dtype=torch.bool, device=self.tokens.device)
        valid = everywhere if self.valid is None else self.valid.clone()
        valid[:, list(tokens)] = False
        if not bool(valid.any(1).all()):
            raise ModelInputError(
                f"All {shape[1]} coarse tokens would be hidden, and nothing be left to attend to; to do without the "
                "bridge, switch it off (CranPM.bridge_off)."
            )
        return replace(self, valid=valid)

    def axes(self) -> tuple[Tensor, Tensor]:
        """Latitude of each row and longitude of each column of tokens [degrees]."""
        return self.latitude.unflatten(0, self.grid)[:, 0], self.longitude[: self.grid[1]]

    @classmethod
    def together(cls, contexts: Sequence[GlobalContext]) -> GlobalContext:
        """Contexts of several days of one domain as one."""
        first = contexts[0]
        if len(contexts) == 1:
            return first
        valid = [context.valid for context in contexts]
        if any(mask is not None for mask in valid):  # a day without gaps has forgotten its mask
            valid = [
                torch.ones_like(context.tokens[..., 0], dtype=torch.bool) if mask is None else mask
                for context, mask in zip(contexts, valid)
            ]

        def join(name: str) -> Tensor | None:
            parts = [getattr(context, name) for context in contexts]
            return None if parts[0] is None else torch.cat(parts)

        return replace(
            first,
            tokens=torch.cat([context.tokens for context in contexts]),
            valid=None if valid[0] is None else torch.cat([mask for mask in valid if mask is not None]),
            keys=tuple(map(torch.cat, zip(*(context.keys for context in contexts)))),
            values=tuple(map(torch.cat, zip(*(context.values for context in contexts)))),
            upwind=join("upwind"),
            paths=join("paths"),
            change=join("change"),
            pm2p5=join("pm2p5"),
            elevation=join("elevation"),
        )

    def of_tiles(self, day_index: Tensor | None, num_tiles: int) -> GlobalContext:
        """The context of each tile: ``day_index[b]`` says which day tile b belongs to.

        With a single day nothing is copied (the batch axis has length 1, or is a view).
        """
        num_days = len(self.tokens)
        if day_index is None:
            if num_days not in (1, num_tiles):
                raise ModelInputError(
                    f"Got {num_tiles} tiles and a context of {num_days} days; expected one day, one "
                    "day per tile, or day_index to say which tile belongs to which day."
                )
            return self
        if day_index.shape != (num_tiles,):
            raise ModelInputError(
                f"day_index has shape {tuple(day_index.shape)}; expected ({num_tiles},), one entry per tile."
            )
        if num_days == 1:
            return self
        pick = lambda x: x.index_select(0, day_index)  # noqa: E731
        return replace(
            self,
            tokens=pick(self.tokens),
            valid=None if self.valid is None else pick(self.valid),
            keys=tuple(map(pick, self.keys)),
            values=tuple(map(pick, self.values)),
        )

    def to(self, *args, **kwargs) -> GlobalContext:
        """All tensors moved or cast as by ``Tensor.to`` (the mask keeps its dtype when only a dtype is given)."""
        move = lambda x: x.to(*args, **kwargs)  # noqa: E731
        valid = None if self.valid is None else move(self.valid).bool()
        return GlobalContext(
            tokens=move(self.tokens),
            latitude=move(self.latitude),
            longitude=move(self.longitude),
            valid=valid,
            grid=self.grid,
            keys=tuple(map(move, self.keys)),
            values=tuple(map(move, self.values)),
            upwind=None if self.upwind is None else move(self.upwind),
            paths=None if self.paths is None else move(self.paths),
            change=None if self.change is None else move(self.change),
            pm2p5=None if self.pm2p5 is None else move(self.pm2p5),
            elevation=None if self.elevation is None else move(self.elevation),
            nodes=None if self.nodes is None else (move(self.nodes[0]), move(self.nodes[1])),
        )


def check_global(inputs: GlobalInputs, config: ModelConfig) -> None:
    """Refuse coarse inputs of wrong shape, or with a value that is not finite where ``valid`` says it counts."""
    batch, rows, columns = len(inputs.fields), *inputs.fields.shape[-2:]
    _shape("GlobalInputs.fields", inputs.fields, (batch, config.coarse_channels, rows, columns))
    _shape("GlobalInputs.elevation", inputs.elevation, (batch, rows, columns), (1, rows, columns))
    _shape("GlobalInputs.wind", inputs.wind, (batch, 2, rows, columns))
    _shape("GlobalInputs.latitude", inputs.latitude, (rows,))
    _shape("GlobalInputs.longitude", inputs.longitude, (columns,))
    for name in ("valid", "known_pm2p5"):
        _mask(f"GlobalInputs.{name}", getattr(inputs, name), (batch, rows, columns))
    _finite("GlobalInputs", inputs, ("fields", "elevation", "wind", "latitude", "longitude"))


def check_local(inputs: LocalInputs, config: ModelConfig) -> None:
    """Refuse tiles of wrong shape, with a value that is not finite, or with a lead time there is no embedding for."""
    batch, size = len(inputs.fields), inputs.fields.shape[-1]
    if size % config.local_multiple:
        raise ModelInputError(
            f"LocalInputs.fields has tiles of {size} cells; expected a multiple of "
            f"{config.local_multiple} (patch {config.local_patch} x window {config.local_window})."
        )
    tokens = size // config.local_patch
    _shape("LocalInputs.fields", inputs.fields, (batch, config.local_channels, size, size))
    _shape("LocalInputs.elevation", inputs.elevation, (batch, size, size))
    _shape("LocalInputs.wind", inputs.wind, (batch, 2, tokens, tokens))
    _shape("LocalInputs.latitude", inputs.latitude, (batch, size))
    _shape("LocalInputs.longitude", inputs.longitude, (batch, size))
    _shape("LocalInputs.lead", inputs.lead, (batch,), *([tuple(inputs.lead.shape[:1])] if batch == 1 else []))
    _mask("LocalInputs.known", inputs.known, (batch, size, size))
    outside = (inputs.lead < 1) | (inputs.lead > config.num_leads)
    if outside.any():
        raise ModelInputError(
            f"LocalInputs.lead holds {int(inputs.lead[outside][0])}; expected lead times from 1 to "
            f"{config.num_leads} days."
        )
    _finite("LocalInputs", inputs, ("fields", "elevation", "wind", "latitude", "longitude"))


def drop_full_mask(inputs: GlobalInputs) -> GlobalInputs:
    """Forget masks that hide nothing: attention without a key mask is cheaper, and equal."""
    if inputs.valid is not None and bool(inputs.valid.all()):
        inputs = replace(inputs, valid=None)
    if inputs.known_pm2p5 is not None and bool(inputs.known_pm2p5.all()):
        inputs = replace(inputs, known_pm2p5=None)
    return inputs


def pad_global(inputs: GlobalInputs, multiple: int) -> GlobalInputs:
    """Pad at the south and east to a legal size; what was added is marked as not valid."""
    rows, columns = inputs.fields.shape[-2:]
    if rows % multiple == 0 and columns % multiple == 0:
        return inputs
    valid = inputs.valid
    if valid is None:
        valid = torch.ones(len(inputs.fields), rows, columns, dtype=torch.bool, device=inputs.fields.device)
    pad = lambda x: pad_to_multiple(x, multiple)  # noqa: E731
    return GlobalInputs(
        fields=pad(inputs.fields),
        elevation=pad(inputs.elevation),
        wind=pad(inputs.wind),
        latitude=pad_coordinate(inputs.latitude, multiple),
        longitude=pad_coordinate(inputs.longitude, multiple),
        valid=pad(valid),
        known_pm2p5=None if inputs.known_pm2p5 is None else pad(inputs.known_pm2p5),
    )


def _shape(name: str, tensor: Tensor, *expected: tuple[int, ...]) -> None:
    if tuple(tensor.shape) not in expected:
        wanted = " or ".join(str(shape) for shape in dict.fromkeys(expected))
        raise ModelInputError(f"{name} has shape {tuple(tensor.shape)}; expected {wanted}.")


def _mask(name: str, mask: Tensor | None, shape: tuple[int, ...]) -> None:
    if mask is None:
        return
    _shape(name, mask, shape)
    if mask.dtype != torch.bool:
        raise ModelInputError(f"{name} has dtype {mask.dtype}; expected torch.bool.")


def _finite(owner: str, inputs: GlobalInputs | LocalInputs, names: tuple[str, ...]) -> None:
    # One NaN or infinity makes a sum so. Summing reads each value once and writes nothing, and asking about all sums at
    # once waits for a GPU only once.
    sums = torch.stack([getattr(inputs, name).sum(dtype=torch.float32) for name in names])
    if torch.isfinite(sums).all():
        return
    for name in names:
        bad = int((~torch.isfinite(getattr(inputs, name))).sum())
        if bad:
            raise ModelInputError(
                f"{owner}.{name} holds {bad} value(s) that are not finite; expected gaps to be filled with 0 (the "
                "normalised mean) and marked in the mask. Build inputs with cranpm.data.samples, which does both."
            )
