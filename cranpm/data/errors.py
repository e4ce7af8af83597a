"""What can go wrong with a dataset on disk."""

from __future__ import annotations


class StoreError(RuntimeError):
    """A dataset that is missing, incomplete or damaged; the message says what to do."""


class StoreLockedError(StoreError):
    """Another process is writing to the dataset."""


class DayNotInStoreError(StoreError, LookupError):
    """A day that the dataset does not hold."""
