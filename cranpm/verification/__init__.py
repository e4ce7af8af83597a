"""Forecasts against references: sums, scores, intervals, spectra; no torch. Imported when first used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cranpm._lazy import lazy_names

__all__ = [
    "PairDensity",
    "mean_spectra",
    "power_spectrum",
    "whole_windows",
]

if TYPE_CHECKING:
    from cranpm.verification.density import PairDensity
    from cranpm.verification.spectrum import mean_spectra, power_spectrum, whole_windows
else:
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "PairDensity": "cranpm.verification.density",
            "mean_spectra": "cranpm.verification.spectrum",
            "power_spectrum": "cranpm.verification.spectrum",
            "whole_windows": "cranpm.verification.spectrum",
        },
    )
