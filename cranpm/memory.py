"""Memory of this machine, and of this process: the most it has held; what it has freed is kept."""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
from pathlib import Path

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3  # parameters of mallopt(3), glibc's malloc.h
_LARGEST_KEPT = 32 << 20
"""The largest threshold glibc accepts. Whole maps are larger and go back (unless what is kept
has a hole for one): kept, they would leave holes of odd sizes."""


def physical_memory() -> int:
    """Memory that this machine has [bytes], in use or not.

    Raises
    ------
    ModuleNotFoundError
        On Windows without psutil; elsewhere the system tells by itself (a machine that only trains may lack it).
    """
    try:
        import psutil
    except ModuleNotFoundError:
        if not hasattr(os, "sysconf"):
            raise
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return int(psutil.virtual_memory().total)


def peak_memory() -> int:
    """The most memory that this process has held so far [bytes]."""
    if sys.platform == "win32":
        import psutil

        return int(psutil.Process().memory_info().peak_wset)
    with contextlib.suppress(OSError):
        # what getrusage tells on Linux includes what the parent held when it started this process
        return _status_of_linux("VmHWM")
    import resource  # not on Windows

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak  # macOS tells bytes, Linux kilobytes


def held_memory() -> int:
    """The memory that this process holds now [bytes]; on systems other than Linux without psutil, its peak."""
    with contextlib.suppress(OSError):
        return _status_of_linux("VmRSS")
    try:
        import psutil
    except ModuleNotFoundError:
        return peak_memory()
    return int(psutil.Process().memory_info().rss)


def _status_of_linux(name: str) -> int:
    """A size in /proc/self/status, proc(5) [bytes]."""
    return 1024 * int(Path("/proc/self/status").read_text().partition(f"{name}:")[2].split()[0])


def keep_freed_memory() -> bool:
    """Stop glibc from handing blocks of up to 32 MB back to the system after every use.

    PyTorch asks for and frees the same megabytes in every layer; each time the system maps fresh pages and
    zeroes them, a tenth of a CPU's time in forecasts and training, more on virtual machines. To be called early in
    processes that do little else: their memory stays at its peak until they end.

    Returns
    -------
    bool
        Whether it had an effect (Linux with glibc).
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):  # another C library
        return False
    settings = {_MMAP_THRESHOLD: _LARGEST_KEPT, _TRIM_THRESHOLD: 2**31 - 1, _TOP_PAD: 64 << 20}
    return all(mallopt(parameter, value) for parameter, value in settings.items())
