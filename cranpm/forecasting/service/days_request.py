"""What forecasts of many days are asked for, and which of their files are there already."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cranpm._files import write_atomically
from cranpm.data.errors import DataFileError
from cranpm.forecasting.output import open_forecast

NOTE = "forecasts.json"
"""Stands beside the files of the days, and says what they were asked for."""

_WHAT = "cranpm forecast"


@dataclass(frozen=True, kw_only=True)
class DaysRequest:
    """What the days of a folder have in common; two hashes identify content, paths say where it lies.

    Attributes
    ----------
    folder : str
        Of the files, one a day.
    suffix : str
        Of their names: ".nc" or ".zarr".
    memory_budget : int
        Bytes that tiles of one batch may take.
    anew : bool
        Files that are older than the note in the folder do not count.
    """

    dataset: str
    dataset_hash: str
    checkpoint: str
    checkpoint_hash: str
    leads: tuple[int, ...]
    folder: str
    suffix: str
    device: str
    precision: str
    memory_budget: int
    anew: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> DaysRequest:
        """Inverse of `to_dict`."""
        return cls(**(values | {"leads": tuple(values["leads"])}))

    def path(self, day: np.datetime64) -> Path:
        """File of an init day."""
        return Path(self.folder) / f"{day}{self.suffix}"

    def holds(self, day: np.datetime64) -> bool:
        """Whether the file of a day is there, whole, and what is asked for.

        Files appear whole or not at all; one that was damaged later does not open, or lacks what it should say.
        """
        path = self.path(day)
        if not path.exists():
            return False
        # both stamps are of one file system, whichever machine wrote
        if self.anew and path.stat().st_mtime_ns < (Path(self.folder) / NOTE).stat().st_mtime_ns:
            return False
        try:
            with open_forecast(path) as found:
                return (
                    found.attrs.get("checkpoint_sha256") == self.checkpoint_hash
                    and found["lead"].values.tolist() == list(self.leads)
                    and found["forecast_reference_time"].values.astype("datetime64[D]") == day
                )
        except (OSError, ValueError, KeyError, DataFileError):
            return False

    def claimed(self) -> bool:
        """Whether the note in the folder says that its files were asked for like this.

        Raises
        ------
        FileExistsError
            If it says that they were asked for otherwise.
        """
        noted = self._note()
        if noted is None:
            return False
        ours = self._asked()
        changed = [name for name in ours if noted.get(name) != ours[name]]
        if changed:
            told = "; ".join(f"{name} {noted.get(name)!r} there, {ours[name]!r} now" for name in changed)
            raise FileExistsError(
                f"{self.folder} holds forecasts that were asked for otherwise ({told}). Choose another folder, or pass "
                "--overwrite to make them anew."
            )
        return True

    def claim(self) -> None:
        """Leave the note."""
        content = json.dumps({"what": _WHAT, **self._asked()}, indent=1)
        write_atomically(Path(self.folder) / NOTE, content + "\n")

    def _note(self) -> dict[str, Any] | None:
        path = Path(self.folder) / NOTE
        if not path.exists():
            return None
        try:
            noted = json.loads(path.read_text(encoding="utf-8"))
            ours = noted["what"] == _WHAT
        except (OSError, ValueError, KeyError, TypeError):
            ours = False
        if not ours:
            raise FileExistsError(
                f"{path} is not what this program writes there; it is left alone. Choose another folder, or move it."
            )
        return noted

    def _asked(self) -> dict[str, Any]:
        """What decides the content of the files, and nothing of where and how they are computed."""
        return {
            "dataset": self.dataset_hash,
            "checkpoint": self.checkpoint_hash,
            "leads": list(self.leads),
            "precision": self.precision,
        }
