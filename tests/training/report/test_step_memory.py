from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from cranpm.domain import EUROPE, domain_from_corner
from cranpm.training.recipes.recipes import paper, small, tiny
from cranpm.training.report.step_memory import StepMemory, choose_micro_batch, memory_of_process
from cranpm.training.state.options import TrainerOptions

DOMAIN = domain_from_corner("mini", "Mini", north=48.0, west=6.0, coarse_rows=14, coarse_cols=14)
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def of_paper():
    return StepMemory.of(paper(), EUROPE)


def test_the_papers_step_fits_a_gpu_of_16_gb_in_parts(of_paper):
    assert of_paper.peak(128) > 60e9  # whole, it would not fit into one of 48
    at_once = of_paper.largest_part(16_000_000_000)
    assert 2 <= at_once < 128  # the paper itself takes two a device
    assert of_paper.peak(at_once) < 16e9 < of_paper.peak(128)


def test_larger_parts_need_more_and_the_whole_needs_most(of_paper):
    peaks = [of_paper.peak(at_once) for at_once in (1, 8, 32, 128)]
    assert peaks == sorted(peaks) and peaks[0] < 0.2 * peaks[-1]
    assert all(peak > of_paper.weights for peak in peaks)


def test_too_little_memory_for_one_tile_is_refused_with_what_is_needed(of_paper):
    with pytest.raises(ValueError, match=r"needs \d\.\d GB even one tile at a time; 3\.0 GB are there"):
        of_paper.largest_part(3_000_000_000)


def test_what_fits_is_taken_whole():
    assert choose_micro_batch(tiny(), DOMAIN, TrainerOptions(), CPU) is None
    assert choose_micro_batch(tiny(), DOMAIN, TrainerOptions(micro_batch=3), CPU) == 3
    assert choose_micro_batch(tiny(), DOMAIN, TrainerOptions(micro_batch=999), CPU) is None


def test_processes_of_one_machine_share_its_memory():
    alone, four = (memory_of_process(TrainerOptions(devices=number), CPU) for number in (1, 4))
    assert four == alone // 4
    assert memory_of_process(TrainerOptions(devices=4, memory=7), CPU) == 7


def test_wide_steps_count_where_they_need_more():
    narrow, both = (StepMemory.of(replace(small(), wide_tile_interval=k), DOMAIN) for k in (0, 4))
    assert both.activations(1) > narrow.activations(1)  # one tile of 512 cells holds more than one of 256
