"""All that a GPU can tell in a quarter of an hour: one command, at most eight minutes, one JSON file.

Needs only torch (2.11 or later), NumPy, lightning, safetensors and this repository's `cranpm` folder. Each section is a
process of its own with a time of its own, so that one that hangs, crashes or runs out of memory costs only itself; the
file is written after each. On a machine without CUDA `--device cpu --small` goes the same way with tiny shapes.

python scripts/gpu_session.py --out gpu.json --geography geography.npz

The geography is made elsewhere with `cranpm testbed export-geography`; without it no days are simulated and the short
training is left out.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))  # not installed there

import numpy as np
import torch

from cranpm.bench.blend import measure_blend
from cranpm.bench.ceilings import Ceilings, find_ceilings
from cranpm.bench.figures import Bound, Figure, Label, table
from cranpm.bench.machine import describe_machine, versions
from cranpm.bench.model import RandomDay, measure_model, random_network
from cranpm.bench.settings import BenchSettings
from cranpm.bench.timing import Form, time_in_turns
from cranpm.bench.training import measure_training
from cranpm.domain import Domain, domain_from_corner, get_domain, plan_tiles
from cranpm.forecasting.blend import ResidualMap
from cranpm.model import CranPM, GlobalContext, LocalInputs, count_flops, get_preset
from cranpm.model.config import ModelConfig
from cranpm.training.recipes.recipes import get_recipe

LIMIT = 480
"""Seconds of the whole session."""

SECTIONS: dict[str, tuple[Callable[[Session], Iterator[dict[str, Any]]], int]] = {}
"""What each section does, and the most seconds that it may take."""

TOLERANCE = {"float32": 1e-3, "bfloat16": 0.05}
"""Largest relative norm of a difference to float32 on the CPU that counts as right."""


@dataclass(frozen=True, kw_only=True)
class Session:
    """What the command was asked for."""

    device: torch.device
    small: bool
    seconds: float
    """Of measuring in this section."""
    geography: Path | None
    work: Path

    @property
    def presets(self) -> tuple[str, ...]:
        return ("tiny",) if self.small else ("small", "paper")

    @property
    def domain(self) -> Domain:
        if not self.small:
            return get_domain("europe")
        return domain_from_corner("corner", "Corner", north=48.0, west=6.0, coarse_rows=14, coarse_cols=14)

    @property
    def tile_size(self) -> int:
        return 128 if self.small else 512

    def settings(self, preset: str, seconds: float) -> BenchSettings:
        return BenchSettings(
            device=self.device,
            preset=preset,
            domain=self.domain,
            tile_size=self.tile_size,
            seconds=seconds,
            quick=self.small,
        )

    def ceilings(self, config: ModelConfig) -> Ceilings:
        return find_ceilings(config, self.device, seconds=0.2 if self.small else 1.5)


def section(seconds: int) -> Callable[[Any], Any]:
    """Register what follows as a section of at most so many seconds."""

    def register(work: Any) -> Any:
        SECTIONS[work.__name__] = (work, seconds)
        return work

    return register


@section(60)
def correctness(session: Session) -> Iterator[dict[str, Any]]:
    """Is it right here? Against float32 on the CPU; by precision, by batch size, twice the same."""
    size = 2 if session.small else 8
    for preset in session.presets:
        config, plain = get_preset(preset), torch.device("cpu")
        inputs = RandomDay.of(preset, session.domain, size, session.tile_size, plain)
        reference = _deltas(random_network(config, plain), inputs, "float32", [1])
        network = random_network(config, session.device)
        here = RandomDay.of(preset, session.domain, size, session.tile_size, session.device)
        found: dict[str, Any] = {}
        for precision, tolerance in TOLERANCE.items():
            one = _deltas(network, here, precision, [1])
            many = _deltas(network, here, precision, [size])
            found[precision] = {
                "to_cpu_float32": _difference(one, reference),
                "largest_to_cpu_float32": float((one - reference).abs().max()),
                "batch_to_single": _difference(many, one),
                "same_twice": bool(torch.equal(_deltas(network, here, precision, [size]), many)),
                "tolerance": tolerance,
            }
            errors = (found[precision]["to_cpu_float32"], found[precision]["batch_to_single"])
            found[precision]["right"] = bool(max(errors) <= tolerance)
        yield {preset: found}


@section(30)
def roofline(session: Session) -> Iterator[dict[str, Any]]:
    """What the device does at best."""
    for preset in session.presets:
        ceilings = session.ceilings(get_preset(preset))
        yield {preset: ceilings.to_dict(session.device, session.seconds / 10)}


@section(100)
def model(session: Session) -> Iterator[dict[str, Any]]:
    """Network and blending alone, by batch size and precision, beside the un-cached form."""
    share = session.seconds / (2 * len(session.presets))
    for preset in session.presets:
        ceilings = session.ceilings(get_preset(preset))
        yield {preset: _plain(measure_model(session.settings(preset, share), ceilings))}
    yield {"blend": _plain(measure_blend(session.settings(session.presets[0], share), ceilings))}


@section(80)
def whole_map(session: Session) -> Iterator[dict[str, Any]]:
    """Every tile of the map through the network and into the blend: eager, captured and compiled, in turns."""
    for preset in session.presets:
        config = get_preset(preset)
        ceilings = session.ceilings(config)
        network = random_network(config, session.device)
        network.check_inputs = False  # its questions wait for the device
        plan = plan_tiles(session.domain.fine.shape, session.tile_size)
        batch = 2 if session.small else 32
        inputs = RandomDay.of(preset, session.domain, batch, session.tile_size, session.device)
        today = 20 * torch.rand(plan.shape, device=session.device)
        forms: dict[str, Form] = {}
        failed: dict[str, str] = {}
        makers: dict[str, Callable[[CranPM, RandomDay], Callable[[], torch.Tensor]]] = {
            "eager": _eager,
            "captured": _captured,
            "compiled": _compiled,
        }
        for name, make in makers.items():
            try:
                step = make(network, inputs)
                forms[name] = _map_form(network, inputs, step, today, batch)
                forms[name]()
            except (
                Exception
            ) as error:  # a form that does not work here is a finding, not the end of the session
                forms.pop(name, None)
                failed[name] = f"{type(error).__name__}: {error}"[:500]
        best = ceilings.of[ceilings.best]
        turns = time_in_turns(
            {**forms, **ceilings.forms(best.name)}, session.device, seconds=session.seconds / 8
        )
        flops = count_flops(config, session.tile_size, session.domain.coarse.shape)
        work = flops["global"] + flops["bridge_keys_values"] + plan.num_tiles * flops["per_tile"]
        figures = [
            Figure.of(
                turns,
                name,
                Label("map", "map", f"{preset}, {plan.num_tiles} tiles, batch {batch}, {name}"),
                bound=Bound(work, best),
                instead={} if name == "eager" or "eager" not in forms else {"eager": 1.0},
                detail={"peak_memory_gb": _peak_gb(session.device)},
            )
            for name in forms
        ]
        yield {preset: {"figures": [one.to_dict() for one in figures], "failed": failed}}


@section(90)
def training(session: Session) -> Iterator[dict[str, Any]]:
    """Steps of the paper's recipe, in parts that fit into the memory: tiles a second, share of the matmul rate."""
    preset = session.presets[-1]
    ceilings = session.ceilings(get_preset(preset))
    recipe = None if session.small else get_recipe(preset)
    figures = measure_training(session.settings(preset, session.seconds / 3), ceilings, recipe, compare=False)
    tiles_per_second = {one.what: one.detail["tiles"] / one.seconds.median for one in figures}
    yield {
        preset: _plain(figures),
        "tiles_per_second": tiles_per_second,
        "peak_memory_gb": _peak_gb(session.device),
    }


