"""Which days may be trained on: t-1, init and valid day must all lie in one split."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, kw_only=True)
class Splits:
    """Inclusive first and last day of each split.

    The paper trains on 2017-2021 and tests on 2022 (section 4.1); here 2021 is held back for validation.
    """

    train: tuple[str, str] = ("2017-01-01", "2020-12-31")
    validation: tuple[str, str] = ("2021-01-01", "2021-12-31")
    test: tuple[str, str] = ("2022-01-01", "2022-12-31")

    def split_of(self, init_time: np.datetime64, lead: int) -> str | None:
        """The split that holds the day before init, the init day and the valid day; None if they straddle two.

        Examples
        --------
        >>> Splits().split_of(np.datetime64("2020-12-30"), 1)
        'train'
        >>> Splits().split_of(np.datetime64("2020-12-31"), 1) is None
        True
        """
        init = init_time.astype("datetime64[D]")
        first, last = init - np.timedelta64(1, "D"), init + np.timedelta64(lead, "D")
        for name in ("train", "validation", "test"):
            start, stop = (np.datetime64(day, "D") for day in getattr(self, name))
            if start <= first and last <= stop:
                return name
        return None
