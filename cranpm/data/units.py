"""Known spellings of units, and the factor and offset to the house unit. An unknown unit is refused, never guessed."""

from __future__ import annotations

import numpy as np

from cranpm.data.errors import UnitsError

_SPEED = {"m s**-1": (1.0, 0.0), "m s-1": (1.0, 0.0), "m/s": (1.0, 0.0)}
_TEMPERATURE = {
    **dict.fromkeys(("K", "kelvin", "Kelvin"), (1.0, 0.0)),
    **dict.fromkeys(("degC", "celsius", "C", "°C", "degrees_Celsius"), (1.0, 273.15)),
}
_PRESSURE = {"Pa": (1.0, 0.0), "hPa": (100.0, 0.0), "millibars": (100.0, 0.0), "mbar": (100.0, 0.0)}
_DEPTH = {
    "m": (1000.0, 0.0),
    "mm": (1.0, 0.0),
    "m of water equivalent": (1000.0, 0.0),
    "kg m**-2": (1.0, 0.0),
    "kg m-2": (1.0, 0.0),
}
_HUMIDITY = {"kg kg**-1": (1.0, 0.0), "kg kg-1": (1.0, 0.0), "g kg-1": (1e-3, 0.0), "g kg**-1": (1e-3, 0.0)}
_GEOPOTENTIAL = {"m**2 s**-2": (1.0, 0.0), "m2 s-2": (1.0, 0.0)}
MASS_CONCENTRATION = {
    **dict.fromkeys(("ug m-3", "ug m**-3", "ug/m3", "ug.m-3", "ug/m³"), (1.0, 0.0)),
    # the micro sign and the Greek letter look alike
    **{mu + rest: (1.0, 0.0) for mu in "\u00b5\u03bc" for rest in ("g/m3", "g m-3", "g.m-3", "g/m³")},
    **dict.fromkeys(("kg m-3", "kg m**-3"), (1e9, 0.0)),
    **dict.fromkeys(("mg m-3", "mg/m3", "mg.m-3"), (1e3, 0.0)),
}
"""To ug m-3. Convert before any cast to half precision: 1e-8 kg m-3 underflows there."""

_BY_HOUSE_UNIT = {
    "m s-1": _SPEED,
    "K": _TEMPERATURE,
    "Pa": _PRESSURE,
    "mm": _DEPTH,
    "kg kg-1": _HUMIDITY,
    "m2 s-2": _GEOPOTENTIAL,
    "ug m-3": MASS_CONCENTRATION,
}


def conversion(units: object, house: str, *, name: str) -> tuple[float, float]:
    """Factor and offset from the units that a file states to the house unit.

    Raises
    ------
    UnitsError
        If the units are missing or not known for this quantity.

    Examples
    --------
    >>> conversion("degC", "K", name="t2m")
    (1.0, 273.15)
    """
    known = _BY_HOUSE_UNIT[house]
    if not isinstance(units, str) or units.strip() not in known:
        got = f"{units!r}" if units else "none"
        raise UnitsError(
            f"{name}: expected units that mean {house} ({', '.join(known)}), got {got}. Correct the file."
        )
    return known[units.strip()]


def check_range(values: np.ndarray, low: float, high: float, house: str, *, name: str) -> None:
    """Refuse values that the stated units cannot mean, such as a temperature of 12 K.

    Raises
    ------
    UnitsError
        Naming the range that was expected and the values that were found.
    """
    finite = values[~np.isnan(values)]
    if finite.size and (finite.min() < low or finite.max() > high):
        msg = (
            f"{name}: expected {low:g} to {high:g} {house}, got {finite.min():g} to {finite.max():g}. The units are "
            "wrong, a fill value was read as data, or scaling was applied twice; nothing was converted."
        )
        raise UnitsError(msg)
