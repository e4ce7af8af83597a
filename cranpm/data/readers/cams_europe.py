"""Forecasts of the CAMS European ensemble, one run a file -> daily means of PM2.5 on the ensemble's own grid.

Expected: the surface forecast of one run of 00 UTC, 0.1 degrees, a time every three hours (or oftener) from its start
to the end of the third day after. An analysis of those days is refused: it has seen what a forecast has to foretell.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cranpm.data.errors import TimeAxisError, WrongGridError
from cranpm.data.readers.cams import open_cams
from cranpm.data.readers.products import EUROPE_FORECAST
from cranpm.data.regrid.daily import daily_values
from cranpm.data.units import check_range
from cranpm.domain.channels import LEAD_DAYS
from cranpm.domain.days import as_day

ENSEMBLE_FORECASTS = "cams-europe-ensemble"
"""Source in the manifest."""

STEP = 0.1
"""Degrees between cell centres."""

_MIN_SHARE = 0.9
_HIGHEST = 5000.0


@dataclass(frozen=True, kw_only=True)
class EnsembleRun:
    """Daily means of one run.

    ``values`` (4, Nlat, Nlon) [ug m-3]: the run's own day, then one to three days ahead; NaN where there is none.
    ``latitude`` north to south, ``longitude`` west to east: cell centres [degrees].
    """

    start: np.datetime64
    values: np.ndarray
    latitude: np.ndarray
    longitude: np.ndarray


def read_ensemble_run(path: str | Path, start: np.datetime64) -> EnsembleRun:
    """The run of 00 UTC of a day.

    Raises
    ------
    NotThisProductError
        For an analysis or reanalysis, one model in place of the ensemble, another level, other species.
    TimeAxisError
        For another run, or days that are not whole.
    WrongGridError
        For another grid than the European product's.
    """
    name, start = Path(path).name, as_day(start)
    asked = {"run": (str(start),)}
    field = open_cams(path, product=EUROPE_FORECAST, species="pm2p5", asked=asked)["pm2p5"]
    begins = field["time"].values[0]
    if begins != start.astype("datetime64[ns]"):
        msg = f"{name}: expected the run of {start} 00 UTC, it begins {begins.astype('datetime64[h]')}."
        raise TimeAxisError(msg)
    for axis in ("latitude", "longitude"):
        step = np.abs(np.diff(field[axis].values)).mean() if field.sizes[axis] > 1 else STEP
        if abs(step - STEP) > 0.02 * STEP:
            raise WrongGridError(f"{name}: expected {axis}s every {STEP} degrees, got {step:.3g}.")
    days = start + np.arange(1 + max(LEAD_DAYS)).astype("timedelta64[D]")
    values = daily_values(
        field, days, accumulated=False, min_share=_MIN_SHARE, incomplete="raise", name=f"{name} pm2p5"
    )
    check_range(values, 0, _HIGHEST, "ug m-3", name=f"{name} pm2p5")
    return EnsembleRun(
        start=start,
        values=values.astype(np.float32),
        latitude=field["latitude"].values,
        longitude=field["longitude"].values,
    )
