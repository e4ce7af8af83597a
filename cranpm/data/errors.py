"""What can go wrong with a file of data and with a dataset on disk."""

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


class DataFileError(ValueError):
    """A file that cannot be read correctly: the message says what was expected, what was found and what to do."""


class NotThisProductError(DataFileError):
    """A readable file that holds something else than asked for."""


class NoPM25Error(NotThisProductError):
    """A file of the right kind that holds no PM2.5."""


class UnitsError(DataFileError):
    """Units that are missing, unknown or contradicted by the values."""


class OutsideDomainError(DataFileError):
    """Data that do not touch the domain."""


class WrongGridError(DataFileError):
    """Coordinates that are not those of a regular grid in the expected place."""


class TimeAxisError(DataFileError):
    """Times that are missing, doubled, in another calendar, or not where they should be."""


class MissingSourceError(DataFileError):
    """Downloads that are needed and not there; the message says what to fetch."""


class UnfinishedError(DataFileError):
    """A dataset whose days are written and something that belongs to them is not; the message says how to go on."""
