"""The card's verdict follows the interval, not the mean."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from cranpm.dashboard.data.station_errors import ErrorChange
from cranpm.dashboard.views.compare.errors import errors_html


def change(mean: float, low: float, high: float) -> ErrorChange:
    return ErrorChange(
        table=pd.DataFrame({"change": [1.0, -1.0, 2.0]}), mean=mean, low=low, high=high, boxes=7
    )


@pytest.mark.parametrize(
    ("errors", "verdict"),
    [
        (change(0.5, 0.1, 0.9), "B is nearer"),
        (change(-0.5, -0.9, -0.1), "A is nearer to the stations"),
        (change(0.5, -0.1, 1.1), "No significant difference"),
        (change(0.5, np.nan, np.nan), "Too few stations"),
    ],
)
def test_verdicts(errors: ErrorChange, verdict: str):
    text = errors_html(errors, dt.date(2022, 1, 12))
    assert verdict in text
    assert "over 3 stations on 12 Jan 2022" in text and "A is nearer at 1, B at 2" in text
    assert ("95 % interval" in text) == np.isfinite(errors.low)
    assert "One day says nothing of other days" in text
