"""Least squares: what its predictors mean, that it finds what made the data, and that its file says what it is."""

from __future__ import annotations

import json

import numpy as np
import pytest

from cranpm.baselines.least_squares import LeastSquares, fit_least_squares
from cranpm.baselines.nodes import DayMaps, node_means, to_cells
from cranpm.baselines.normal_equations import LeastSquaresError, NormalEquations
from cranpm.baselines.predictors import (
    NODE_PREDICTORS,
    PREDICTORS,
    node_predictors,
    regional_mean,
    upwind_difference,
)
from cranpm.domain import DAY_CHANNELS, channel_index, domain_from_corner

DOMAIN = domain_from_corner("t", "T", north=48.0, west=6.0, coarse_rows=16, coarse_cols=16)
BOX, FINE = DOMAIN.coarse_box, DOMAIN.fine
DAYS = np.arange("2019-01-01", "2019-01-15", dtype="datetime64[D]")


def smooth(seed: int, shape: tuple[int, int]) -> np.ndarray:
    """A field of a few waves, by chance."""
    draw = np.random.default_rng(seed)
    rows, cols = np.linspace(0, 1, shape[0])[:, None], np.linspace(0, 1, shape[1])[None]
    waves = [
        draw.normal()
        * np.sin(2 * np.pi * (draw.uniform(0, 2) * rows + draw.uniform(0, 2) * cols + draw.uniform()))
        for _ in range(4)
    ]
    return np.sum(waves, axis=0)


class Source:
    """Tomorrow is 3 + 0.7 today + 0.1 yesterday + 0.5 (CAMS one day upwind minus here) - 1.5 rain: by construction."""

    domain, name, simulated = DOMAIN, "made", True
    days = DAYS
    land = np.ones(FINE.shape, bool)

    def __init__(self) -> None:
        self._coarse = {}
        self._fine = {}
        for number, day in enumerate(DAYS):
            fields = np.stack([smooth(100 * number + c, BOX.shape) for c in range(len(DAY_CHANNELS))])
            fields[channel_index("tp")] = np.abs(fields[channel_index("tp")])
            fields[channel_index("pm2p5")] = 20 + 4 * fields[channel_index("pm2p5")]
            self._coarse[day] = fields.astype(np.float32)
            if number < 2:
                self._fine[day] = (20 + 5 * smooth(number, FINE.shape)).astype(np.float32)
                continue
            before = DAYS[number - 1]
            nodes = node_predictors(np.zeros(BOX.shape), self._coarse[before], fields, BOX)
            self._fine[day] = (
                3
                + 0.7 * self._fine[before]
                + 0.1 * self._fine[DAYS[number - 2]]
                + to_cells(0.5 * nodes["upwind_1_day"] - 1.5 * nodes["rain"], DOMAIN)
            )

    def coarse(self, day):
        return self._coarse[day]

    def pm2p5(self, day, rows, cols):
        return self._fine[day][rows, cols]


@pytest.fixture(scope="module")
def source() -> Source:
    return Source()


@pytest.fixture(scope="module")
def fit(source: Source) -> LeastSquares:
    return fit_least_squares(source, DAYS[1:-1], leads=(1,))


def test_there_are_thirteen_predictors_and_each_has_a_name() -> None:
    assert len(PREDICTORS) == len(set(PREDICTORS)) == 13


def test_it_finds_what_the_days_were_made_of(fit: LeastSquares) -> None:
    made = {"today": 0.7, "yesterday": 0.1, "upwind_1_day": 0.5, "rain": -1.5}
    found = fit.leads[1]
    assert found.intercept == pytest.approx(3, abs=0.2)
    for name in PREDICTORS:
        assert found.coefficients[name] == pytest.approx(made.get(name, 0.0), abs=0.02), name
    assert found.rmse < 0.02
    assert fit.training["period"] == "2019-01-01..2019-01-14" and fit.training["init_days"] == 12


