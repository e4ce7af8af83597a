"""Let a process that computes keep the memory it has freed."""

from __future__ import annotations

import ctypes
import sys

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX = -1, -2, -4  # parameters of mallopt(3), glibc's malloc.h


def keep_freed_memory() -> bool:
    """Stop glibc from handing large blocks back to the system after every use.

    PyTorch asks for and frees the same tens of megabytes in every layer; each time the system maps fresh pages and
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
    return bool(
        mallopt(_MMAP_MAX, 0) and mallopt(_TRIM_THRESHOLD, 2**31 - 1) and mallopt(_TOP_PAD, 256 << 20)
    )