@section(150)
def short_training(session: Session) -> Iterator[dict[str, Any]]:
    """Days are simulated and the network trained on them, from the first command to the checkpoint."""
    if session.geography is None:
        yield {"left_out": "no --geography; make it with 'cranpm testbed export-geography'"}
        return
    from cranpm.training.command import TrainCommand
    from cranpm.training.state.options import TrainerOptions

    recipe = "tiny" if session.small else "paper"
    settings = ["warmup_steps=20", "steps=2000", "station_weight=0", "learning_rate=2e-4", "days_per_step=2"]
    if session.small:
        # as small as a run can be, and short: two steps
        settings = [
            *("steps=2", "warmup_steps=1", "token_steps=0", "days_per_step=1", "tiles_per_day=1"),
            *("global_epochs=0", "calibration_steps=0", "tile_size=128", "wide_tile_interval=0"),
            *("station_weight=0", "puff_share=0"),
        ]
    # more would take longer to simulate than there is; the second period is of the validation split
    periods = ("2020-01-01:5", "2021-01-01:5") if session.small else ("2020-01-01:14", "2021-01-01:5")
    out = session.work / "run"
    began = time.perf_counter()
    command = TrainCommand(
        out=out,
        recipe=recipe,
        settings=tuple(settings),
        world=session.work / "days",
        geography=session.geography,
        simulate=periods,
        options=TrainerOptions(
            workers=0 if session.small else min(8, (os.cpu_count() or 2) - 1),
            validate_every=2 if session.small else 100,
            validation_days=1,
            max_minutes=None if session.small else 1.25,
            bar=False,
        ),
    )
    said: list[str] = []
    code = command.run(report=said.append)
    yield {
        "exit_code": code,
        "seconds": round(time.perf_counter() - began, 1),
        "said": said[-20:],
        "metrics": _metrics(out),
        "peak_memory_gb": _peak_gb(session.device),
    }


