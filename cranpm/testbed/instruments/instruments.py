"""The simulated truth as satellites, models and stations would report it.

`ghap_like`: a land-only 1-km product with correlated retrieval noise, a low bias in complex terrain and small gaps.
`cams_like`: five smooth, biased species on the coarse box. `cams_forecast_like`: a physical model's forecast whose
error grows with lead time. `observe_stations`: points with representativeness error, gaps and a few wrong values.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch

from cranpm.domain import Grid
from cranpm.testbed.geography.geography import Geography
from cranpm.testbed.instruments.downscale import Downscaler, _block, day_fields, downscaler
from cranpm.testbed.simulation.constants import InstrumentConfig
from cranpm.testbed.simulation.noise import day_generator, day_number
from cranpm.testbed.simulation.place import place_of
from cranpm.testbed.simulation.surface import smooth
from cranpm.testbed.simulation.world import LEADS, DayState

if TYPE_CHECKING:
    import pandas as pd

FINE_PERIOD, BROAD_PERIOD = (1024, 1152), (1280, 1408)
"""Periods of the two noise textures [fine cells]; their sum repeats far outside Europe."""
_STRIP = 256  # rows of the product that are made at a time
_TRAFFIC, _RURAL, _INDUSTRIAL = 1.22, 0.93, 1.10


class Retrieval:
    """Noise textures and terrain bias of the GHAP-like product on one geography."""

    def __init__(self, scaler: Downscaler, seed: int, config: InstrumentConfig | None = None) -> None:
        self.scaler, self.seed, self.config = scaler, seed, config or InstrumentConfig()
        self.device = scaler.device
        self._fine = _texture(FINE_PERIOD, 3.0, seed, 1).to(self.device)
        self._broad = _texture(BROAD_PERIOD, 14.0, seed, 2).to(self.device)
        geography = scaler.geography
        bias = 1 - self.config.complex_terrain_bias * np.clip(
            np.asarray(geography.terrain_complexity) / 300.0, 0, 1
        )
        seen = np.where(np.asarray(geography.land), bias, np.nan).astype(np.float32)
        self._seen = torch.from_numpy(seen).to(self.device)

    def offsets(self, day: int) -> np.ndarray:
        """Where the textures start on a day: row and column of each, shape (2, 2)."""
        draw = day_generator(self.seed, "products", day)
        return np.stack([draw.integers(0, period) for period in (FINE_PERIOD, BROAD_PERIOD)])

    def window(self, truth: torch.Tensor, day: int, rows: slice, cols: slice) -> torch.Tensor:
        """The product on a window of the fine grid from the truth there, both (h, w); NaN where it has no value."""
        offsets = self.offsets(day)
        top, bottom, _ = rows.indices(self._seen.shape[0])
        left, right, _ = cols.indices(self._seen.shape[1])
        fine, broad = (
            _wrapped(texture, int(start[0]) + top, int(start[1]) + left, bottom - top, right - left)
            for texture, start in zip((self._fine, self._broad), offsets, strict=True)
        )
        return _measure(truth * self._seen[top:bottom, left:right], fine, broad, self.config)

    def windows(self, truth: torch.Tensor, day: int, rows: torch.Tensor, cols: torch.Tensor) -> torch.Tensor:
        """The product on many windows of one day at once, as `window` makes it; truth and result (B, size, size)."""
        row, col = _block(rows, cols, truth.shape[-1])
        fine, broad = (
            texture[(row + int(start[0])) % texture.shape[0], (col + int(start[1])) % texture.shape[1]]
            for texture, start in zip((self._fine, self._broad), self.offsets(day), strict=True)
        )
        return _measure(truth * self._seen[row, col], fine, broad, self.config)


def retrieval(scaler: Downscaler, seed: int, config: InstrumentConfig | None = None) -> Retrieval:
    """The retrieval of a world (world 1's noise by default), made once."""
    cache = scaler.__dict__.setdefault("_retrievals", {})
    key = seed, config or InstrumentConfig()
    if key not in cache:
        cache[key] = Retrieval(scaler, *key)
    return cache[key]


@torch.inference_mode()
def ghap_like(
    state: DayState, geography: Geography, rows: slice = slice(None), cols: slice = slice(None)
) -> np.ndarray:
    """GHAP-like PM2.5 on a window of the fine grid.

    Returns
    -------
    ndarray, float32, shape (h, w)
        [ug m-3]; NaN at sea and in gaps; the same values whatever window is asked.
    """
    scaler = downscaler(geography, constants=state.constants)
    instrument = retrieval(scaler, state.seed, state.constants.instruments)
    fields, day = day_fields(scaler, state), day_number(state.day)
    top, bottom, _ = rows.indices(scaler.fine_shape[0])
    strips = []
    for row in range(top, bottom, _STRIP):
        strip = slice(row, min(row + _STRIP, bottom))
        strips.append(instrument.window(scaler.window(fields, strip, cols), day, strip, cols))
    return torch.cat(strips).numpy()


def cams_like(state: DayState, geography: Geography) -> np.ndarray:
    """CAMS-like analysis of one day.

    Returns
    -------
    ndarray, float32, shape (5, R, C)
        pm2p5, pm10, no2, o3, co on the coarse box [ug m-3], in the order of `CAMS_CHANNELS`.
    """
    draw = day_generator(state.seed, "products", day_number(state.day), part=1)
    box = geography.domain.coarse_box
    u10, v10, t2m = state.era5[0], state.era5[1], state.era5[2]
    speed = np.hypot(u10, v10)
    sea = 1 - np.asarray(geography.coarse_land)
    errors = np.exp(
        state.constants.instruments.analysis_error
        * np.stack([_draw_smooth(draw, box, 2.0) for _ in range(5)])
    )
    pm = _smoothed(state.pm_coarse, 1.0) * 0.88 + 0.8
    people = _smoothed(np.tanh(np.asarray(geography.coarse_population, float) ** 0.72 / 2.0e4), 0.8)
    no2 = 1.5 + 20.0 * people * state.source
    pm10 = 1.35 * pm + sea * 0.35 * speed + 2.0
    warmth = np.clip((t2m - 275.0) / 20.0, -0.5, 1.5)
    o3 = np.clip(58.0 + 28.0 * warmth - 0.7 * no2 + 1.2 * speed, 4.0, None)
    co = 130.0 + 5.5 * pm + 1.5 * no2
    return (np.stack([pm, pm10, no2, o3, co]) * errors).astype(np.float32)


def cams_forecast_like(state: DayState, geography: Geography) -> np.ndarray:
    """CAMS-like forecast of PM2.5 started on the day of ``state``.

    The coming truth is displaced and scaled by smooth errors that grow with lead time, as a forecast with
    growing errors of the flow would; smoothing and bias are those of `cams_like`.

    Returns
    -------
    ndarray, float32, shape (3, R, C)
        Valid one, two and three days later [ug m-3].
    """
    draw = day_generator(state.seed, "products", day_number(state.day), part=2)
    box = geography.domain.coarse_box
    row, col = np.meshgrid(np.arange(box.rows, dtype=float), np.arange(box.cols, dtype=float), indexing="ij")
    north, east, scale = (_draw_smooth(draw, box, width) for width in (6.0, 6.0, 3.0))
    forecasts, config = [], state.constants.instruments
    for lead in range(1, LEADS + 1):
        distance = (
            0.35 + 0.35 * lead
        ) / box.step  # degrees of misplacement (one standard deviation) in nodes
        moved = _sample(
            _smoothed(state.pm_ahead[lead - 1], 1.0), row + distance * north, col + distance * east * 1.5
        )
        forecasts.append(
            (0.88 * moved + 0.8) * np.exp((config.analysis_error + config.forecast_error * lead) * scale)
        )
    return np.stack(forecasts).astype(np.float32)


def observe_stations(
    state: DayState, geography: Geography, stations: Mapping[str, npt.ArrayLike] | pd.DataFrame
) -> np.ndarray:
    """What stations report on one day (see `observe`)."""
    scaler = downscaler(geography, constants=state.constants)
    return observe(
        scaler, day_fields(scaler, state), state.day, stations, state.seed, state.constants.instruments
    )


def observe(
    scaler: Downscaler,
    fields: torch.Tensor,
    when: np.datetime64,
    stations: Mapping[str, npt.ArrayLike] | pd.DataFrame,
    seed: int,
    config: InstrumentConfig,
) -> np.ndarray:
    """What stations report on one day.

    Parameters
    ----------
    fields : Tensor, shape (3, U, W)
        Of that day (`Downscaler.fields`).
    when : datetime64
        The day.
    stations : mapping or DataFrame
        Columns latitude, longitude, station_type (traffic | background | industrial), area (urban | suburban | rural).

    Returns
    -------
    ndarray, float32, shape (n,)
        Daily means [ug m-3]; NaN in gaps. About one value in 2,000 is wrong, as in real records.
    """
    day, fine = day_number(when), scaler.geography.domain.fine
    lat, lon = np.asarray(stations["latitude"], float), np.asarray(stations["longitude"], float)
    kind, area = np.asarray(stations["station_type"]).astype(str), np.asarray(stations["area"]).astype(str)
    rows = torch.from_numpy(np.clip(np.floor(fine.row_of(lat) + 0.5), 0, fine.rows - 1).astype(np.int64))
    cols = torch.from_numpy(np.clip(np.floor(fine.col_of(lon) + 0.5), 0, fine.cols - 1).astype(np.int64))
    truth = scaler.points(fields, rows, cols).numpy().astype(float)
    number = len(truth)
    fixed = day_generator(seed, "stations", 0)
    local = np.exp(0.10 * fixed.standard_normal(number)) * np.where(kind == "traffic", _TRAFFIC, 1.0)
    local *= np.where(kind == "industrial", _INDUSTRIAL, 1.0) * np.where(area == "rural", _RURAL, 1.0)
    # outages last: a station is silent on 12 days in a row about once in 200 days
    silent = np.zeros(number, bool)
    for start in range(day - 11, day + 1):
        silent |= day_generator(seed, "stations", start, part=1).uniform(size=number) < 0.005
    draw = day_generator(seed, "stations", day, part=2)
    value = truth * local * np.exp(
        config.station_noise * draw.standard_normal(number)
    ) + 0.6 * draw.standard_normal(number)
    silent |= draw.uniform(size=number) < 0.03
    wrong = draw.uniform(size=number)
    value = np.where(wrong < 0.00025, value * 12.0, np.where(wrong < 0.0005, 0.0, np.clip(value, 0.1, None)))
    return np.where(silent, np.nan, np.round(value, 1)).astype(np.float32)


def _measure(
    seen: torch.Tensor, fine: torch.Tensor, broad: torch.Tensor, config: InstrumentConfig
) -> torch.Tensor:
    """Seen values with retrieval noise; NaN under cloud."""
    relative = torch.add(fine * config.fine_noise, broad, alpha=config.broad_noise).add_(1.0)
    value = (seen * relative).add_(fine, alpha=config.floor_noise).clamp_min_(0.1)
    return torch.where(broad > config.cloud_level, torch.nan, value)


def _texture(period: tuple[int, int], width: float, seed: int, part: int) -> torch.Tensor:
    """Periodic Gaussian noise of unit variance, `width` cells wide (a third of its variance is narrower)."""
    white = np.fft.rfft2(day_generator(seed, "products", -1, part=part).standard_normal(period))
    y, x = np.fft.fftfreq(period[0]), np.fft.rfftfreq(period[1])
    square = (2 * np.pi) ** 2 * (y[:, None] ** 2 + x[None, :] ** 2)
    field = np.zeros(period)
    for share, size in ((0.67, width), (0.33, width / 3)):
        layer = np.fft.irfft2(white * np.exp(-0.5 * square * size**2), period)
        field += np.sqrt(share) * layer / layer.std()
    return torch.from_numpy((field / field.std()).astype(np.float32))


def _wrapped(texture: torch.Tensor, top: int, left: int, height: int, width: int) -> torch.Tensor:
    rows = torch.remainder(torch.arange(top, top + height, device=texture.device), texture.shape[0])
    cols = torch.remainder(torch.arange(left, left + width, device=texture.device), texture.shape[1])
    return texture.index_select(0, rows).index_select(1, cols)


def _smoothed(field: np.ndarray, width: float) -> np.ndarray:
    return smooth(np.asarray(field, float), width, width * 1.4)


def _draw_smooth(draw: np.random.Generator, box: Grid, degrees: float) -> np.ndarray:
    """Unit-variance noise on the coarse box, `degrees` wide; the same for every domain in Europe's box on a day."""
    drawn_on, step = place_of(box).noise, degrees / 2
    nodes = (
        np.arange(drawn_on.north, drawn_on.south - step / 2, -step),
        np.arange(drawn_on.west, drawn_on.east + step / 2, step),
    )
    noise = draw.standard_normal((len(nodes[0]), len(nodes[1])))
    weights = []
    for points, centres in zip((box.lat, box.lon), nodes, strict=True):
        weight = np.exp(-0.5 * ((points[:, None] - centres[None, :]) / degrees) ** 2)
        weights.append(weight / np.sqrt((weight**2).sum(1, keepdims=True)))
    return weights[0] @ noise @ weights[1].T


def _sample(field: np.ndarray, row: np.ndarray, col: np.ndarray) -> np.ndarray:
    """Bilinear values at fractional rows and columns, clamped to the box."""
    row, col = np.clip(row, 0, field.shape[0] - 1.001), np.clip(col, 0, field.shape[1] - 1.001)
    r, c = row.astype(int), col.astype(int)
    fr, fc = row - r, col - c
    upper = field[r, c] * (1 - fc) + field[r, c + 1] * fc
    lower = field[r + 1, c] * (1 - fc) + field[r + 1, c + 1] * fc
    return upper * (1 - fr) + lower * fr