def test_the_forecast_is_the_formula_and_gaps_stay_gaps(source: Source, fit: LeastSquares) -> None:
    maps = DayMaps(source)
    forecast = fit.forecast(maps, DAYS[5])
    assert list(forecast) == [1]
    target = np.maximum(source.pm2p5(DAYS[6], slice(None), slice(None)), 0)  # a forecast is never negative
    assert forecast[1] == pytest.approx(target, abs=0.1)
    gap = source._fine[DAYS[5]].copy()
    try:
        source._fine[DAYS[5]][10:20, 30:50] = np.nan
        holed = fit.forecast(DayMaps(source), DAYS[5])[1]
    finally:
        source._fine[DAYS[5]] = gap
    assert np.isnan(holed[10:20, 30:50]).all() and np.isfinite(holed).sum() == holed.size - 200


def test_the_air_comes_from_where_the_wind_blows_from() -> None:
    """PM2.5 grows to the south by 1 a node; a wind towards north of one node in two days brings half of that a day."""
    field = np.broadcast_to(np.arange(BOX.rows, dtype=np.float32)[:, None], BOX.shape).copy()
    north = np.full(BOX.shape, 0.25 * 111_200 / 2 / 86_400)
    assert upwind_difference(field, 0 * north, north, BOX, 1)[5, 5] == pytest.approx(0.5, abs=1e-4)
    assert upwind_difference(field, 0 * north, north, BOX, 2)[5, 5] == pytest.approx(1.0, abs=1e-4)
    north[5, 5] = np.nan
    assert np.isnan(upwind_difference(field, 0 * north, north, BOX, 1)[5, 5])


def test_the_regional_mean_weighs_nodes_by_their_cells() -> None:
    field = np.full(FINE.shape, 10.0, np.float32)
    field[:, : FINE.cols // 2] = np.nan
    mean = regional_mean(*node_means(field, DOMAIN))
    assert mean == pytest.approx(10.0) and np.isfinite(mean).all()


def test_what_never_varies_gets_no_coefficient() -> None:
    sums = NormalEquations(2)
    x = np.linspace(0, 1, 50)
    sums.add(np.stack([x, np.full(50, 280.0)], axis=1), 1 + 2 * x)
    coefficients, rmse = sums.solve()
    assert coefficients == pytest.approx([1, 2, 0]) and rmse < 1e-6


def test_the_file_holds_names_and_reads_back(fit: LeastSquares, tmp_path) -> None:
    path = fit.save(tmp_path / "fits" / "least_squares.json")
    assert (
        json.loads(path.read_text())["leads"]["1"]["coefficients"]["rain"]
        == fit.leads[1].coefficients["rain"]
    )
    assert LeastSquares.load(path) == fit


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.update(kind="other"), "holds no least-squares fit"),
        (lambda d: d.update(format=9), "has format 9"),
        (lambda d: d["leads"]["1"]["coefficients"].pop("rain"), "13 predictors; differs in rain"),
        (lambda d: d["leads"]["1"].pop("intercept"), "not a complete fit"),
        (lambda d: d["leads"]["1"]["coefficients"].update(rain=float("nan")), "is not finite"),
    ],
)
def test_a_file_of_something_else_is_refused(fit: LeastSquares, tmp_path, change, message) -> None:
    document = json.loads(json.dumps(fit.to_dict()))
    change(document)
    (tmp_path / "x.json").write_text(json.dumps(document))
    with pytest.raises(LeastSquaresError, match=message):
        LeastSquares.load(tmp_path / "x.json")


def test_too_few_pairs_are_refused(source: Source) -> None:
    with pytest.raises(LeastSquaresError, match=r"Least squares for T\+3: 0 pairs"):
        fit_least_squares(source, DAYS[-2:-1], leads=(3,))


def test_all_node_predictors_are_there(source: Source) -> None:
    found = node_predictors(np.zeros(BOX.shape), source.coarse(DAYS[1]), source.coarse(DAYS[0]), BOX)
    assert tuple(found) == NODE_PREDICTORS and all(f.shape == BOX.shape for f in found.values())
