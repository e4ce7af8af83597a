"""Terrain of GLO-90 and GMTED2010 in tiny files of their own layouts: names, rims, registration, gaps, geoid."""

from __future__ import annotations

import re
from pathlib import Path

import mini_dataset as mini
import numpy as np
import pytest
import xarray as xr

from cranpm.data.build_day import DatasetRecipe
from cranpm.data.download.providers import plain_files
from cranpm.data.download.receipts import write_receipt
from cranpm.data.errors import NotThisProductError, OutsideDomainError
from cranpm.data.manifest import ManifestError, load_manifest
from cranpm.data.readers.elevation import read_elevation, static_fields
from cranpm.data.regrid.averaging import cell_means, cell_sums, touched
from cranpm.domain import Grid, domain_from_corner

GLO90, GMTED = "elevation-copernicus-glo90", "elevation-gmted2010"
ROWS = 1200
"""Rows of a GLO-90 tile of one degree."""


def columns_at(lat: int) -> int:
    """Columns of a tile by the latitude of its southern rim."""
    return 1200 if lat < 50 else 800 if lat < 60 else 600 if lat < 70 else 400


def tile(
    folder: Path,
    lat: int,
    lon: int,
    values: np.ndarray | float,
    *,
    epsg: int = 4326,
    nodata: float | None = None,
) -> Path:
    """A tile as the archive has it: pixel (0, 0) is centred on the north-west corner of the degree."""
    rasterio = pytest.importorskip("rasterio")
    columns = columns_at(lat)
    height, width = 1 / ROWS, 1 / columns
    path = folder / f"Copernicus_DSM_COG_30_N{lat:02d}_00_E{lon:03d}_00_DEM.tif"
    data = np.broadcast_to(np.asarray(values, np.float32), (ROWS, columns))
    with rasterio.open(
        path, "w", driver="GTiff", width=columns, height=ROWS, count=1, dtype="float32", crs=f"EPSG:{epsg}",
        transform=rasterio.transform.from_origin(lon - width / 2, lat + 1 + height / 2, width, height),
        compress="deflate", nodata=nodata,
    ) as made:  # fmt: skip
        made.write(data, 1)
        made.update_tags(AREA_OR_POINT="Point")
    return path


def nodes(lat: int, lon: int) -> tuple[np.ndarray, np.ndarray]:
    """Latitudes and longitudes of a tile's pixels."""
    return lat + 1 - np.arange(ROWS) / ROWS, lon + np.arange(columns_at(lat)) / columns_at(lat)


def grid(north: float, west: float, rows: int = 20, cols: int = 30) -> Grid:
    return Grid(name="g", rows=rows, cols=cols, step=0.01, north=north, west=west, registration="cell")


def test_tiles_join_without_a_seam_where_the_columns_change(tmp_path: Path) -> None:
    """49 N has 1200 columns, 50 N has 800; a plane over both comes out as a plane."""

    def plane(lat: np.ndarray, lon: np.ndarray) -> np.ndarray:
        return 500 + 300 * (lat - 50)[:, None] + 100 * (lon - 8)[None, :]

    paths = [tile(tmp_path, lat, lon, plane(*nodes(lat, lon))) for lat in (49, 50) for lon in (7, 8)]
    window = grid(50.1, 7.9)
    found = read_elevation(paths, window)
    # a pixel is flat, 1/1200 of a degree high: at most 300 / 1200 / 2 + 100 / 800 / 2 = 0.19 m within a cell
    np.testing.assert_allclose(found, plane(window.lat, window.lon), atol=0.19)


def test_a_cell_on_a_seam_takes_of_each_tile_what_lies_in_it(tmp_path: Path) -> None:
    """The row of nodes on 50.0 N belongs to the southern tile; half of it, 1/2400 of a degree, lies north of 50.0."""
    paths = [tile(tmp_path, 49, 8, 200.0), tile(tmp_path, 50, 8, 100.0)]
    found = read_elevation(paths, grid(50.02, 8.1, rows=4))
    share = (1 / 2400) / 0.01  # 4.2 % of the cell 50.00 ... 50.01
    assert found[:, 0] == pytest.approx([100.0, 100 + 100 * share, 200.0, 200.0], abs=0.01)


