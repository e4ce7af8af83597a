"""Forecast maps against stations: pairs kept by station and day, so that any group of them can be scored."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from cranpm.data.store.tables import COMPLEX_TERRAIN
from cranpm.domain import REGIONS, Grid
from cranpm.domain.blocks import held_out
from cranpm.verification.bootstrap import Interval, skill_interval
from cranpm.verification.evaluate import SSIM_EVERY, Maps, ScoreRow
from cranpm.verification.fairmode import LEAST_DAYS
from cranpm.verification.limits import EXCEEDANCE_THRESHOLDS, FAIRMODE_PM25_DAILY
from cranpm.verification.metrics import contingency
from cranpm.verification.structure import DATA_RANGES, window_means
from cranpm.verification.sums import PairSums

SEASONS = ("DJF", "MAM", "JJA", "SON")

FLAT_TERRAIN = f"terrain complexity < {COMPLEX_TERRAIN:g} m"
STEEP_TERRAIN = f"terrain complexity >= {COMPLEX_TERRAIN:g} m"
"""Groups of stations, and of land cells, by how much elevation varies round them."""

ALL_STATIONS = "all stations"
"""The group that holds every station."""

IN_LOSS, HELD_OUT = "blocks that training may read", "blocks held out of training"
"""Groups of stations by whether a loss may hold them (`cranpm.domain.blocks.held_out`)."""


class StationPairs:
    """Collects forecasts at stations, by the cell that holds each, with what was observed on the valid day.

    Parameters
    ----------
    stations, observations : DataFrame
        As in a dataset (`cranpm.data.store.tables`).
    grid : Grid
        Fine grid; stations outside are left out.
    """

    def __init__(self, stations: pd.DataFrame, observations: pd.DataFrame, grid: Grid) -> None:
        inside = grid.contains(stations["latitude"].to_numpy(), stations["longitude"].to_numpy())
        self.stations = stations[inside].reset_index(drop=True)
        latitude, longitude = (self.stations[name].to_numpy() for name in ("latitude", "longitude"))
        self._rows, self._cols = grid.cells_of(latitude, longitude)
        self._similar: dict[tuple[str, int], np.ndarray] = {}
        known = observations[observations["station_id"].isin(self.stations["station_id"])]
        self._observed = known.pivot(index="time", columns="station_id", values="pm2p5").reindex(
            columns=self.stations["station_id"]
        )
        self._parts: list[pd.DataFrame] = []

    def keep_ssim(self, method: str, lead: int, field: np.ndarray) -> None:
        """Keep how alike a forecast and the product are around each station, for the day that is added next.

        Parameters
        ----------
        method : str
        lead : int
            [days].
        field : ndarray, shape (ranges, rows, cols)
            Map of SSIM at every `SSIM_EVERY`-th cell, for each of `DATA_RANGES`.
        """
        self._similar[method, lead] = window_means(field, self._rows, self._cols, every=SSIM_EVERY)

    def add_day(self, init_time: np.datetime64, forecasts: Mapping[str, Maps]) -> None:
        """Pairs of one init day; ``forecasts`` maps methods to maps (H, W) [ug m-3] by lead time."""
        init = init_time.astype("datetime64[D]")
        leads = sorted({lead for maps in forecasts.values() for lead in maps})
        for lead in leads:
            valid = pd.Timestamp((init + np.timedelta64(lead, "D")).astype("datetime64[s]"))
            if valid not in self._observed.index:
                continue
            values = {name: maps[lead][self._rows, self._cols] for name, maps in forecasts.items()}
            part = pd.DataFrame(values).assign(
                station_id=self.stations["station_id"],
                init_time=init.astype("datetime64[s]"),
                lead=lead,
                observed=self._observed.loc[valid].to_numpy(),
                **{
                    ssim_column(name, data_range): self._similar[name, lead][:, number]
                    for name in values
                    if (name, lead) in self._similar
                    for number, data_range in enumerate(DATA_RANGES)
                },
            )
            # on the same pairs for every method, so that none gains by leaving out what is hard
            self._parts.append(part.dropna(subset=[*forecasts, "observed"]))
        self._similar.clear()

    def table(self) -> pd.DataFrame:
        """One row a station, init day and lead time: a column for each method, and ``observed`` [ug m-3]."""
        if not self._parts:
            return pd.DataFrame(columns=["station_id", "init_time", "lead", "observed"])
        return pd.concat(self._parts, ignore_index=True)


def ssim_column(method: str, data_range: float) -> str:
    """Of a table of pairs: how alike a method's map and the product are around the station.

    Examples
    --------
    >>> ssim_column("persistence", 100.0)
    'persistence [SSIM 100]'
    """
    return f"{method} [SSIM {data_range:g}]"


def station_scores(
    pairs: pd.DataFrame,
    stations: pd.DataFrame,
    methods: Iterable[str],
    against: str,
    *,
    ours: str | None = None,
) -> list[ScoreRow]:
    """Scores of all stations, and by region, kind of station, terrain and season of the valid day.

    Parameters
    ----------
    pairs : DataFrame
        From `StationPairs.table`.
    stations : DataFrame
        The station table.
    methods : iterable of str
        Columns of ``pairs``.
    against : str
        Method that skill is told against.
    ours : str, optional
        Method of which is told by how much its RMSE is below that of each other one.

    Returns
    -------
    list of dict
        One a group, method and lead time: number of pairs, stations and days; mean observed value, bias, RMSE, MAE
        [ug m-3], normalised mean bias, r, FAC2; skill with its interval; POD, FAR and CSI above 15, 25 and 50 ug m-3;
        90th percentile of FAIRMODE's indicator over stations with at least `LEAST_DAYS` days. Where pairs hold it, the
        mean SSIM of windows of 64 cells around the stations, against the product (``ssim_100``, ``ssim_20``). With
        ``ours``, ``less`` with its interval.
    """
    methods = list(methods)
    joined = pairs.merge(stations, on="station_id", how="left")
    rows = []
    for name, chosen in _groups(joined):
        for lead in sorted(joined["lead"][chosen].unique().tolist()):
            group = joined[chosen & (joined["lead"] == lead)]
            rows += [
                {"where": name, "method": method, "lead": lead, **_scores(group, method, against, ours)}
                for method in methods
            ]
    return rows


def _groups(pairs: pd.DataFrame) -> list[tuple[str, np.ndarray]]:
    """Named selections of pairs; empty ones are left out."""
    latitude, longitude = pairs["latitude"].to_numpy(float), pairs["longitude"].to_numpy(float)
    groups = [(ALL_STATIONS, np.ones(len(pairs), bool))]
    groups += [(region.title, region.contains(latitude, longitude)) for region in REGIONS.values()]
    for column in ("station_type", "area"):
        groups += [
            (str(kind), (pairs[column] == kind).to_numpy()) for kind in pairs[column].dropna().unique()
        ]
    complexity = pairs["terrain_complexity"].to_numpy(float)
    groups += [
        (FLAT_TERRAIN, complexity < COMPLEX_TERRAIN),
        (STEEP_TERRAIN, complexity >= COMPLEX_TERRAIN),
    ]
    held = held_out(latitude, longitude)
    groups += [
        (IN_LOSS, ~held),
        (HELD_OUT, held),
    ]
    valid = pd.to_datetime(pairs["init_time"]) + pd.to_timedelta(pairs["lead"].astype(int), unit="D")
    season = (valid.dt.month.to_numpy() % 12) // 3
    groups += [(title, season == number) for number, title in enumerate(SEASONS)]
    return [(name, chosen) for name, chosen in groups if chosen.any()]


def _scores(group: pd.DataFrame, method: str, against: str, ours: str | None) -> ScoreRow:
    sums = PairSums.of(group[method], group["observed"])
    skill = _skill(group, method, against)
    events = {
        f"{name}_{threshold:g}": getattr(contingency(group[method], group["observed"], threshold), name)
        for threshold in EXCEEDANCE_THRESHOLDS
        for name in ("pod", "far", "csi")
    }
    return {
        "pairs": int(sums.count),
        "stations": int(group["station_id"].nunique()),
        "days": int(group["init_time"].nunique()),
        "observed": float(sums.reference_mean),
        "bias": float(sums.bias),
        "normalised_mean_bias": float(sums.normalised_mean_bias),
        "rmse": float(sums.rmse),
        "mae": float(sums.mae),
        "correlation": float(sums.correlation),
        "fac2": float(sums.fac2),
        "skill": skill.estimate,
        "skill_low": skill.low,
        "skill_high": skill.high,
        **events,
        "mqi_90": _quality(group, method),
        **{
            f"ssim_{data_range:g}": float(group[ssim_column(method, data_range)].mean())
            for data_range in DATA_RANGES
            if ssim_column(method, data_range) in group
        },
        **_less(group, method, ours),
    }


def _less(group: pd.DataFrame, method: str, ours: str | None) -> dict[str, float]:
    if ours is None or method == ours:
        return {}
    interval = _skill(group, ours, method)
    return {"less": interval.estimate, "less_low": interval.low, "less_high": interval.high}


def _skill(group: pd.DataFrame, method: str, against: str) -> Interval:
    daily = [day for _, day in group.groupby("init_time", sort=True)]
    mine, other = (
        PairSums.stack([PairSums.of(day[name], day["observed"]) for day in daily])
        for name in (method, against)
    )
    return skill_interval(mine, other)


def _quality(group: pd.DataFrame, method: str) -> float:
    """90th percentile over stations of RMSE / (beta RMS_U): FAIRMODE's objective is at most 1. NaN with few days."""
    error = (group[method] - group["observed"]) ** 2
    uncertainty = pd.Series(FAIRMODE_PM25_DAILY.uncertainty(group["observed"]) ** 2, index=group.index)
    means = pd.DataFrame({"error": error, "u": uncertainty, "id": group["station_id"]}).groupby("id")
    usual = means.mean()[means.size() >= LEAST_DAYS]
    if usual.empty:
        return float("nan")
    return float(np.quantile(FAIRMODE_PM25_DAILY.indicator(usual["error"], usual["u"]), 0.9))
