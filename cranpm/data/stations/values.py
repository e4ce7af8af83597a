"""Values that PM2.5 cannot have: codes of instruments and networks, and what lies beyond physics.

Negative values are no error by themselves: an instrument that subtracts its own background scatters about zero in clean
air, and networks report that scatter. Clipping it would bias clean days upwards, so it stays down to `LOWEST`, which no
scatter reaches (the lowest output of a beta attenuation monitor is -15 ug m-3, and means that it failed).
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from cranpm.data.errors import DataFileError, UnitsError
from cranpm.data.stations.account import FileRows
from cranpm.data.units import conversion

LOWEST = -10.0
"""Lowest hour or reported day that is taken [ug m-3]."""

HIGHEST = {"hour": 5000.0, "day": 2000.0}
"""Highest value that is taken [ug m-3]. Hours of 3,000 and days of 1,000 were reported in the worst smoke and smog."""

LOWEST_MEAN = -3.0
"""Lowest mean of 18 hours or more [ug m-3]: scatter of a few ug m-3 averages out."""

INSTRUMENT_CODES = (985.0, 995.0, 1000.0, 1985.0, 1995.0, 2000.0, 4985.0, 4995.0, 5000.0)
"""Full scale of beta attenuation monitors (range of 1000, 2000 or 5000, less an offset of 15 or 5 where there is one):
what they put out when they fail or overflow. A real hour may reach such a value and is then lost; it is counted."""

MISSING_CODES = (
    999.0, 999.9, 999.99, 1999.0, 3276.7, 3276.8, 4999.0, 9999.0, 9999.9, 99999.0, -999.0, -9999.0,
)  # fmt: skip
"""What networks write for "no value", also as the largest whole number of two bytes in tenths."""

NETWORK_CODES = {
    "EEA": (*INSTRUMENT_CODES, *MISSING_CODES, *(-5000.0 - k for k in range(10))),
    "OpenAQ": (*INSTRUMENT_CODES, *MISSING_CODES),
}
"""Known codes of each network; OpenAQ passes on what agencies publish, and those use the same instruments."""

HIGHEST_CONSTANT = 100.0
"""Highest value that every hour of a day may have [ug m-3]: below lie detection limits, above it air is never as
still as an instrument that has stopped."""

_ENOUGH = 24
"""Values of a file that tell about its units."""

_SMALL, _TOO_SMALL, _LARGEST = 0.2, 0.1, 0.3
"""Medians [ug m-3] that are doubted, and that with a largest value below the third are refused: in mg m-3 such numbers
are ordinary air, in ug m-3 no day of any place has them."""


def to_micrograms(rows: FileRows, value: str, unit: str, show: Iterable[str]) -> None:
    """Put ``pm2p5`` [ug m-3] beside the columns of values and units; rows in other units are left out.

    Raises
    ------
    DataFileError
        If values are text.
    UnitsError
        If no row is in units of a mass concentration.
    """
    table = rows.table
    number = pd.to_numeric(table[value], errors="coerce").astype("float64")
    text = table.loc[number.isna(), value].dropna()
    if len(text) and number.isna().all():
        msg = (
            f"{rows.name}: expected numbers such as 12.5, got text ({text.iloc[0]!r}). A decimal comma? Export it "
            "again."
        )
        raise DataFileError(msg)
    units = table[unit].astype("string").str.strip()
    factors: dict[str, float] = {}
    refusal = UnitsError(f"{rows.name} PM2.5: expected units that mean ug m-3, got none. Correct the file.")
    for stated in units.dropna().unique():
        try:
            factors[stated], _ = conversion(stated, "ug m-3", name=f"{rows.name} PM2.5")
        except UnitsError as error:
            refusal = error
    factor = units.map(factors).astype("float64")
    table["pm2p5"] = number * factor
    for stated, scale in factors.items():
        if scale != 1:
            rows.notice(f"values converted from {stated} to ug m-3", int((units == stated).sum()))
    rows.demand(factor.notna(), "values in units that PM2.5 does not have", refusal, show)


def is_code(values: np.ndarray, network: str) -> np.ndarray:
    """Which values [ug m-3] are codes of a network; one converted from mg m-3 meets its number within rounding.

    Examples
    --------
    >>> is_code(np.array([12.0, 985.0, 0.985 * 1e3, -5009.0]), "EEA").tolist()
    [False, True, True, True]
    """
    return np.isclose(values[..., None], NETWORK_CODES[network], rtol=1e-9, atol=1e-6).any(axis=-1)


def keep_possible(rows: FileRows, network: str) -> None:
    """Leave out what is no value; ``pm2p5`` [ug m-3] and ``averaging`` ("hour" or "day") are columns of the rows."""
    value = rows.table["pm2p5"].to_numpy(float)
    rows.leave_out(~np.isfinite(value), "values that are no number", ("sampling_point", "pm2p5"))
    code = is_code(rows.table["pm2p5"].to_numpy(float), network)
    rows.leave_out(code, "codes instead of values", ("sampling_point", "pm2p5"))
    rows.leave_out(
        rows.table["pm2p5"] < LOWEST, f"values below {LOWEST:g} ug m-3", ("sampling_point", "pm2p5")
    )
    highest = rows.table["averaging"].map(HIGHEST).to_numpy(float)
    rows.leave_out(
        rows.table["pm2p5"] > highest,
        f"values above {HIGHEST['hour']:g} ug m-3 an hour or {HIGHEST['day']:g} a day",
        ("sampling_point", "pm2p5"),
    )
    below = rows.table["pm2p5"] < 0
    rows.notice("negative values, which scatter about zero, kept", int(below.sum()))
    _doubt_units(rows)


def _doubt_units(rows: FileRows) -> None:
    """Values in mg m-3 that call themselves ug m-3 lie a thousand times too low, all of them.

    Raises
    ------
    UnitsError
        If they do.
    """
    value: pd.Series = rows.table["pm2p5"]
    if len(value) < _ENOUGH or not 0 < value.median() < _SMALL:
        return
    found = f"{len(value)} values with a median of {value.median():.3g} and none above {value.max():.3g}"
    if value.median() < _TOO_SMALL and value.max() < _LARGEST:
        raise UnitsError(
            f"{rows.name}: expected ug m-3, got {found}: these are mg m-3. Correct the file's units."
        )
    rows.notice("values so small that their units may be mg m-3, kept", len(value), found)