def _metrics(out: Path) -> dict[str, list[float]]:
    """First and last value of every column that training logged."""
    found: dict[str, list[float]] = {}
    for path in sorted(out.glob("csv/version_*/metrics.csv")):
        head, *rows = (line.split(",") for line in path.read_text().splitlines())
        for index, name in enumerate(head):
            values = [float(row[index]) for row in rows if row[index]]
            if values:
                found[name] = [values[0], values[-1]]
    return found


@torch.inference_mode()
def _deltas(network: CranPM, inputs: RandomDay, precision: str, sizes: list[int]) -> torch.Tensor:
    device, (size,) = inputs.day.fields.device.type, sizes
    with torch.autocast(device, torch.bfloat16, enabled=precision == "bfloat16"):
        context = network.encode_global(inputs.day)
        count = len(inputs.tiles.lead)
        parts = [
            network.forecast_delta(inputs.batch(size, start), context) for start in range(0, count, size)
        ]
    return torch.cat(parts).float().cpu()


def _difference(values: torch.Tensor, reference: torch.Tensor) -> float:
    """Norm of the difference over that of the reference."""
    return float((values - reference).norm() / reference.norm())


def _map_form(
    network: CranPM,
    inputs: RandomDay,
    step: Callable[[], torch.Tensor],
    today: torch.Tensor,
    batch: int,
) -> Form:
    plan = plan_tiles(tuple(today.shape), inputs.tiles.fields.shape[-1])
    device = today.device.type

    @torch.inference_mode()
    def form() -> object:
        blended = ResidualMap(today, plan)
        with torch.autocast(device, torch.bfloat16):
            network.encode_global(inputs.day)
            for start in range(0, plan.num_tiles, batch):
                deltas = step().float()
                for tile, delta in zip(plan.tiles[start : start + batch], deltas, strict=False):
                    blended.add(tile, delta)
        return blended.finish()

    return form


def _context(network: CranPM, inputs: RandomDay) -> tuple[GlobalContext, LocalInputs]:
    with torch.inference_mode(), torch.autocast(inputs.day.fields.device.type, torch.bfloat16):
        return network.encode_global(inputs.day), inputs.tiles


@torch.inference_mode()
def _refuse_other_result(step: Callable[[], torch.Tensor], network: CranPM, inputs: RandomDay) -> None:
    """A fast form that gives something else is no fast form."""
    with torch.autocast(inputs.day.fields.device.type, torch.bfloat16):
        difference = _difference(step().float(), _eager(network, inputs)().float())
    if not difference <= TOLERANCE["bfloat16"]:
        raise RuntimeError(f"differs from the eager form by {difference:.2g} of its norm")


def _eager(network: CranPM, inputs: RandomDay) -> Callable[[], torch.Tensor]:
    context, tiles = _context(network, inputs)
    return lambda: network.forecast_delta(tiles, context)


def _captured(network: CranPM, inputs: RandomDay) -> Callable[[], torch.Tensor]:
    """A CUDA graph of one batch: inputs would be copied into its fixed places, weights stay."""
    if inputs.day.fields.device.type != "cuda":
        raise RuntimeError("CUDA graphs need a CUDA device.")
    context, tiles = _context(network, inputs)
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    # a cache of casts would outlive the graph that owns its memory
    with (
        torch.inference_mode(),
        torch.cuda.stream(stream),
        torch.autocast("cuda", torch.bfloat16, cache_enabled=False),
    ):
        for _ in range(3):
            network.forecast_delta(tiles, context)
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with (
        torch.inference_mode(),
        torch.autocast("cuda", torch.bfloat16, cache_enabled=False),
        torch.cuda.graph(graph),
    ):
        result = network.forecast_delta(tiles, context)

    def step() -> torch.Tensor:
        graph.replay()
        return result

    return step


def _compiled(network: CranPM, inputs: RandomDay) -> Callable[[], torch.Tensor]:
    """One batch compiled for its shapes; without a GPU only traced, which needs no compiler."""
    context, tiles = _context(network, inputs)
    backend = "inductor" if inputs.day.fields.device.type == "cuda" else "eager"
    compiled = torch.compile(network.forecast_delta, backend=backend, dynamic=False)
    return lambda: compiled(tiles, context)


