"""Which tiles a view touches."""

from __future__ import annotations

from types import ModuleType

from cranpm.dashboard.data.forecasts import tiles_in_view

from cranpm.domain import get_domain, plan_tiles


def test_tiles_in_view_come_first_nearest_first(scene: ModuleType):
    grid = get_domain("alps").fine
    # Milan lies at row 553, col 519 of 1392 x 1392: in tile (1, 1) of the 3 x 3 plan with starts 0, 440, 880
    tiles = tiles_in_view(grid.shape, grid, (9.0, 45.3, 9.4, 45.6))
    assert (
        plan_tiles(grid.shape).tiles[tiles[0]].rows.start
        <= 553
        < plan_tiles(grid.shape).tiles[tiles[0]].rows.stop
    )
    assert len(tiles) < 9
    assert tiles_in_view(grid.shape, grid, None) == []
