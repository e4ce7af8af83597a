"""Why tiles: memory and time of attention over a whole map against attention in tiles, measured by size of the domain;
and what a year, and the whole Earth, would cost, on paper.

One layer of the paper's local branch (width 512, 8 heads) on made-up tokens of 16 x 16 cells, in three forms:

    plain    every token attends to every token, as the formula is written: N x N numbers a head
    fused    the same values by PyTorch's fused kernel, which holds no N x N; it takes no bias without holding it
    tiles    tokens attend within their tile of 32 x 32 tokens, and to the 735 tokens of the coarse grid

Each size and form is a process of its own, whose peak of memory is that of the layer alone.

.venv/bin/python scripts/scaling.py --out docs/results/scaling.json
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch
from matplotlib.figure import Figure
from torch.nn import functional

from cranpm._files import check_output, write_atomically, write_figure
from cranpm.domain import EUROPE, plan_tiles
from cranpm.domain.tiling import TILE_SIZE
from cranpm.memory import peak_memory
from cranpm.model import count_flops, get_preset

FORMS = ("plain", "fused", "tiles")
SIDES = (32, 48, 64, 80)
"""Tokens along an edge of the square domains that are measured."""

CONFIG = get_preset("paper")
COARSE_TOKENS = 735
TILE = TILE_SIZE // CONFIG.local_patch
"""Tokens along an edge of a tile."""

PAPERS_SECONDS = 1.8
"""A map of one lead on one MI250X GCD [s], by the paper (arXiv:2603.11725)."""

GOAL_RATE = 0.65 * 790e12
"""FLOP/s: the goal of this project on an H200 (65 % of the 790 TFLOP/s of its bfloat16 products); not measured yet."""

GPUS, DAYS, LEADS = 64, 365, 3

EARTH_FINE, EARTH_COARSE = (18_000, 36_000), (720, 1440)
"""Cells of 0.01 degrees; nodes of 0.25 degrees."""

PADDING = CONFIG.global_patch * CONFIG.global_window
"""Coarse grids are padded to multiples of it."""


class Layer(torch.nn.Module):
    """Self-attention of the local branch, and attention to the coarse tokens."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        width = CONFIG.local_width
        self.project = torch.nn.Linear(width, 3 * width)
        self.query, self.keys_values = torch.nn.Linear(width, width), torch.nn.Linear(width, 2 * width)

    def whole(self, tokens: torch.Tensor, *, plain: bool) -> torch.Tensor:
        """Every token attends to every token: (n, width) to the same."""
        return _attend(*self.project(tokens).chunk(3, -1), plain=plain)

    def tiled(self, tokens: torch.Tensor, coarse: torch.Tensor, side: int) -> torch.Tensor:
        """The same within each tile of a square of ``side`` x ``side`` tokens, and to the coarse ones.

        Where tiles overlap, the one that comes last stands; blending is no part of what is measured.
        """
        square = tokens.view(side, side, -1)
        keys, values = self.keys_values(coarse).chunk(2, -1)
        out = torch.empty_like(square)
        for tile in plan_tiles((side * CONFIG.local_patch,) * 2).tiles:
            rows, cols = (
                slice(s.start // CONFIG.local_patch, s.stop // CONFIG.local_patch)
                for s in (tile.rows, tile.cols)
            )
            own = square[rows, cols].reshape(-1, square.shape[-1])
            own = _attend(*self.project(own).chunk(3, -1), plain=True)
            out[rows, cols] = _attend(self.query(own), keys, values, plain=True).view(TILE, TILE, -1)
        return out.view_as(tokens)


def _attend(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, *, plain: bool) -> torch.Tensor:
    q, k, v = (x.view(len(x), CONFIG.local_heads, -1).transpose(0, 1) for x in (q, k, v))
    if plain:
        logits = q @ k.transpose(1, 2)
        attended = logits.mul_(1 / math.sqrt(q.shape[-1])).softmax(-1) @ v
    else:
        attended = functional.scaled_dot_product_attention(q[None], k[None], v[None])[0]
    return attended.transpose(0, 1).flatten(1)


@torch.inference_mode()
def measure(form: str, side: int) -> dict[str, float]:
    """Peak of memory above what was there [bytes], and seconds on the wall and of all cores, of one layer."""
    layer = Layer().eval()
    tokens, coarse = (
        torch.randn(side * side, CONFIG.local_width),
        torch.randn(COARSE_TOKENS, CONFIG.local_width),
    )
    run = {
        "plain": lambda: layer.whole(tokens, plain=True),
        "fused": lambda: layer.whole(tokens, plain=False),
        "tiles": lambda: layer.tiled(tokens, coarse, side),
    }[form]
    layer.whole(tokens[:64], plain=form != "fused")  # libraries take their workspace
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew (Linux)
    before = psutil.Process().memory_info().rss
    wall, cpu = time.perf_counter(), time.process_time()
    run()
    return {
        "seconds": time.perf_counter() - wall,
        "cpu_seconds": time.process_time() - cpu,
        "peak_bytes": max(0, peak_memory() - before),
    }


def measure_all(sides: tuple[int, ...], rounds: int) -> Iterator[dict[str, Any]]:
    """Medians of processes, by size and form."""
    for side in sides:
        for form in FORMS:
            command = [sys.executable, __file__, "--form", form, "--side", str(side)]
            found = [json.loads(subprocess.check_output(command, text=True)) for _ in range(rounds)]
            row = {key: float(np.median([one[key] for one in found])) for key in found[0]}
            tiles = plan_tiles((side * CONFIG.local_patch,) * 2).num_tiles
            yield {"form": form, "tokens": side * side, "tiles": tiles, **row}
            print(
                f"{form} {side * side} tokens: {row['peak_bytes'] / 1e9:.3f} GB, {row['cpu_seconds']:.2f} CPU s"
            )


def growth(rows: list[dict[str, Any]], form: str, what: str) -> float:
    """Exponent with which a figure of a form grows with the tokens, from the smallest size to the largest."""
    one, *_, two = (row for row in rows if row["form"] == form)
    return math.log(two[what] / one[what]) / math.log(two["tokens"] / one["tokens"])


def at_europe(rows: list[dict[str, Any]]) -> dict[str, float]:
    """The largest size, carried on to Europe as N^2 (plain), as N^2 in time (fused), by tiles."""
    height, width = EUROPE.fine.shape
    tokens = math.ceil(height / CONFIG.local_patch) * math.ceil(width / CONFIG.local_patch)
    last = {row["form"]: row for row in rows}
    squared = (tokens / last["plain"]["tokens"]) ** 2
    return {
        "tokens": tokens,
        "tiles": plan_tiles((height, width)).num_tiles,
        "plain_bytes": last["plain"]["peak_bytes"] * squared,
        "plain_cpu_seconds": last["plain"]["cpu_seconds"] * squared,
        "fused_cpu_seconds": last["fused"]["cpu_seconds"] * squared,
        "tiles_cpu_seconds": last["tiles"]["cpu_seconds"]
        / last["tiles"]["tiles"]
        * plan_tiles((height, width)).num_tiles,
        "logits_bytes_of_12_heads_bfloat16": 2.0 * 12 * tokens**2,
    }


def on_paper(fine: tuple[int, int], coarse: tuple[int, int], dollars: float) -> dict[str, float]:
    """Bytes, FLOP, hours and money of a year of daily maps at three leads, every tile computed.

    Bytes are those before compression: two days of both grids read, uint16 maps written.
    """
    padded = tuple(math.ceil(n / PADDING) * PADDING for n in coarse)
    flops = count_flops(CONFIG, coarse=padded)  # type: ignore[arg-type]
    tiles, cells, nodes = plan_tiles(fine).num_tiles, math.prod(fine), math.prod(coarse)
    day = flops["global"] + flops["bridge_keys_values"] + LEADS * tiles * flops["per_tile"]
    europe = count_flops(CONFIG)
    papers_map = europe["global"] + europe["bridge_keys_values"] + 126 * europe["per_tile"]
    hours = {
        "paper": DAYS * day / (papers_map / PAPERS_SECONDS) / 3600 / GPUS,
        "goal": DAYS * day / GOAL_RATE / 3600 / GPUS,
    }
    read, written = DAYS * (2 * 2 * cells + 2 * 35 * 4 * nodes), DAYS * LEADS * 2 * cells
    return {
        "cells": cells,
        "tiles": tiles,
        "coarse_tokens": math.prod(padded) // CONFIG.global_patch**2,
        "tflop_day": day / 1e12,
        "share_of_bridge": LEADS * tiles * flops["bridge"] / day,
        "share_of_global": flops["global"] / day,
        "read_gb_year": read / 1e9,
        "written_gb_year": written / 1e9,
        "hours_at_papers_pace": hours["paper"],
        "hours_at_goal": hours["goal"],
        "gb_second_at_papers_pace": (read + written) / 1e9 / (3600 * hours["paper"]),
        "gb_second_at_goal": (read + written) / 1e9 / (3600 * hours["goal"]),
        "dollars_at_papers_pace": hours["paper"] * GPUS * dollars,
        "dollars_at_goal": hours["goal"] * GPUS * dollars,
    }


def page(found: dict[str, Any]) -> str:
    """The results in Markdown."""
    return "\n".join([*_measured(found), *_priced(found["on_paper"], found["dollars_per_gpu_hour"])])


def _measured(found: dict[str, Any]) -> list[str]:
    rows, europe = found["rows"], found["europe"]
    lines = [
        "# Why tiles: attention by size of the domain",
        "",
        f"Made by `{found['command']}` on {found['machine']}, load before {found['load']:.1f}: shares and exponents",
        "count, seconds are those of a machine that others used as well. One layer of the paper's local branch on",
        "made-up tokens: what the supplement of [the paper](../explanation/paper.md) argues, measured.",
        "",
        "![Memory and time of one layer by number of tokens](scaling.png)",
        "",
        "*Plain*: every token attends to every token, as the formula is written. *Fused*: the same by PyTorch's kernel",
        "that holds no N x N. *Tiles*: within tiles of 32 x 32 tokens, and to the 735 tokens of the coarse grid.",
        "",
        "| tokens | tiles | plain [GB] | fused [GB] | tiles [GB] | plain [CPU s] | fused [CPU s] | tiles [CPU s] |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for tokens in dict.fromkeys(row["tokens"] for row in rows):
        of = {row["form"]: row for row in rows if row["tokens"] == tokens}
        memory = " | ".join(f"{of[form]['peak_bytes'] / 1e9:.3f}" for form in FORMS)
        seconds = " | ".join(f"{of[form]['cpu_seconds']:.2f}" for form in FORMS)
        lines.append(f"| {tokens} | {of['tiles']['tiles']} | {memory} | {seconds} |")
    memory, seconds = (
        ", ".join(f"{growth(rows, form, what):.2f} ({form})" for form in FORMS)
        for what in ("peak_bytes", "cpu_seconds")
    )
    longer, fused = (
        europe[f"{form}_cpu_seconds"] / europe["tiles_cpu_seconds"] for form in ("plain", "fused")
    )
    return [
        *lines,
        "",
        f"Between the two largest sizes, memory grows with the number of tokens to the power {memory},",
        f"time to the power {seconds}.",
        "",
        f"Carried on to Europe's {europe['tokens']:,} tokens ({europe['tiles']} tiles), one layer of plain attention",
        f"would hold {europe['plain_bytes'] / 1e9:.0f} GB and take {longer:.0f} times as long as tiles. The paper's",
        "figure of about 300 GB has no derivation; logits of 12 heads in bfloat16 would take "
        f"{europe['logits_bytes_of_12_heads_bfloat16'] / 1e9:.0f} GB.",
        "",
        "**What has changed since:** fused kernels hold no logits, so memory alone no longer forbids attention over",
        f"the whole map. Two reasons stay. Time still grows with the square: {fused:.0f} times that of tiles for",
        "Europe. And the biases of elevation and wind are numbers for each pair of tokens, which bring the N x N back.",
        "",
    ]


_TABLE = (
    ("cells of a map [million]", "cells", 1e-6, ",.0f"),
    ("tiles", "tiles", 1, ",.0f"),
    ("tokens of the coarse grid", "coarse_tokens", 1, ",.0f"),
    ("TFLOP a day", "tflop_day", 1, ",.0f"),
    ("of it in the bridge [%]", "share_of_bridge", 100, ".0f"),
    ("of it in the global branch [%]", "share_of_global", 100, ".1f"),
    ("read a year [TB]", "read_gb_year", 1e-3, ".2f"),
    ("written a year [TB]", "written_gb_year", 1e-3, ".2f"),
    ("minutes, paper's pace", "hours_at_papers_pace", 60, ".2f"),
    ("minutes, goal", "hours_at_goal", 60, ".2f"),
    ("GB a second to read and write, paper's pace", "gb_second_at_papers_pace", 1, ",.1f"),
    ("GB a second to read and write, goal", "gb_second_at_goal", 1, ",.0f"),
    ("$, paper's pace", "dollars_at_papers_pace", 1, ",.2f"),
    ("$, goal", "dollars_at_goal", 1, ",.2f"),
)
"""Lines of the table on paper: title, key, factor, format."""


def _priced(costs: dict[str, dict[str, float]], dollars: float) -> list[str]:
    of = costs["europe"], costs["earth"]
    return [
        f"## A year on {GPUS} GPUs, on paper",
        "",
        f"{DAYS} days at {LEADS} lead times with the paper's network; all tiles, also those without land, and no time",
        "lost between days. Operations are counted by PyTorch (`count_flops`); bytes are those before compression.",
        f"*Paper's pace*: {PAPERS_SECONDS} s a map of 126 tiles on one MI250X GCD, as it says. *Goal*: what this",
        "project aims at on an H200, 65 % of 790 TFLOP/s, **not measured with this network yet**. A GPU hour is taken",
        f"as {dollars:g} $: an assumption (`--dollars`).",
        "",
        "| | Europe | Earth at 0.01 degrees |",
        "|---|---|---|",
        *(
            f"| {title} | {' | '.join(format(one[key] * factor, form) for one in of)} |"
            for title, key, factor, form in _TABLE
        ),
        "",
        "At the goal's pace such a year is bound by storage: the line of GB a second asks for more than most file",
        "systems give.",
        "What grows faster than the area: every tile attends to every coarse token, so that the bridge's share rises",
        f"to {of[1]['share_of_bridge']:.0%}. A model of the Earth would let a tile see a neighbourhood of the coarse",
        "grid only.",
        "The network was never trained on such a grid: this is cost, not skill.",
        "",
    ]


def draw(rows: list[dict[str, Any]]) -> Figure:
    """Memory and time by number of tokens, both axes logarithmic."""
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    for axes, what, scale, label in zip(
        figure.subplots(1, 2),
        ("peak_bytes", "cpu_seconds"),
        (1e9, 1),
        ("peak memory [GB]", "CPU seconds"),
        strict=True,
    ):
        for form in FORMS:
            of = [row for row in rows if row["form"] == form]
            axes.loglog([row["tokens"] for row in of], [row[what] / scale for row in of], "o-", label=form)
        axes.set(xlabel="tokens of the domain (16 x 16 cells each)", ylabel=label)
        axes.legend()
    return figure


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("docs/results/scaling.json"))
    parser.add_argument("--sides", type=int, nargs="+", default=list(SIDES), help="tokens along an edge")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--dollars", type=float, default=3.0, help="of a GPU hour")
    parser.add_argument("--form", choices=FORMS, help=argparse.SUPPRESS)
    parser.add_argument("--side", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.form is not None:
        print(json.dumps(measure(given.form, given.side)))
        return
    if len(given.sides) < 2 or min(given.sides) < TILE:
        parser.error(f"--sides takes two or more, of {TILE} tokens (one tile) at least; got {given.sides}.")
    check_output(given.out, overwrite=True)
    load = psutil.getloadavg()[0]
    rows = list(measure_all(tuple(sorted(given.sides)), given.rounds))
    found = {
        "what": "attention by size of the domain; cost on paper",
        "command": f"scripts/scaling.py --sides {' '.join(map(str, given.sides))} --rounds {given.rounds}",
        "machine": f"{os.cpu_count()} CPU cores, {platform.machine()}",
        "load": load,
        "rows": rows,
        "europe": at_europe(rows),
        "dollars_per_gpu_hour": given.dollars,
        "on_paper": {
            "europe": on_paper(EUROPE.fine.shape, EUROPE.coarse.shape, given.dollars),
            "earth": on_paper(EARTH_FINE, EARTH_COARSE, given.dollars),
        },
    }
    write_atomically(given.out, json.dumps(found, indent=1) + "\n")
    write_atomically(given.out.with_suffix(".md"), page(found))
    write_figure(given.out.with_suffix(".png"), draw(rows))


if __name__ == "__main__":
    main()
