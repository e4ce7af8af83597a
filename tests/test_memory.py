from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cranpm.memory import physical_memory

MEASURE = """
import torch
from cranpm.memory import keep_freed_memory
from pathlib import Path
resident = lambda: int(Path("/proc/self/statm").read_text().split()[1]) * 4096 >> 20
kept = keep_freed_memory()
layer = [torch.ones(1_000_000) for _ in range(100)]  # 100 blocks of 4 MB
full = resident()
del layer
blocks = resident()
whole = torch.ones(200_000_000)  # one block of 800 MB: more than the heap has kept, or it would be cut from that
more = resident()
del whole
print(kept, full - blocks, more - resident())
"""


PEAK = """
from cranpm.memory import peak_memory
before = peak_memory()
held = bytearray(300_000_000)
held[::4096] = b"x" * len(held[::4096])  # the system gives pages when they are written
full = peak_memory()
del held
print(full - before, peak_memory() - full)
"""


def test_the_peak_is_told_in_bytes_and_does_not_fall():
    parents_own = bytearray(600_000_000)  # of no concern to the child
    parents_own[::4096] = b"x" * len(parents_own[::4096])
    done = subprocess.run([sys.executable, "-c", PEAK], capture_output=True, text=True, check=True)
    grown, later = map(int, done.stdout.split())
    assert 300e6 <= grown < 340e6  # the array, and at most the slice that filled it
    assert abs(later) < 5e6  # the kernel counts pages in batches


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads what Linux tells")
def test_the_machines_memory_is_what_the_system_tells():
    told = Path("/proc/meminfo").read_text().partition("MemTotal:")[2].split()  # such as 16384000 kB
    assert physical_memory() == 1024 * int(told[0])


@pytest.mark.skipif(not hasattr(os, "sysconf"), reason="not on Windows")
def test_a_machine_without_psutil_knows_its_memory_too(monkeypatch):
    known = physical_memory()
    monkeypatch.setitem(sys.modules, "psutil", None)  # its import fails
    assert physical_memory() == pytest.approx(known, rel=1e-3)


def test_without_psutil_and_without_sysconf_the_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "psutil", None)
    monkeypatch.delattr(os, "sysconf", raising=False)
    with pytest.raises(ModuleNotFoundError, match="psutil"):
        physical_memory()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc only")
def test_blocks_of_layers_are_kept_and_whole_maps_go_back():
    done = subprocess.run([sys.executable, "-c", MEASURE], capture_output=True, text=True, check=True)
    kept, *given_back = done.stdout.split()
    if kept != "True":
        pytest.skip("this system's C library is not glibc")
    layers, whole = (int(mebibytes) for mebibytes in given_back)
    assert layers < 40  # of 381 MiB
    assert whole > 740  # of 763 MiB
