"""The machine and the versions that figures are of."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from cranpm import __version__
from cranpm.memory import physical_memory

PACKAGES = ("numpy", "xarray", "zarr", "dask", "lightning", "datashader", "holoviews", "scores")


def describe_machine(device: torch.device) -> dict[str, Any]:
    """Name, cores, memory and load of the machine, and the device that computes.

    Parameters
    ----------
    device : torch.device

    Returns
    -------
    dict
        Plain values. ``load`` is the machine's one-minute average before the run: above 0 others are using it.
    """
    found: dict[str, Any] = {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "memory_gb": round(physical_memory() / 1e9, 1),
        "system": platform.platform(terse=True),
        "load": round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None,
        "device": device.type,
    }
    if device.type == "cuda":
        properties = torch.cuda.get_device_properties(device)
        found |= {
            "device": properties.name,
            "device_memory_gb": round(properties.total_memory / 1e9, 1),
            "cuda": torch.version.cuda,
        }
    return found


def versions() -> dict[str, str]:
    """Versions of what is measured; of packages that are installed."""
    found = {"cranpm": __version__, "python": platform.python_version(), "torch": torch.__version__}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:  # not Linux
        return platform.processor() or platform.machine()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())
