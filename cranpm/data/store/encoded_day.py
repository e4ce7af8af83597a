"""A day as the bytes that are written: checked against the layout and compressed, apart from any writer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from cranpm.data.store.encoding import encode_pm2p5
from cranpm.data.store.schema import ArraySpec, check_coarse, coarse_specs, pm2p5_spec
from cranpm.data.store.tables import check_observations
from cranpm.data.store.zarr_files import encode
from cranpm.domain import Domain
from cranpm.domain.days import Day, as_day


@dataclass(frozen=True, kw_only=True)
class EncodedDay:
    """A day that is ready to be written: the bytes of its files, and its observations."""

    day: np.datetime64
    files: Mapping[str, tuple[ArraySpec, bytes]]
    observations: pd.DataFrame | None = None


def day_bytes(domain: Domain) -> float:
    """About how much a day takes on disk: 13 MB for Europe, measured on the testbed; noisier maps take twice that."""
    fine, nodes = (grid.rows * grid.cols for grid in (domain.fine, domain.coarse_box))
    return 0.8 * fine + 3.0 * 38 * nodes


def encode_day(
    domain: Domain,
    day: Day,
    *,
    pm2p5: np.ndarray,
    era5: np.ndarray,
    cams: np.ndarray,
    cams_forecast: np.ndarray | None = None,
    observations: pd.DataFrame | None = None,
) -> EncodedDay:
    """Check and compress a day; may run in any process: workers encode days that one writer appends.

    Parameters
    ----------
    pm2p5 : array, shape (H, W)
        float [ug m-3] with NaN where missing, or uint16 tenths with 65535 where missing.
    era5 : array, shape (30, Hc + 1, Wc + 1)
        In the order and units of ``ERA5_CHANNELS``; NaN where missing.
    cams : array, shape (5, Hc + 1, Wc + 1)
        In the order of ``CAMS_CHANNELS`` [ug m-3].
    cams_forecast : array, shape (3, Hc + 1, Wc + 1), optional
        PM2.5 forecast started on this day, one to three days ahead [ug m-3]; missing if not given.
    observations : DataFrame, optional
        Station values of this day, appended to the observation table.

    Raises
    ------
    SchemaError
        If something does not fit the layout.
    """
    fine, coarse = pm2p5_spec(domain), coarse_specs(domain)
    if cams_forecast is None:
        cams_forecast = np.full(coarse[2].shape, np.nan, np.float32)
    values = {"pm2p5": encode_pm2p5(pm2p5, domain.fine)}
    for spec, field in zip(coarse, (era5, cams, cams_forecast), strict=True):
        values[spec.name] = check_coarse(spec.name, field, spec.shape)
    specs = {spec.name: spec for spec in (fine, *coarse)}
    return EncodedDay(
        day=as_day(day),
        files={name: (specs[name], encode(specs[name], field)) for name, field in values.items()},
        observations=None if observations is None else check_observations(observations),
    )
