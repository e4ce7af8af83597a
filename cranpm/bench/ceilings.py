"""What the device could do at best, measured in the same run: matrix products, convolutions, copies."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F

from cranpm.bench.timing import Form, Spread, time_in_turns
from cranpm.forecasting.resources.precision import bfloat16_is_native
from cranpm.model import ModelConfig
from cranpm.training.state.throughput import synchronize

COPY = "copy"
_PREFIX = "ceiling: "


@dataclass(frozen=True, kw_only=True)
class Ceiling:
    """The fastest form that was found of one kind of work.

    Attributes
    ----------
    name : str
        "float32", "bfloat16" or "copy".
    what, library : str
        The product, and who computes it.
    work : float
        FLOP or bytes of one call; a copy reads and writes each byte.
    unit : str
    """

    name: str
    what: str
    library: str
    work: float
    unit: str
    call: Form

    @property
    def form(self) -> str:
        """Its name among forms that are timed in turns."""
        return _PREFIX + self.name


@dataclass(frozen=True)
class Ceilings:
    """The ceilings of a device, by name; ``best`` is the precision that forecasts choose there."""

    of: dict[str, Ceiling]
    best: str

    def forms(self, *names: str) -> dict[str, Form]:
        """To be timed in turns with what is compared with them."""
        return {self.of[name].form: self.of[name].call for name in names}

    def to_dict(self, device: torch.device, seconds: float) -> dict[str, Any]:
        """Their rates with spread, measured in turns, for JSON."""
        turns = time_in_turns(self.forms(*self.of), device, seconds=seconds)
        return {
            name: {
                "what": ceiling.what,
                "library": ceiling.library,
                "unit": ceiling.unit,
                **vars(Spread.of(ceiling.work / turns.wall[ceiling.form])),
            }
            for name, ceiling in self.of.items()
        }


def find_ceilings(config: ModelConfig, device: torch.device, *, seconds: float = 1.5) -> Ceilings:
    """Try the products that a network consists of, and large square ones, and keep the fastest of each precision.

    On a CPU PyTorch multiplies float32 matrices by MKL (or another BLAS), and bfloat16 matrices and all convolutions by
    oneDNN; neither is always the faster, so both are tried.

    Parameters
    ----------
    config : ModelConfig
        Whose widths are tried.
    device : torch.device
    seconds : float
        For all of the search.

    Returns
    -------
    Ceilings
        float32, bfloat16 where the device multiplies it natively, and copy.
    """
    native = bfloat16_is_native(device)
    dtypes = [torch.float32, *([torch.bfloat16] if native else [])]
    candidates = [list(_products(config, device, dtype)) for dtype in dtypes]
    candidates.append([_copy(device)])
    each = seconds / sum(map(len, candidates))
    found = [_fastest(group, device, each) for group in candidates]
    return Ceilings({ceiling.name: ceiling for ceiling in found}, "bfloat16" if native else "float32")


def _products(config: ModelConfig, device: torch.device, dtype: torch.dtype) -> Iterator[Ceiling]:
    cuda = device.type == "cuda"
    name = str(dtype).removeprefix("torch.")

    def ceiling(what: str, flops: float, call: Form, library: str) -> Ceiling:
        return Ceiling(name=name, what=what, library=library, work=flops, unit="FLOP/s", call=call)

    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, device=device).to(dtype)

    square, width = (8192 if cuda else 1536), config.local_width
    tiles = 32 if cuda else 1
    for rows, inner, columns in ((square,) * 3, (1024 * tiles, width, 4 * width)):
        a, b = draw(rows, inner), draw(inner, columns)
        library = "cuBLAS" if cuda else _matmul_library(dtype)
        yield ceiling(
            f"matrices {rows} x {inner} x {columns}",
            2.0 * rows * inner * columns,
            lambda a=a, b=b: torch.mm(a, b),  # type: ignore[misc]
            library,
        )
    channels, side = config.decoder_channels[0], 128
    for kernel, channels_in in ((3, channels), (1, 4 * width)):
        image = draw(tiles, channels_in, side, side).to(memory_format=torch.channels_last)
        weight = draw(channels, channels_in, kernel, kernel).to(memory_format=torch.channels_last)
        yield ceiling(
            f"convolution {kernel} x {kernel}, {channels_in} to {channels} channels, {side} x {side} cells",
            2.0 * tiles * side**2 * channels_in * channels * kernel**2,
            lambda i=image, w=weight, p=kernel // 2: F.conv2d(i, w, padding=p),  # type: ignore[misc]
            "cuDNN" if cuda else "oneDNN" if torch.backends.mkldnn.is_available() else "PyTorch",
        )


def _matmul_library(dtype: torch.dtype) -> str:
    if dtype is torch.bfloat16 and torch.backends.mkldnn.is_available():
        return "oneDNN"
    return "MKL" if torch.backends.mkl.is_available() else "BLAS"


def _copy(device: torch.device) -> Ceiling:
    size = (1 << 30) if device.type == "cuda" else (1 << 27)  # beyond any cache
    source = torch.rand(size // 4, device=device)
    target = torch.empty_like(source)
    return Ceiling(
        name=COPY,
        what=f"copy of {size >> 20} MiB",
        library="PyTorch",
        work=2.0 * size,
        unit="byte/s",
        call=lambda: target.copy_(source),
    )


def _fastest(candidates: list[Ceiling], device: torch.device, seconds: float) -> Ceiling:
    """The candidate of the highest rate, repeated so often that a call is not over between two disturbances."""
    rates = []
    with torch.no_grad():
        for candidate in candidates:
            candidate.call()  # kernels are chosen
            best, begun = math.inf, time.perf_counter()
            while best == math.inf or time.perf_counter() - begun < seconds:
                synchronize(device)
                start = time.perf_counter()
                candidate.call()
                synchronize(device)
                best = min(best, time.perf_counter() - start)
            rates.append((candidate.work / best, best, candidate))
    _, duration, chosen = max(rates, key=lambda one: one[0])
    repeats = max(1, math.ceil((0.01 if device.type == "cuda" else 0.05) / duration))

    @torch.no_grad()
    def repeated() -> None:
        for _ in range(repeats):
            chosen.call()

    return Ceiling(**{**vars(chosen), "work": repeats * chosen.work, "call": repeated})
