from __future__ import annotations

import subprocess
import sys

import pytest

MEASURE = """
import resource, sys
import torch
from cranpm.allocator import keep_freed_memory
kept = keep_freed_memory() if sys.argv[1] == "keep" else False
torch.set_num_threads(1)
for _ in range(4):
    layer = [torch.ones(5_000_000) for _ in range(8)]
    del layer
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5):
    layer = [torch.ones(5_000_000) for _ in range(8)]
    del layer
print(kept, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def _faults(how):
    done = subprocess.run([sys.executable, "-c", MEASURE, how], capture_output=True, text=True, check=True)
    kept, faults = done.stdout.split()
    return kept == "True", int(faults)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc only")
def test_memory_that_was_freed_is_not_fetched_again():
    kept, faults = _faults("keep")
    if not kept:
        pytest.skip("this system's C library is not glibc")
    assert faults < 0.1 * _faults("plain")[1]
