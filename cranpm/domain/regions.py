"""The paper's regional zooms (Figs. 1, 4 and 5), one box each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import overload

import numpy as np

from cranpm.domain.grid import Domain


@dataclass(frozen=True, kw_only=True)
class Region:
    """A latitude-longitude box [degrees]."""

    name: str
    title: str
    south: float
    north: float
    west: float
    east: float

    @overload
    def contains(self, lat: float, lon: float) -> bool: ...

    @overload
    def contains(self, lat: np.ndarray, lon: np.ndarray) -> np.ndarray: ...

    def contains(self, lat: float | np.ndarray, lon: float | np.ndarray) -> bool | np.ndarray:
        """Whether places lie in the box, edges included; of arrays, one answer each."""
        return (self.south <= lat) & (lat <= self.north) & (self.west <= lon) & (lon <= self.east)


REGIONS: dict[str, Region] = {
    region.name: region
    for region in (
        Region(name="po_valley", title="Po Valley", south=44.0, north=46.6, west=7.0, east=13.2),
        Region(name="paris", title="Paris Basin", south=47.8, north=50.0, west=0.6, east=4.6),
        Region(name="silesia", title="Silesia", south=49.3, north=51.4, west=16.6, east=20.8),
        Region(name="rhine_ruhr", title="Rhine-Ruhr", south=50.3, north=52.2, west=5.6, east=8.8),
        Region(name="london", title="London", south=50.7, north=52.3, west=-1.6, east=1.4),
        Region(name="malmo", title="Malmö", south=54.9, north=56.6, west=11.6, east=14.6),
        Region(name="iberia", title="Iberia", south=36.0, north=43.8, west=-9.6, east=3.3),
        Region(name="balkans", title="Balkans", south=39.5, north=46.0, west=15.5, east=27.0),
    )
}
"""Boxes that maps are zoomed to and scores are split by; the paper names the places, the edges are ours."""

HOTSPOT_REGIONS: tuple[str, ...] = ("po_valley", "silesia", "rhine_ruhr")
"""Boxes from which half of the training tiles are drawn (Table S3)."""


def named_region(region: str | Region) -> Region:
    """A box by its name; a box stays.

    Raises
    ------
    ValueError
        Naming the known ones.
    """
    if isinstance(region, Region):
        return region
    if region not in REGIONS:
        raise ValueError(f"No region {region!r}; known: {', '.join(REGIONS)}.")
    return REGIONS[region]


def list_regions(domain: Domain | None = None) -> list[Region]:
    """Named boxes; of a domain those that lie inside it.

    Parameters
    ----------
    domain : Domain, optional
        Such as ``data.domain``.

    Returns
    -------
    list of Region
        With ``name``, ``title`` and edges in degrees.

    Examples
    --------
    >>> import cranpm
    >>> [region.name for region in cranpm.list_regions()][:3]
    ['po_valley', 'paris', 'silesia']
    >>> [region.title for region in cranpm.list_regions(cranpm.open_dataset().domain)]
    ['Po Valley']
    """
    return [region for region in REGIONS.values() if domain is None or _inside(region, domain)]


def _inside(region: Region, domain: Domain) -> bool:
    grid = domain.fine
    corners = (region.south, region.west), (region.north, region.east)
    return all(bool(grid.contains(lat, lon)) for lat, lon in corners)