def test_a_peak_stands_on_its_node(tmp_path: Path) -> None:
    lat, lon = nodes(47, 9)
    values = np.zeros((ROWS, lon.size))
    row, col = np.abs(lat - 47.505).argmin(), np.abs(lon - 9.255).argmin()  # the middle of a cell
    values[row, col] = 2880.0
    window = grid(47.6, 9.2)
    found = read_elevation([tile(tmp_path, 47, 9, values)], window)
    # one pixel of 12 x 12 in the cell: 2880 / 144 = 20 m, none in its neighbours
    assert found[window.index_of(47.505, 9.255)] == pytest.approx(20.0, rel=1e-3)
    assert np.count_nonzero(found > 1e-6) == 1


def test_absent_tiles_are_sea_and_missing_pixels_are_left_out_of_means(tmp_path: Path) -> None:
    values = np.full((ROWS, 1200), 80.0)
    values[:, ::2] = -32767.0  # every second column unknown
    found = read_elevation([tile(tmp_path, 45, 12, values, nodata=-32767.0)], grid(45.5, 11.9))
    # west of 12 E lies no tile, but for the half pixel (4 % of a cell) that the tile reaches over it
    assert (found[:, :9] == 0).all()
    assert found[:, 10:] == pytest.approx(80.0), "not a mean with -32767, nor with 0"


def test_heights_above_the_ellipsoid_and_other_projections_are_refused(tmp_path: Path) -> None:
    with pytest.raises(NotThisProductError, match="above the ellipsoid .EPSG:4979."):
        read_elevation([tile(tmp_path, 47, 9, 10.0, epsg=4979)], grid(47.6, 9.2))
    with pytest.raises(NotThisProductError, match="expected latitudes and longitudes"):
        read_elevation([tile(tmp_path, 47, 9, 10.0, epsg=3035)], grid(47.6, 9.2))


def gmted(folder: Path, values: np.ndarray, lat: np.ndarray, lon: np.ndarray) -> Path:
    """As its maker's script leaves it: ``surface_altitude`` int16, rows from the south, a ``crs`` beside."""
    attrs = {"units": "m", "standard_name": "surface_altitude", "grid_mapping": "crs"}
    dataset = xr.Dataset(
        {
            "surface_altitude": (("lat", "lon"), values.astype(np.int16), attrs),
            "crs": ((), np.array(b"")),
        },
        {"lat": lat, "lon": lon},
        {"comment": "GMTED2010 altitudes are referenced to the EGM96 geoid"},
    )
    path = folder / "GMTED2010_mean_7p5arcsec.nc4"
    dataset.to_netcdf(path, encoding={"surface_altitude": {"_FillValue": np.int16(-32768)}})
    return path


def gmted_axes(south: float, north: float, west: float, east: float) -> tuple[np.ndarray, np.ndarray]:
    """Pixel centres between: edges half an arc second south and west of whole degrees, 480 pixels a degree."""
    shift = 0.5 / 3600
    lat = south - shift + (np.arange(round((north - south) * 480)) + 0.5) / 480
    return lat, west - shift + (np.arange(round((east - west) * 480)) + 0.5) / 480


def test_gmted_is_read_by_its_coordinates_from_the_south(tmp_path: Path) -> None:
    lat, lon = gmted_axes(46.0, 49.0, 8.0, 10.0)  # 1440 rows: read in two pieces
    plane = 500 + 1000 * (lat - 46)[:, None] + 0 * lon[None, :]
    window = grid(48.6, 8.2, rows=200)
    found = read_elevation([gmted(tmp_path, plane, lat, lon)], window)
    # whole metres on disk, pixels of 2.1 m of slope
    np.testing.assert_allclose(found[:, 0], 500 + 1000 * (window.lat - 46), atol=1.6)


