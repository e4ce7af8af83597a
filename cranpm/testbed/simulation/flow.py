"""The large-scale flow: a streamfunction made of travelling, slowly changing waves.

Waves live on a Mercator box of 2.7 rad and are evaluated on any grid by two matrix products, so a region and the
whole of Europe see the same weather. Each wave is a two-stage Ornstein-Uhlenbeck process that moves with its Rossby
phase speed. Shapes: N northward and M eastward wavenumbers, T instants, L levels, R rows, C columns.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from cranpm.testbed.simulation.noise import day_generator, red_kernel

EARTH_RADIUS = 6.371e6
BOX = 2.7
"""Period of the waves [rad of longitude and of Mercator northing]: beyond the domain both ways."""
_ORIGIN_LON, _ORIGIN_NORTHING = np.deg2rad(10.0), 1.2
_REFERENCE_LAT = np.deg2rad(50.0)
_KICKS_PER_DAY = 2


@dataclass(frozen=True, kw_only=True)
class FlowConfig:
    """Strength, size and memory of the waves."""

    max_wavenumber: int = 48
    """Shortest wave: 1/48 of the box, about 230 km at 50 N."""
    slow_wavenumber: int = 12
    """Shortest wave of the slow part."""
    peak_wavelength: float = 4.2e6
    """Wavelength around which the spectrum peaks [m]."""
    streamfunction_std: float = 9.2e6
    """Standard deviation at 500 hPa in winter [m2 s-1]."""
    summer_strength: float = 0.68
    """Amplitude in mid-July relative to mid-January."""
    memory: float = 12.0
    """Decay time of a wave of the peak wavelength [days]; shorter waves forget sooner (power -0.55)."""
    forcing_memory: float = 1.6
    """Memory of the forcing [days]."""
    slow_share: float = 0.25
    """Share of variance in the slow part (blocking highs)."""
    slow_memory: float = 7.0
    """Decay time of the slow part [days]."""
    drift: float = 8.0
    """Mean eastward steering [m s-1]."""
    slow_drift: float = 3.0
    """Eastward drift of the slow part [m s-1]."""
    dispersion: float = 0.25
    """Share of the barotropic Rossby dispersion: real waves are held together by their vertical structure."""
    history: int = 48
    """Days of past forcing that a day remembers."""
    level_amplitude: tuple[float, ...] = (0.54, 0.60, 0.68, 0.82, 1.0)
    """Amplitude at 1000, 925, 850, 700, 500 hPa."""
    level_shift: tuple[float, ...] = (9.0e5, 7.0e5, 5.2e5, 2.6e5, 0.0)
    """Eastward shift of each level against 500 hPa [m]: waves tilt westward with height, as growing lows do."""
    max_tilt: float = 0.95
    """Largest phase shift by that tilt [rad]; short waves would otherwise decorrelate between levels."""


class _Component:
    """One family of waves: its spectrum, phase speeds and memory of past kicks."""

    def __init__(self, config: FlowConfig, *, stream: str, seed: int, device: torch.device) -> None:
        slow = stream == "slow"
        self.stream, self.seed, self.device, self.history = stream, seed, device, config.history
        top = config.slow_wavenumber if slow else config.max_wavenumber
        east, north = np.arange(top + 1), np.arange(-top, top + 1)
        scale = 2 * np.pi / BOX / (EARTH_RADIUS * np.cos(_REFERENCE_LAT))
        wave = np.hypot(east[None, :], north[:, None]) * scale  # (N, M) [rad m-1]
        relative = wave * config.peak_wavelength / (2 * np.pi)
        variance = relative / (1 + relative**2) ** 3.2
        variance[np.hypot(east[None, :], north[:, None]) > top] = 0
        share = config.slow_share if slow else 1 - config.slow_share
        # the real part of a circular complex wave carries half its variance
        variance *= 2 * share * config.streamfunction_std**2 / variance.sum()
        beta = config.dispersion * 2 * 7.292e-5 * np.cos(_REFERENCE_LAT) / EARTH_RADIUS
        speed = np.full_like(wave, config.slow_drift) if slow else config.drift - beta / (wave**2 + 1e-12)
        self.frequency = torch.from_numpy(east[None, :] * scale * speed * 86400.0).to(device)  # [rad day-1]
        self.size = (len(north), len(east))
        self.top = top
        memory = (
            np.full_like(wave, config.slow_memory)
            if slow
            else config.memory * np.maximum(relative, 0.2) ** -0.55
        )
        self.memory = torch.from_numpy(np.minimum(memory, 0.2 * config.history)).float().to(device)
        self.forcing_memory = config.forcing_memory
        power = torch.stack([(self._kernel(phase) ** 2).sum(0) for phase in (0.0, 0.25)]).mean(0)
        self.amplitude = torch.from_numpy(np.sqrt(variance)).float().to(device) / power.sqrt()
        self._kernels = {quarter: self._kernel(quarter / 4) * self.amplitude for quarter in range(4)}
        self._kicks: dict[int, torch.Tensor] = {}

    def _kernel(self, phase: float) -> torch.Tensor:
        """Responses at day + `phase` to the kicks of day - history ... day, shape (kicks, N, M)."""
        kicks = (
            torch.arange((self.history + 1) * _KICKS_PER_DAY, device=self.device) / _KICKS_PER_DAY
            - self.history
        )
        return red_kernel((phase - kicks)[:, None, None], self.memory, self.forcing_memory)

    def _kick(self, day: int) -> torch.Tensor:
        if day not in self._kicks:
            draws = day_generator(self.seed, self.stream, day).standard_normal(
                (_KICKS_PER_DAY, *self.size, 2), np.float32
            )
            self._kicks[day] = torch.view_as_complex(torch.from_numpy(draws * np.float32(np.sqrt(0.5)))).to(
                self.device
            )
        return self._kicks[day]

    def coefficients(self, day: int) -> torch.Tensor:
        """Complex amplitudes at 00, 06, 12, 18 UTC of a day, shape (4, N, M)."""
        kicks = torch.cat([self._kick(d) for d in range(day - self.history, day + 1)])
        self._kicks = {d: kick for d, kick in self._kicks.items() if abs(d - day) <= self.history + 2}
        phases = [
            torch.polar(torch.ones_like(turn), -turn).to(torch.complex64)
            for turn in (
                torch.remainder(self.frequency * (day + quarter / 4), 2 * torch.pi) for quarter in range(4)
            )
        ]
        return torch.stack([(self._kernels[q] * kicks).sum(0) * phases[q] for q in range(4)])


class Flow:
    """Streamfunction, winds and vorticity on a grid.

    Parameters
    ----------
    lat, lon : ndarray, shape (R,), (C,)
        Grid points [degrees].
    seed : int
        Names the world.
    """

    def __init__(
        self,
        lat: np.ndarray,
        lon: np.ndarray,
        *,
        seed: int,
        device: torch.device,
        config: FlowConfig | None = None,
    ) -> None:
        self.config = config = config or FlowConfig()
        self._fast = _Component(config, stream="flow", seed=seed, device=device)
        self._slow = _Component(config, stream="slow", seed=seed, device=device)
        top, scale = config.max_wavenumber, 2 * np.pi / BOX
        east, north = np.arange(top + 1) * scale, np.arange(-top, top + 1) * scale
        x = np.deg2rad(lon) - _ORIGIN_LON
        y = np.arcsinh(np.tan(np.deg2rad(lat))) - _ORIGIN_NORTHING
        along = np.exp(1j * east[:, None] * x)  # (M, C)
        up = np.exp(1j * north[None, :] * y[:, None])  # (R, N)
        metre = (
            EARTH_RADIUS * np.cos(np.deg2rad(lat))[:, None]
        )  # metres per radian of the conformal map, (R, 1)
        self._along = torch.from_numpy(along).to(torch.complex64).to(device)
        self._up = torch.from_numpy(np.hstack([up.real, -up.imag])).to(device, torch.float32)
        slope = 1j * north[None, :] * up / metre
        self._up_slope = torch.from_numpy(np.hstack([slope.real, -slope.imag])).to(device, torch.float32)
        self._up_per_metre = torch.from_numpy(np.hstack([up.real, -up.imag]) / metre).to(
            device, torch.float32
        )
        self._up_laplace = torch.from_numpy(np.hstack([up.real, -up.imag]) / metre**2).to(
            device, torch.float32
        )
        self._east = torch.from_numpy(1j * east).to(torch.complex64).to(device)
        self._wave2 = torch.from_numpy(-(east[None, :] ** 2 + north[:, None] ** 2)).to(device, torch.float32)
        shift = (
            np.array(config.level_shift)[:, None] * east[None, :] / (EARTH_RADIUS * np.cos(_REFERENCE_LAT))
        )
        tilt = config.max_tilt * np.tanh(shift / config.max_tilt)
        levels = np.array(config.level_amplitude)[:, None] * np.exp(-1j * tilt)
        self._levels = (
            torch.from_numpy(levels).to(torch.complex64).to(device)[None, :, None, :]
        )  # (1, L, 1, M)

    def _evaluate(self, coefficients: torch.Tensor, up: torch.Tensor) -> torch.Tensor:
        across = coefficients @ self._along  # (..., N, C)
        return up @ torch.cat([across.real, across.imag], dim=-2)

    def coefficients(self, day: int) -> torch.Tensor:
        """Complex amplitudes of all waves at 00, 06, 12, 18 UTC, shape (4, N, M)."""
        waves = self._fast.coefficients(day)
        slow, top, low = self._slow.coefficients(day), self._fast.top, self._slow.top
        waves[:, top - low : top + low + 1, : low + 1] += slow
        return waves

    def shifted(self, coefficients: torch.Tensor, degrees: torch.Tensor) -> torch.Tensor:
        """The same waves moved east by some degrees, one per instant."""
        turn = torch.deg2rad(degrees)[:, None] * self._east.imag
        return coefficients * torch.polar(torch.ones_like(turn), -turn)[:, None, :]

    def fields(
        self, coefficients: torch.Tensor, strength: float
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        """Flow at several instants.

        Parameters
        ----------
        coefficients : Tensor, shape (T, N, M)
            As `coefficients` returns them.
        strength : float
            Seasonal factor on every amplitude.

        Returns
        -------
        streamfunction, u, v : Tensor, shape (T, L, R, C)
            [m2 s-1], and winds towards east and north [m s-1].
        vorticity : Tensor, shape (T, R, C)
            At 850 hPa [s-1].
        """
        levels = (coefficients[:, None] * self._levels) * strength  # (T, L, N, M)
        across = levels @ self._along
        across = torch.cat([across.real, across.imag], dim=-2)
        streamfunction = self._up @ across
        u = -(self._up_slope @ across)
        v = self._evaluate(levels * self._east, self._up_per_metre)
        vorticity = self._evaluate(levels[:, 2] * self._wave2, self._up_laplace)
        return streamfunction, u, v, vorticity
