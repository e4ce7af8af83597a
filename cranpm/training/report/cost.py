"""What a run will cost, stated before it is spent: parameters, operations, bytes, memory, time.

Operations and memory come from passes on PyTorch's "meta" device, where tensors have shapes but no values; time from
steps on made-up values, timed on this device, or, where those would take too long or too much memory, from the rate of
a plain matrix product.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch

from cranpm._progress import duration
from cranpm.domain import Domain
from cranpm.memory import physical_memory
from cranpm.model import CranPM, count_flops, describe_parameters
from cranpm.training.recipes.recipes import Recipe
from cranpm.training.report.step_timing import StepTiming, benchmark_step, made_up_days, made_up_tiles
from cranpm.training.state.throughput import matmul_rate

EXPECTED_SHARE = {"cpu": 0.35, "cuda": 0.40}
"""Share of the matmul rate that training is taken to reach where no step is timed: the goal on a GPU. What a run
reaches is logged as ``pace/matmul_share``."""
LONGEST_STEP = 30.0
"""No step is timed that may take longer, at a tenth of the matmul rate [s]."""


@dataclass(frozen=True, kw_only=True)
class TrainingCost:
    """A run's cost on one device; bytes unless said otherwise."""

    recipe: str
    device: str
    processes: int
    parameters: int
    samples: int
    """Tiles shown in all steps and processes."""
    flops_per_step: float
    """Of one process: forward and backward."""
    flops: float
    """Of all steps and processes."""
    matmul_rate: float
    """FLOP/s of a plain matrix product here, in the recipe's precision."""
    expected_share: float
    """Of that rate, in training."""
    measured: bool
    """Whether steps were timed for this; else ``expected_share`` is a guess."""
    seconds: float
    """Expected training time, without pretraining, validation and waiting for data."""
    pretrain_seconds: float
    """Expected time of `pretrain_global`, where the recipe has it."""
    memory_weights: int
    """Weights, gradients, AdamW's momenta, the average."""
    memory_activations: int
    """Kept for the backward pass of one step, an upper estimate: attention as if computed plainly."""
    memory_peak: int
    memory_available: int
    checkpoint_bytes: int
    state_bytes: int
    """One saved state; the last two are kept, and a third while it is written."""
    read_bytes_per_step: int
    """Inputs and targets of one process, decoded."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)

    def lines(self) -> list[str]:
        """For people."""
        share = f"{self.expected_share:.0%} {'reached in a trial step' if self.measured else 'expected'}"
        return [
            f"{self.parameters:,} parameters; checkpoint {self.checkpoint_bytes / 1e6:.1f} MB, state on disk "
            f"{self.state_bytes / 1e6:.0f} MB (two are kept)",
            f"{self.samples:,} samples; {self.flops_per_step / 1e12:.2f} TFLOP a step, {self.flops / 1e15:.3f} PFLOP "
            f"in all; {self.read_bytes_per_step / 1e6:.0f} MB of inputs a step",
            f"{self.processes} x {self.device}: {self.matmul_rate / 1e12:.2f} TFLOP/s of plain matmul, of which "
            f"{share}: about {duration(self.seconds)}"
            + (f", after {duration(self.pretrain_seconds)} of pretraining" if self.pretrain_seconds else ""),
            f"peak memory about {self.memory_peak / 1e9:.1f} GB ({self.memory_weights / 1e9:.2f} GB weights and "
            f"momenta, up to {self.memory_activations / 1e9:.1f} GB for the backward pass); "
            f"{self.memory_available / 1e9:.0f} GB are there",
        ]


def estimate_cost(
    recipe: Recipe,
    domain: Domain,
    *,
    init_days: int = 0,
    processes: int = 1,
    device: str = "auto",
    measured: bool = False,
) -> TrainingCost:
    """Estimate what a run costs.

    Parameters
    ----------
    recipe : Recipe
    domain : Domain
    init_days : int
        Training days, for pretraining.
    processes : int
    device : str
        "auto", "cpu" or "cuda".
    measured : bool
        Time steps on made-up values for it, seconds of work; not done where they would not fit.
    """
    chosen = torch.device(
        "cuda" if device == "auto" and torch.cuda.is_available() else device.replace("auto", "cpu")
    )
    rate = matmul_rate(chosen, recipe.bfloat16)
    flops = count_flops(recipe.model, recipe.tile_size, domain.coarse.shape)
    per_day = flops["global"] + flops["bridge_keys_values"]
    tiles = recipe.days_per_step * recipe.tiles_per_day
    step = 3.0 * (recipe.days_per_step * per_day + tiles * flops["per_tile"])
    token_step = step - 3.0 * tiles * flops["decoder"]
    token_steps = min(recipe.token_steps, recipe.steps)
    total = (token_step * token_steps + step * (recipe.steps - token_steps)) * processes
    parameters = describe_parameters(recipe.model)["trainable"]
    average = 0 if recipe.average_decay is None else 4
    weights = parameters * (4 + 4 + 8 + average)
    activations = activation_bytes(recipe, domain)
    memory_peak, memory_available = weights + activations + 500_000_000, _memory(chosen)
    share = EXPECTED_SHARE.get(chosen.type, 0.35)
    seconds = total / processes / (rate * share)
    pretraining = 3.0 * recipe.global_epochs * init_days * per_day / (rate * share)
    trial: StepTiming | None = None
    if measured and memory_peak < 0.7 * memory_available and step < LONGEST_STEP * 0.1 * rate:
        trial = benchmark_step(recipe, domain, chosen)
        share = step / (trial.step * rate)
        seconds = token_steps * trial.token_step + (recipe.steps - token_steps) * trial.step
        pretraining = recipe.global_epochs * init_days * trial.pretrain_day
    return TrainingCost(
        recipe=recipe.model.name,
        device=_device_name(chosen),
        processes=processes,
        parameters=parameters,
        samples=tiles * recipe.steps * processes,
        flops_per_step=step,
        flops=total,
        matmul_rate=rate,
        expected_share=share,
        measured=trial is not None,
        seconds=seconds,
        pretrain_seconds=pretraining,
        memory_weights=weights,
        memory_activations=activations,
        memory_peak=memory_peak,
        memory_available=memory_available,
        checkpoint_bytes=4 * parameters,
        state_bytes=parameters * (4 + 8 + average),
        read_bytes_per_step=_read_bytes(recipe, domain),
    )


def activation_bytes(recipe: Recipe, domain: Domain) -> int:
    """Bytes that the backward pass of one step keeps, from its shapes alone."""
    one, two = (_saved_bytes(recipe, domain, tiles) for tiles in (1, 2))
    per_tile = two[1] - one[1]
    per_day = one[0]
    rest = one[1] - one[0] - per_tile
    tiles = recipe.days_per_step * recipe.tiles_per_day
    return int(recipe.days_per_step * per_day + tiles * per_tile + max(rest, 0))


def _saved_bytes(recipe: Recipe, domain: Domain, tiles: int) -> tuple[int, int]:
    """Bytes kept by the global branch, and by all, for one day and some tiles."""
    seen: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        seen[storage._cdata] = storage.nbytes()
        held.append(tensor)
        return tensor

    held: list[torch.Tensor] = []  # so that no address is given twice
    with torch.device("meta"):
        network = CranPM(recipe.model).train()
        network.check_inputs = False  # there are no values to look at
        weights = {p.untyped_storage()._cdata for p in network.parameters()}
        days, local = made_up_days(recipe, domain, 1), made_up_tiles(recipe, domain, tiles)
        autocast = torch.autocast("cpu", torch.bfloat16, enabled=recipe.bfloat16)
        with autocast, torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            context = network.encode_global(days)
            of_days = sum(size for key, size in seen.items() if key not in weights)
            delta = network.forecast_delta(local, context, torch.zeros(tiles, dtype=torch.long))
            if recipe.frequency_weight:
                torch.fft.rfft2(delta.float()).abs().square().sum()
    return of_days, sum(size for key, size in seen.items() if key not in weights)


def _read_bytes(recipe: Recipe, domain: Domain) -> int:
    box = domain.coarse_box.rows * domain.coarse_box.cols
    tiles = recipe.days_per_step * recipe.tiles_per_day
    return 4 * (recipe.days_per_step * 70 * box + tiles * 3 * recipe.tile_size**2)


def _device_name(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"CPU with {torch.get_num_threads()} threads"


def _memory(device: torch.device) -> int:
    if device.type == "cuda":
        return int(torch.cuda.get_device_properties(device).total_memory)
    return physical_memory()
