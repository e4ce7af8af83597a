"""Spectra put power where waves are; roughness finds a seam and nothing where there is none."""

from __future__ import annotations

import numpy as np
import pytest

from cranpm.verification.spectrum import edge_roughness, power_spectrum


def test_a_wave_has_its_power_at_its_wavelength():
    x = np.arange(128)
    field = np.broadcast_to(np.sin(2 * np.pi * x / 16), (128, 128))
    wavelength, power = power_spectrum(field, spacing=1.1)
    peak = int(power.argmax())
    assert wavelength[peak] == pytest.approx(16 * 1.1)
    assert power[peak - 2 : peak + 3].sum() > 0.99 * power.sum()  # a Hann window spreads over two neighbours
    assert power.sum() == pytest.approx(0.5, rel=0.02)  # variance of a sine


def test_white_noise_has_its_variance():
    field = np.random.default_rng(0).normal(0, 3, (256, 256))
    _, power = power_spectrum(field)
    # rings reach the inscribed circle: pi / 4 of the square of wavenumbers
    assert power.sum() == pytest.approx(9 * np.pi / 4, rel=0.05)


def test_smoothing_takes_power_from_short_waves_only():
    rng = np.random.default_rng(1)
    field = rng.normal(size=(128, 128)).cumsum(0).cumsum(1)
    smooth = sum(np.roll(field, k, 1) for k in range(-2, 3)) / 5
    wavelength, rough = power_spectrum(field)
    _, fine = power_spectrum(smooth)
    assert (fine / rough)[wavelength > 40].mean() > 0.9
    assert (fine / rough)[wavelength < 6].mean() < 0.6


def test_gaps_are_refused():
    field = np.ones((16, 16))
    field[3, 3] = np.nan
    with pytest.raises(ValueError, match="1 cells without"):
        power_spectrum(field)
    with pytest.raises(ValueError, match="square"):
        power_spectrum(np.ones((16, 17)))


def test_a_seam_is_found_and_a_smooth_map_has_none():
    rng = np.random.default_rng(2)
    field = rng.normal(size=(64, 200))
    field[:5] = np.nan
    at, elsewhere = edge_roughness(field, [50, 100, 150], axis=1)
    assert at / elsewhere == pytest.approx(1, abs=0.15)
    field[:, 100:] += 10.0
    at, _ = edge_roughness(field, [100], axis=1)
    assert at > 4 * elsewhere
    across, other = edge_roughness(field.T, [100], axis=0)
    assert across == pytest.approx(at)
    assert other == pytest.approx(elsewhere, rel=0.05)
