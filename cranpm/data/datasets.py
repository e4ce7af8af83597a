"""Datasets by name, folder or address, for whoever wants days."""

from __future__ import annotations

from pathlib import Path

from cranpm import registry
from cranpm.data.store.dataset import Dataset
from cranpm.data.store.source import DatasetSource, DaySource

DataLike = str | Path | Dataset | None
"""What every argument called ``data`` takes: a name, a folder, an address, an opened dataset, or None (the testbed)."""


def open_dataset(data: DataLike = None) -> Dataset:
    """Open a dataset; maps and fields are read when they are asked for.

    Parameters
    ----------
    data : str, path or Dataset, optional
        A name that `list_datasets` knows, a folder with a ``dataset.json``, or an address that fsspec reads
        (``memory://``, ``https://``, ``s3://``; packages such as s3fs are needed for some). Addresses are read only.
        Without it the testbed, or the only dataset there is.

    Returns
    -------
    Dataset
        ``days`` lists what it holds; ``pm2p5(day)`` is a map of 0.01 degrees [ug m-3] with NaN where there is no
        value, ``coarse(day)`` the weather and composition of 0.25 degrees, ``stations()`` and ``observations()``
        tables. ``source`` says where values come from: "testbed (simulated)" for the simulated Europe.

    Raises
    ------
    NotFoundError
        If there is no dataset of that name; the message lists those that are there.
    StoreError
        If a folder or address holds no dataset, or a damaged one.

    Examples
    --------
    >>> import cranpm
    >>> data = cranpm.open_dataset()
    >>> str(data.days[0]), data.source
    ('2022-01-10', 'testbed (simulated)')
    >>> data.pm2p5("2022-01-11").dims
    ('latitude', 'longitude')
    """
    if isinstance(data, Dataset):
        return data
    if isinstance(data, Path) or (data is not None and ("://" in data or "::" in data)):
        return Dataset.open(data)
    return Dataset.open(registry.find_dataset(data).path)


def open_source(data: DataLike | DaySource = None) -> DaySource:
    """Days as arrays, as training, forecasting and scoring read them: of a dataset, or a source as it is.

    Parameters
    ----------
    data : str, path, Dataset or DaySource, optional
        As `cranpm.open_dataset` takes it; by default the testbed. A source is returned as it is.

    Returns
    -------
    DaySource
        Its ``pm2p5`` [ug m-3] and ``coarse`` fields have NaN in gaps.

    Raises
    ------
    TypeError
        For something that is neither.
    """
    if data is None or isinstance(data, (str, Path, Dataset)):
        return DatasetSource(open_dataset(data))
    if not hasattr(data, "coarse"):
        raise TypeError(
            "Data are a name, a folder, an address, or what cranpm.open_dataset returns; "
            f"got {type(data).__name__}."
        )
    return data
