"""What a run will cost, stated before it is spent: parameters, operations, bytes, memory, time.

Operations and memory come from passes on PyTorch's "meta" device, where tensors have shapes but no values; time from
steps on made-up values, timed on this device, or, where those would take too long or too much memory, from the rate of
a plain matrix product.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import torch

from cranpm._json import JsonObject
from cranpm._progress import duration
from cranpm.domain import Domain
from cranpm.model import count_flops, describe_parameters
from cranpm.training.recipes.recipes import Recipe
from cranpm.training.report.step_memory import StepMemory, memory_of_process
from cranpm.training.report.step_timing import StepTiming, benchmark_step
from cranpm.training.state.options import TrainerOptions
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
    step_tiles: int
    """Tiles of one step of one process."""
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
    micro_batch: int
    """Tiles whose activations are held at a time; all of a step, or as many as the memory holds."""
    memory_weights: int
    """Weights, gradients, AdamW's momenta, the average."""
    memory_activations: int
    """Kept for the backward pass, an upper estimate: attention as if computed plainly."""
    memory_peak: int
    memory_available: int
    checkpoint_bytes: int
    state_bytes: int
    """One saved state; the last two are kept, and a third while it is written."""
    read_bytes_per_step: int
    """Inputs and targets of one process, decoded."""

    def to_dict(self) -> JsonObject:
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
            f"steps of {self.step_tiles} tiles, "
            + (
                "taken whole"
                if self.micro_batch >= self.step_tiles
                else f"in parts of {self.micro_batch} that are computed twice, so that they fit"
            ),
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
    options: TrainerOptions | None = None,
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
    options : TrainerOptions, optional
        Processes, memory and micro-batch; one process by default, with all the memory there is.
    device : str
        "auto", "cpu" or "cuda".
    measured : bool
        Time steps on made-up values for it, seconds of work; not done where they would not fit.

    Returns
    -------
    TrainingCost

    Raises
    ------
    ValueError
        If a step does not fit into the memory even one tile at a time.
    """
    options = options or TrainerOptions()
    processes = options.processes
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
    memory_available = memory_of_process(options, chosen)
    memory = StepMemory.of(recipe, domain)
    at_once = min(tiles, options.micro_batch or memory.largest_part(memory_available))
    in_parts = at_once < tiles
    memory_peak = memory.peak(at_once)
    if in_parts:  # every part is computed forward once more
        step, token_step, total = (4 / 3 * flops for flops in (step, token_step, total))
    share = EXPECTED_SHARE.get(chosen.type, 0.35)
    seconds = total / processes / (rate * share)
    pretraining = 3.0 * recipe.global_epochs * init_days * per_day / (rate * share)
    trial: StepTiming | None = None
    if measured and memory_peak < 0.7 * memory_available and step < LONGEST_STEP * 0.1 * rate:
        trial = benchmark_step(recipe, domain, chosen, at_once if in_parts else None)
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
        step_tiles=tiles,
        micro_batch=at_once,
        memory_weights=memory.weights,
        memory_activations=memory.activations(at_once),
        memory_peak=memory_peak,
        memory_available=memory_available,
        checkpoint_bytes=4 * parameters,
        state_bytes=memory.weights - 4 * parameters,
        read_bytes_per_step=_read_bytes(recipe, domain),
    )


def _read_bytes(recipe: Recipe, domain: Domain) -> int:
    box = domain.coarse_box.rows * domain.coarse_box.cols
    tiles = recipe.days_per_step * recipe.tiles_per_day
    return 4 * (recipe.days_per_step * 70 * box + tiles * 3 * recipe.tile_size**2)


def _device_name(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"CPU with {torch.get_num_threads()} threads"
