"""What a worker process does for forecasts of many days: one day into one file.

One day computes at a time in a process; the next one is read and the last one is written meanwhile, where the worker
has a second thread.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from cranpm import __version__
from cranpm._files import check_output
from cranpm.data.store.dataset import Dataset
from cranpm.data.store.source import DatasetSource
from cranpm.domain.days import as_day
from cranpm.forecasting.engine import choose_device
from cranpm.forecasting.one_day import Forecaster, origin_of
from cranpm.forecasting.output import check_target, write_forecast
from cranpm.forecasting.resources.memory import check_budget
from cranpm.forecasting.service import tasks
from cranpm.forecasting.service.days_request import DaysRequest
from cranpm.forecasting.service.request import dataset_identity
from cranpm.memory import keep_freed_memory, peak_memory

_STORED_BYTES = 2
"""Of a cell of a map on the disk, before compression."""


_LOADING = threading.Lock()
"""Two threads that begin together load one network, not two."""


def forecast_day_into_file(request_values: dict[str, Any], day: str) -> dict[str, Any]:
    """Make the file of a day, unless it is there: a worker may have been lost after it wrote it, and before it said so.

    Returns
    -------
    dict
        Of a day that was made ``peak_memory`` of the process so far [bytes] and ``precision``; else nothing.
    """
    request, init = DaysRequest.from_dict(request_values), as_day(day)
    if request.holds(init):
        return {}
    keep_freed_memory()
    with _LOADING:
        forecaster = _forecaster(request)
    path = request.path(init)
    cells = float(np.prod(forecaster.source.domain.fine.shape)) * len(request.leads)
    check_target(path, overwrite=True, size=_STORED_BYTES * cells)  # a full disk is told before the work
    inputs = forecaster.read(init)
    with tasks.ONE_AT_A_TIME, leaving_a_lost_device():
        maps = forecaster.forecast(inputs)
    write_forecast(forecaster.label(inputs, maps), path, overwrite=True)
    return {"peak_memory": peak_memory(), "precision": maps.precision}


@contextlib.contextmanager
def leaving_a_lost_device() -> Iterator[None]:
    """End this worker process when its device is lost: nothing in it can compute any more, and each day would fail.

    Dask's nanny starts another process, and the day goes to a worker that is there. Without a nanny the error goes to
    whoever asked.
    """
    try:
        yield
    except torch.AcceleratorError as error:
        from distributed import get_worker

        if get_worker().nanny is None:
            raise
        logging.getLogger(__name__).error("The device is lost, and this worker ends: %s", error)
        os._exit(1)


@lru_cache(maxsize=2)
def _forecaster(request: DaysRequest) -> Forecaster:
    device = choose_device(request.device)
    checkpoint = tasks.loaded_checkpoint(request.checkpoint, request.checkpoint_hash, str(device))
    source = DatasetSource(Dataset.open(request.dataset))
    return Forecaster(
        network=checkpoint.network,
        statistics=checkpoint.require_statistics(),
        source=source,
        origin=origin_of(source, checkpoint),
        leads=request.leads,
        device=device,
        precision=request.precision,
        memory_budget=request.memory_budget,
    )


def what_is_lacking(request_values: dict[str, Any], version: str) -> str:
    """What this worker lacks for a request, in words; empty if nothing."""
    request = DaysRequest.from_dict(request_values)
    if version != __version__:
        return f"has cranpm-explorer {__version__}, expected {version} as here"
    try:
        found = dataset_identity(Dataset.open(request.dataset).meta)
        if found != request.dataset_hash:
            return f"sees another dataset in {request.dataset}: {found}, expected {request.dataset_hash}"
        device = str(choose_device(request.device))
        checkpoint = tasks.loaded_checkpoint(request.checkpoint, request.checkpoint_hash, device)
        check_budget(checkpoint.network.config, request.memory_budget)
        if not Path(request.folder).is_dir():
            return f"does not see the folder {request.folder}; workers write there themselves"
        check_output(Path(request.folder) / f"worker-test{request.suffix}")
    except Exception as error:  # whatever it is: the worker cannot do the work, and the asker must learn why
        return f"{type(error).__name__}: {error}"
    return ""
