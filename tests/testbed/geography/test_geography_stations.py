"""The blended terrain against altitudes that stations report: a check by people who never saw it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cranpm.domain import FINE


@pytest.mark.real_data
def test_terrain_agrees_with_station_altitudes(geography_europe, real_data):
    stations = pd.read_csv(real_data / "eea" / "pm25_stations_europe.csv")
    stations = stations.drop_duplicates("AirQualityStationEoICode").dropna(subset=["Altitude"])
    stations = stations[FINE.contains(stations.Latitude, stations.Longitude)]
    assert len(stations) > 2500
    cells = [FINE.index_of(lat, lon) for lat, lon in zip(stations.Latitude, stations.Longitude)]
    elevation = np.array([geography_europe.elevation[cell] for cell in cells])
    # 0.979 and 11 m when the terrain was made; the difference is within-cell relief and wrong altitudes
    assert np.corrcoef(elevation, stations.Altitude)[0, 1] > 0.975
    assert np.median(np.abs(elevation - stations.Altitude)) < 15
    # stations stand on land; those the mask puts at sea stand on quays
    assert np.mean([geography_europe.land[cell] for cell in cells]) > 0.97
