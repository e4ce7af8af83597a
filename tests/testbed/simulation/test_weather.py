"""The simulated weather is one consistent atmosphere, the same whatever day was asked first."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from cranpm.domain import ERA5_CHANNELS, channel_index
from cranpm.testbed.geography.geography import Geography
from cranpm.testbed.simulation.climate import ZONAL_LEVELS
from cranpm.testbed.simulation.flow import Flow
from cranpm.testbed.simulation.noise import day_number
from cranpm.testbed.simulation.surface import Surface
from cranpm.testbed.simulation.weather import Weather

WINTER, SUMMER = day_number("2018-01-20"), day_number("2018-07-20")


@pytest.fixture(scope="module")
def alps(geography_alps: Geography) -> Geography:
    return geography_alps


@pytest.fixture(scope="module")
def weather(alps: Geography) -> Weather:
    return Weather(Surface(alps), seed=7)


def test_a_day_does_not_depend_on_the_days_asked_before(alps: Geography, weather: Weather) -> None:
    for day in (WINTER - 3, WINTER + 40, WINTER):
        asked_late = weather.era5(day)
    asked_first = Weather(weather.surface, seed=7).era5(WINTER)
    assert torch.equal(asked_late, asked_first)
    assert not torch.equal(asked_first, Weather(weather.surface, seed=8).era5(WINTER))


def test_a_region_has_the_flow_of_europe() -> None:
    lat, lon = np.arange(60.0, 40.0, -0.5), np.arange(0.0, 20.0, 0.5)
    whole, part = (
        Flow(lat[rows], lon[cols], seed=3, device=torch.device("cpu"))
        for rows, cols in ((slice(None), slice(None)), (slice(8, 20), slice(10, 30)))
    )
    waves = whole.coefficients(WINTER)
    expected = whole.fields(waves, 1.0)[1][..., 8:20, 10:30]
    # the same sums of 5,000 waves in another order: float32 rounding
    torch.testing.assert_close(part.fields(part.coefficients(WINTER), 1.0)[1], expected, atol=2e-3, rtol=0)


def test_winds_circle_low_pressure_anticlockwise(alps: Geography) -> None:
    lat, lon = np.arange(60.0, 40.0, -0.25), np.arange(0.0, 30.0, 0.25)
    flow = Flow(lat, lon, seed=3, device=torch.device("cpu"))
    streamfunction, u, v, vorticity = flow.fields(flow.coefficients(WINTER), 1.0)
    # u = -d psi / dy: rows run south, so psi growing southward (down the rows) blows towards east
    metres = np.deg2rad(0.25) * 6.371e6
    slope = (streamfunction[..., 2:, :] - streamfunction[..., :-2, :]) / (2 * metres)
    torch.testing.assert_close(u[..., 1:-1, :], slope, atol=0.8, rtol=0.02)
    east = (streamfunction[..., 2:] - streamfunction[..., :-2]) / (2 * metres)
    east = east / torch.from_numpy(np.cos(np.deg2rad(lat))).float()[:, None]
    torch.testing.assert_close(v[..., 1:-1], east, atol=0.8, rtol=0.02)
    # where the streamfunction has a hollow (low pressure in the north), air turns anticlockwise: vorticity > 0
    assert np.corrcoef(streamfunction[:, 2].ravel(), vorticity.ravel())[0, 1] < -0.3


def test_temperature_is_the_thickness_between_levels(weather: Weather) -> None:
    day = weather.era5(WINTER)
    t, z = (day[channel_index(f"{name}_1000") :][:5] for name in "tz")
    log_pressure = np.log(ZONAL_LEVELS.pressure)
    for lower in (1, 2):
        # hypsometric equation: thickness = R T_mean ln(p1 / p2)
        thickness = 287.05 * 0.5 * (t[lower] + t[lower + 1]) * (log_pressure[lower] - log_pressure[lower + 1])
        assert torch.allclose(z[lower + 1] - z[lower], thickness, rtol=0.01)


@pytest.mark.parametrize(("name", "low", "high"), [
    ("u10", -35, 35), ("v10", -35, 35), ("t2m", 225, 320), ("sp", 5.5e4, 1.06e5), ("tp", 0, 200),
    ("t_500", 215, 280), ("q_850", 0, 0.022), ("z_500", 4.6e4, 6.0e4), ("z_1000", -3500, 5000),
])  # fmt: skip
def test_channels_are_in_real_units_and_ranges(weather: Weather, name: str, low: float, high: float) -> None:
    for start in (WINTER, SUMMER):
        fields = torch.stack([weather.era5(day)[channel_index(name)] for day in range(start, start + 8)])
        assert low <= float(fields.min())
        assert float(fields.max()) <= high


def test_every_channel_is_finite_and_alive(weather: Weather) -> None:
    first, second = weather.era5(WINTER), weather.era5(WINTER + 1)
    assert first.shape[0] == len(ERA5_CHANNELS)
    assert torch.isfinite(first).all()
    assert all(not torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_mountains_are_cold_summers_warm_and_rain_is_not_everywhere(
    alps: Geography, weather: Weather
) -> None:
    high = torch.from_numpy(alps.coarse_elevation > 1800)
    low = torch.from_numpy((alps.coarse_elevation < 300) & (alps.coarse_land > 0.9))
    winter, summer = (
        torch.stack([weather.era5(day) for day in range(start, start + 16)]) for start in (WINTER, SUMMER)
    )
    t2m, rain = channel_index("t2m"), channel_index("tp")
    assert winter[:, t2m, high].mean() < winter[:, t2m, low].mean() - 5
    assert summer[:, t2m, low].mean() > winter[:, t2m, low].mean() + 10
    wet = (torch.cat([winter, summer])[:, rain, low] >= 1).float().mean()
    assert 0.08 < wet < 0.5