def small_world(tmp_path: Path, unknown: slice) -> tuple[Path, object]:
    domain = domain_from_corner("inland", "Bavaria", north=49.0, west=10.0, coarse_rows=4, coarse_cols=4)
    lat, lon = gmted_axes(46.0, 51.0, 8.0, 13.0)
    values = np.full((lat.size, lon.size), 500.0)
    values[(lat > 48)[:, None] & (lon > 10.1)[None, :] & (lon < 10.1 + 0.01 * unknown.stop)[None, :]] = -32768
    return gmted(tmp_path, values, lat, lon), domain


def test_land_without_elevation_is_said_and_much_of_it_refused(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path, domain = small_world(tmp_path, slice(0, 1))
    made = static_fields(domain, [path])  # type: ignore[arg-type]
    assert re.search(
        r"(\d+) land cells have no elevation in the files: \1 take that of the nearest", caplog.text
    )
    assert made["elevation"].max() == pytest.approx(500.0)
    path, domain = small_world(tmp_path, slice(0, 50))
    with pytest.raises(OutsideDomainError, match=r"(\d+.\d% of the land has no|The elevation covers)"):
        static_fields(domain, [path])  # type: ignore[arg-type]


def test_terrain_that_was_half_fetched_is_missing_and_not_sea(tmp_path: Path) -> None:
    recipe = DatasetRecipe(raw=tmp_path, domain=mini.DOMAIN, elevation=GLO90)
    source = load_manifest().source(GLO90)
    files = list(plain_files(source, mini.DOMAIN, tmp_path))
    for file in files[:-1]:
        file.path.parent.mkdir(parents=True, exist_ok=True)
        if file is files[0]:
            file.path.write_bytes(b"II*\x00")
            write_receipt(file, file.path, str(file.url), source)
        else:  # the provider has no such tile: sea
            write_receipt(file, file.path, str(file.url), source, absent=True)
    assert f"{GLO90} (1 tiles)" in recipe.missing([])
    write_receipt(files[-1], files[-1].path, str(files[-1].url), source, absent=True)
    assert not recipe.missing([])


def test_every_terrain_says_what_its_heights_are_above(tmp_path: Path) -> None:
    manifest = load_manifest()
    known = {s.id: s.grid.vertical for s in manifest.sources if "elevation" in s.role}
    assert known == {
        "elevation-etopo-2022": "EGM2008 geoid", GMTED: "EGM96 geoid", GLO90: "EGM2008 geoid",
    }  # fmt: skip
    text = Path(__file__).parents[3].joinpath("data_manifest.yaml").read_text()
    (tmp_path / "m.yaml").write_text(text.replace("      vertical: EGM96 geoid\n", ""))
    with pytest.raises(ManifestError, match="which geoid are heights above"):
        load_manifest(tmp_path / "m.yaml")


def test_sums_of_parts_are_the_mean_of_the_whole() -> None:
    window, generator = grid(46.0, 9.0), np.random.default_rng(5)
    lat, lon = 46.1 - (np.arange(400) + 0.5) / 900, 8.9 + (np.arange(500) + 0.5) / 900
    values = generator.normal(500, 100, (400, 500))
    values[:, 130:140] = np.nan
    whole = cell_means(values, lat, lon, window, least_share=0.01)
    total, share = (np.zeros(window.shape) for _ in range(2))
    for cut in (slice(0, 170), slice(170, 400)):
        rows, cols = touched(window, lat[cut], lon)
        part = cell_sums(values[cut], lat[cut], lon, window.window(rows, cols))
        total[rows, cols] += part[0]
        share[rows, cols] += part[1]
    np.testing.assert_allclose(np.where(share > 0.01, total / share, np.nan), whole, rtol=1e-6)
