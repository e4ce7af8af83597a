"""What can go wrong with a dataset on disk."""

from __future__ import annotations

import numpy as np


class SchemaError(ValueError):
    """Data that does not fit the layout: the message says what was expected and what was found."""


def check_shape(name: str, values: np.ndarray, shape: tuple[int, ...]) -> None:
    """Refuse an array of another shape than the domain needs."""
    if values.shape != shape:
        raise SchemaError(
            f"{name}: expected shape {shape}, got {values.shape}. Check the domain and the grid."
        )


class StoreError(RuntimeError):
    """A dataset that is missing, incomplete or damaged; the message says what to do."""


class StoreLockedError(StoreError):
    """Another process is writing to the dataset."""


class DayNotInStoreError(StoreError, LookupError):
    """A day that the dataset does not hold."""