def _peak_gb(device: torch.device) -> float | None:
    return torch.cuda.max_memory_allocated(device) / 1e9 if device.type == "cuda" else None


def _plain(figures: list[Figure]) -> list[dict[str, Any]]:
    print("\n".join(table(figures)), flush=True)
    return [one.to_dict() for one in figures]


def run_section(name: str, session: Session, out: Path) -> None:
    """Do one section here; what it has found so far is in the file after every step of it."""
    found: dict[str, Any] = {}
    work, _ = SECTIONS[name]
    try:
        for part in work(session):
            found |= part
            _write(out, found)
    except Exception as error:  # the others go on, and the reason is kept
        traceback.print_exc()
        _write(out, found | {"error": f"{type(error).__name__}: {error}"})
        sys.exit(1)


def run_session(given: argparse.Namespace) -> dict[str, Any]:
    """Do the sections one after the other, each in a process of its own, and write after each."""
    began = time.monotonic()
    device = torch.device(given.device)
    results: dict[str, Any] = {
        "what": "scripts/gpu_session.py",
        "small": given.small,
        "machine": describe_machine(device),
        "versions": versions(),
        "sections": {},
    }
    chosen = given.only or list(SECTIONS)
    for name in chosen:
        left = given.limit - (time.monotonic() - began)
        # whoever gives the session more time gives it to each section
        allowed = min(SECTIONS[name][1] * max(1.0, given.limit / LIMIT), left)
        print(f"== {name}: up to {max(allowed, 0):.0f} s", flush=True)
        results["sections"][name] = (
            _guarded(name, given, allowed) if allowed > 10 else {"left_out": "no time is left"}
        )
        results["seconds"] = round(time.monotonic() - began, 1)
        _write(given.out, results)
    return results


def _guarded(name: str, given: argparse.Namespace, allowed: float) -> dict[str, Any]:
    """One section in a process that is ended when its time is over; what it had found by then counts."""
    with tempfile.TemporaryDirectory(prefix="gpu-session-") as folder:
        part = Path(folder) / "part.json"
        command = [sys.executable, __file__, "--section", name, "--out", str(part), "--device", given.device]
        command += ["--seconds", f"{allowed / 2:.1f}", *(["--small"] if given.small else [])]
        command += ["--geography", str(given.geography)] if given.geography else []
        began = time.monotonic()
        process = subprocess.Popen(command, start_new_session=True)
        try:
            code: int | None = process.wait(allowed)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            if process.poll() is None:
                _end(process)
        found = json.loads(part.read_text()) if part.is_file() else {}
        found["section_seconds"] = round(time.monotonic() - began, 1)
        if code is None:
            found["error"] = f"ended after {allowed:.0f} s"
        elif code and "error" not in found:
            found["error"] = f"the process ended with code {code}"
        return found


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a section with all the processes that it started."""
    if hasattr(os, "killpg"):
        os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.wait()


def _write(path: Path, values: dict[str, Any]) -> None:
    draft = path.with_suffix(".part")
    draft.write_text(json.dumps(values, indent=1, default=_number) + "\n")
    draft.replace(path)


def _number(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} is no plain value")


def has_figures(results: dict[str, Any]) -> bool:
    """Whether any section found something."""
    told = {"error", "left_out", "section_seconds"}
    return any(set(found) - told for found in results["sections"].values())


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, help="FILE.json")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--small", action="store_true", help="tiny shapes: the same way on any machine")
    parser.add_argument("--geography", type=Path)
    parser.add_argument("--only", nargs="+", choices=list(SECTIONS))
    parser.add_argument("--limit", type=float, default=LIMIT, help="seconds of all sections together")
    parser.add_argument("--section", choices=list(SECTIONS), help=argparse.SUPPRESS)
    parser.add_argument("--seconds", type=float, default=30.0, help=argparse.SUPPRESS)
    given = parser.parse_args()
    device = torch.device(given.device)
    if device.type == "cuda" and not torch.cuda.is_available():
        parser.error("torch sees no CUDA device; --device cpu --small goes the same way without one.")
    if given.section:
        with tempfile.TemporaryDirectory(prefix="gpu-session-") as work:
            session = Session(
                device=device,
                small=given.small,
                seconds=min(given.seconds, 1.0) if given.small else given.seconds,
                geography=given.geography,
                work=Path(work),
            )
            run_section(given.section, session, given.out)
        return 0
    results = run_session(given)
    for name, found in results["sections"].items():
        print(f"{name}: {found.get('error') or found.get('left_out') or 'done'}", flush=True)
    # a section that had to be ended is a finding; a session without any is a failure
    return 0 if has_figures(results) else 1


if __name__ == "__main__":
    sys.exit(main())
