"""Requests of the Copernicus stores, month by month, from the manifest's templates.

A month a request is what both stores can answer from tape in one piece; fewer days only where the period begins or ends
within a month.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

from cranpm._json import JsonObject
from cranpm.data.manifest import ManifestError, Source
from cranpm.data.readers.products import LEVELS_CHANGE, lowest_model_level
from cranpm.domain.grid import Grid

Period = tuple[np.datetime64, np.datetime64]
"""First and last UTC day."""

_LIST = re.compile(r"^\{(?:every (?P<every>\d+ )?hours?|(?P<first>\d+) to (?P<last>\d+) by (?P<step>\d+))\}$")


def months(first: np.datetime64, last: np.datetime64) -> Iterator[Period]:
    """The period in calendar months, cut also where the levels of CAMS change.

    Examples
    --------
    >>> [f"{a}..{b}" for a, b in months(np.datetime64("2019-06-20"), np.datetime64("2019-07-31"))]
    ['2019-06-20..2019-06-30', '2019-07-01..2019-07-08', '2019-07-09..2019-07-31']
    """
    day, one = first, np.timedelta64(1, "D")
    while day <= last:
        end = (day.astype("datetime64[M]") + 1).astype("datetime64[D]") - one
        if day < LEVELS_CHANGE <= end:
            end = LEVELS_CHANGE - one
        yield day, min(end, last)
        day = end + one


def request_area(grid: Grid, *, step: float) -> list[float]:
    """[north, west, south, east] that covers every node of the grid, on multiples of the product's step.

    Examples
    --------
    >>> from cranpm.domain import COARSE_BOX
    >>> request_area(COARSE_BOX, step=0.25), request_area(COARSE_BOX, step=0.4)
    ([72.0, -25.0, 30.0, 45.0], [72.0, -25.2, 30.0, 45.2])
    """
    north, south, west, east = grid.lat[0], grid.lat[-1], grid.lon[0], grid.lon[-1]

    def whole(value: float, up: bool) -> float:
        steps = np.round(value / step, 6)
        return float(round((np.ceil(steps) if up else np.floor(steps)) * step, 6))

    return [
        min(whole(north, True), 90.0),
        whole(west, False),
        max(whole(south, False), -90.0),
        whole(east, True),
    ]


def fill_template(template: JsonObject, period: Period, grid: Grid, *, step: float) -> JsonObject:
    """One request: the template's placeholders replaced by the period's days and the domain's area.

    Raises
    ------
    ManifestError
        For a placeholder that is not known.
    """
    first, last = period
    days = np.arange(first, last + np.timedelta64(1, "D"))
    month = str(first)[:7]
    known: JsonObject = {
        "{year}": [month[:4]],
        "{month}": [month[5:]],
        "{days}": [str(day)[8:] for day in days],
        "{date}": [f"{first}/{last}"],
        "{area}": request_area(grid, step=step),
        "{surface level}": [str(lowest_model_level(first))],
    }
    request: JsonObject = {}
    for key, value in template.items():
        if key in ("part", "day_after", "each_day"):
            continue
        if not (isinstance(value, str) and value.startswith("{")):
            request[key] = value
        elif value in known:
            request[key] = known[value]
        else:
            request[key] = _list(value, key)
    return request


def _list(text: str, key: str) -> list[str]:
    found = _LIST.match(text)
    if found is None:
        raise ManifestError(
            f"{key}: the placeholder {text!r} is not known; see cranpm/data/download/request_templates.py."
        )
    if found["first"]:
        return [str(n) for n in range(int(found["first"]), int(found["last"]) + 1, int(found["step"]))]
    step = int(found["every"] or 1)
    return [f"{hour:02d}:00" for hour in range(0, 24, step)]


def monthly_requests(
    source: Source, first: np.datetime64, last: np.datetime64, grid: Grid
) -> Iterator[tuple[str, Period, JsonObject]]:
    """(part, period, request) for everything of a Copernicus source in a period.

    A template with ``day_after`` is asked once, for the day after the last: hourly amounts of a day end at its 24:00.
    One with ``each_day`` is asked day by day.
    """
    step = source.grid.step or grid.step
    for template in source.requests:
        part = str(template.get("part", "file"))
        if template.get("day_after"):
            after = last + np.timedelta64(1, "D")
            yield part, (after, after), fill_template(template, (after, after), grid, step=step)
            continue
        days = np.arange(first, last + np.timedelta64(1, "D"))
        for period in zip(days, days) if template.get("each_day") else months(first, last):
            yield part, period, fill_template(template, period, grid, step=step)


def halves(period: Period) -> tuple[Period, Period] | None:
    """Two shorter periods for a request that costs too much; None for a single day."""
    first, last = period
    if first == last:
        return None
    middle = first + (last - first) // 2
    return (first, middle), (middle + np.timedelta64(1, "D"), last)


def with_period(request: JsonObject, period: Period) -> JsonObject:
    """The same request for fewer days of its month."""
    first, last = period
    days = [str(day)[8:] for day in np.arange(first, last + np.timedelta64(1, "D"))]
    words = {"day": days, "date": [f"{first}/{last}"]}
    return request | {key: value for key, value in words.items() if key in request}
