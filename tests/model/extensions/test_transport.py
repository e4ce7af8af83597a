"""Transport: air comes from upwind, mountains keep it back, and a head can multiply what it brings."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from cranpm.domain import COARSE_CHANNELS, channel_index
from cranpm.model import CranPM, ModelConfig, tiny
from cranpm.model.extensions.transport import Transport, at_cells, follow_back, metres_to_nodes, node_places
from cranpm.model.layers.embed import smooth_nodes

LATITUDE = torch.linspace(60.0, 46.25, 56)
ROWS = COLUMNS = 56


def transport(length: float = 1.0) -> Transport:
    made = Transport(8, 8, 3)
    made.reset()
    made.length = length
    return made


def carry_along(part: Transport, pm2p5: torch.Tensor, wind: tuple[float, float], elevation=None, valid=None):
    """Upwind differences for a uniform wind over a field (H, W)."""
    field = torch.tensor(wind)[None, :, None, None].expand(1, 2, ROWS, COLUMNS)
    ground = torch.zeros(1, ROWS, COLUMNS) if elevation is None else elevation[None]
    tokens = torch.randn(1, 49, 8)
    return part(tokens, (7, 7), pm2p5[None], field, ground, LATITUDE, valid)


carry = torch.no_grad()(carry_along)


def puff(row: int, column: int) -> torch.Tensor:
    field = torch.zeros(ROWS, COLUMNS)
    field[row, column] = 1.0
    return field


@pytest.mark.parametrize(
    ("wind", "moved"), [((1, 0), (0, 1)), ((-1, 0), (0, -1)), ((0, 1), (-1, 0)), ((0, -1), (1, 0))]
)
def test_a_puff_arrives_downwind(wind, moved):
    # in 24 h, wind w covers w * 86.4 km; a node row is 27.8 km: 9.65 m/s for 30 rows, columns shrink with cos(lat)
    row = column = 28
    shrink = math.cos(math.radians(float(LATITUDE[row]))) if wind[0] else 1.0
    speed = 10 * 0.25 * 111.2 / 86.4 * shrink
    upwind, _ = carry(transport(), puff(row, column), (wind[0] * speed, wind[1] * speed))
    arrived = upwind[0, 0, 1]  # lead 1, the whole way
    place = divmod(int(arrived.argmax()), COLUMNS)
    assert place == (row + 10 * moved[0], column + 10 * moved[1])
    assert arrived.max() > 0.9
    assert arrived[row, column] == pytest.approx(-1.0, abs=0.02)  # what was there has left


def test_a_longer_lead_looks_farther_back():
    speed = 3 * 0.25 * 111.2 / 86.4
    upwind, _ = carry(transport(), puff(28, 28), (0.0, speed))
    for lead in (1, 2, 3):
        whole = upwind[0, lead - 1, 1]
        assert divmod(int(whole.argmax()), COLUMNS) == (28 - 3 * lead, 28)


def test_calm_air_brings_nothing():
    upwind, _ = carry(transport(), torch.rand(ROWS, COLUMNS), (0.0, 0.0))
    assert not upwind.any()


def test_paths_of_no_length_bring_nothing():
    upwind, _ = carry(transport(length=0.0), torch.rand(ROWS, COLUMNS), (8.0, 3.0))
    assert not upwind.any()


def test_a_ridge_between_source_and_place_keeps_air_back():
    speed = 10 * 0.25 * 111.2 / 86.4
    ridge = torch.zeros(ROWS, COLUMNS)
    ridge[22:25] = 1000.0  # between the puff (row 28) and where it arrives (row 18)
    free, _ = carry(transport(), puff(28, 28), (0.0, speed))
    held, _ = carry(transport(), puff(28, 28), (0.0, speed), ridge)
    # alpha 2, a climb of 1000 m: exp(-2)
    assert held[0, 0, 1, 18, 28] / free[0, 0, 1, 18, 28] == pytest.approx(math.exp(-2), rel=1e-3)
    behind = torch.zeros(ROWS, COLUMNS)
    behind[34:37] = 1000.0  # beyond the source: in nobody's way
    same, _ = carry(transport(), puff(28, 28), (0.0, speed), behind)
    assert same[0, 0, 1, 18, 28] == free[0, 0, 1, 18, 28]


def test_nothing_is_invented_from_gaps_or_from_beyond_the_grid():
    valid = torch.ones(1, ROWS, COLUMNS, dtype=torch.bool)
    valid[0, 20:30] = False
    speed = 10 * 0.25 * 111.2 / 86.4
    upwind, paths = carry(transport(), torch.rand(ROWS, COLUMNS) + 5, (0.0, speed), valid=valid)
    whole = upwind[0, 0, 1]
    assert (whole[20:30] == 0).all()  # unknown here
    assert (whole[10:20] == 0).all()  # unknown where it comes from
    assert (whole[46:] == 0).all()  # comes from beyond the southern edge
    assert (whole[30:46] != 0).all()
    assert paths.shape == (1, 6, 2, ROWS, COLUMNS)


def test_wind_in_metres_becomes_nodes():
    per_metre = metres_to_nodes(LATITUDE)
    one_row = 0.25 * 111_200  # metres
    assert per_metre[0, 0] * one_row == pytest.approx(-1.0, rel=1e-5)  # northward is towards smaller rows
    at_60 = per_metre[1, 0] * one_row * 0.5  # a column is half as wide at 60 N
    assert at_60 == pytest.approx(1.0, rel=1e-5)


def test_back_trajectories_turn_with_the_wind():
    # solid rotation about the middle: six hours at a time the path keeps its distance to within Euler's error
    row, column = torch.meshgrid(torch.arange(56.0), torch.arange(56.0), indexing="ij")
    turn = 2 * math.pi / (24 * 20)
    wind = torch.stack([(column - 28) * turn, -(row - 28) * turn])[None]
    paths, _, _ = follow_back(wind, torch.zeros(1, 56, 56), (120.0,))
    end = paths[0, 0, :, 28, 38]  # a quarter turn back from 10 columns east of the middle
    assert torch.hypot(end[0] - 28, end[1] - 28) == pytest.approx(10, rel=0.25)
    assert abs(float(end[1]) - 28) < 2.5


def test_coarse_fields_reach_fine_cells_bilinearly():
    axes = torch.linspace(60.0, 46.25, 56), torch.linspace(4.0, 17.75, 56)
    ramp = 2 * axes[0][:, None] + 3 * axes[1][None]
    latitude = (59.995 - 0.01 * torch.arange(128.0) - torch.tensor([[0.0], [3.3]])).clamp_min(46.25)
    longitude = 4.005 + 0.01 * torch.arange(128.0) + torch.tensor([[1.0], [12.0]])
    found = at_cells(ramp.expand(2, 1, 56, 56), axes, latitude, longitude)
    wanted = 2 * latitude[:, None, :, None] + 3 * longitude[:, None, None, :]
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-3)
    beyond = at_cells(ramp.expand(1, 1, 56, 56), axes, torch.full((1, 4), 46.0), torch.full((1, 4), 18.0))
    torch.testing.assert_close(beyond, ramp[-1, -1].expand(1, 1, 4, 4))


def test_the_channel_carried_is_cams_pm2p5_of_day_t():
    assert ModelConfig().pm2p5_channel == channel_index("pm2p5@t", COARSE_CHANNELS)


def test_what_neighbouring_tokens_say_passes_into_each_other():
    step = torch.zeros(1, 1, 16, 32)
    step[..., 16:] = 1.0
    smooth = smooth_nodes(step, 2.0)
    assert smooth.diff(dim=-1).max() < 0.21 and (smooth.diff(dim=-1) >= -1e-6).all()
    assert smooth[0, 0, 8, 15] + smooth[0, 0, 8, 16] == pytest.approx(1.0, abs=1e-5)
    assert torch.allclose(smooth_nodes(torch.full((2, 3, 8, 8), 5.0), 2.0), torch.tensor(5.0))
    assert smooth_nodes(step, 0.0) is step
    with torch.autocast("cpu", torch.bfloat16):  # the weights still sum to one
        assert torch.allclose(smooth_nodes(torch.ones(1, 1, 8, 8), 2.0), torch.tensor(1.0), atol=1e-6)


def test_transport_needs_a_growing_head():
    with pytest.raises(ValueError, match="growth"):
        replace(tiny(), growth=False)
    with pytest.raises(ValueError, match="transport"):
        replace(tiny(), fusion="none", coarse_forecast=False, coarse_predictors=False)


def test_the_paper_has_none():
    assert CranPM(replace(tiny(), transport=False)).transport is None
    assert not ModelConfig().transport


@pytest.mark.parametrize("push", [(3.0, 0.0), (-3.0, 0.0), (0.0, 3.0), (2.0, -2.0)])
@torch.no_grad()
def test_a_bounded_correction_turns_a_path_by_at_most_thirty_degrees(push):
    part = Transport(8, 8, 3, freedom=0.5)
    part.reset()
    part.correct.bias.view(2, -1)[:] = torch.tensor(push)[:, None]  # 15 m/s against a wind of 4
    _, paths = carry_along(part, torch.rand(ROWS, COLUMNS), (0.0, 4.0))
    _, straight = carry_along(transport(), torch.rand(ROWS, COLUMNS), (0.0, 4.0))
    per_metre = metres_to_nodes(LATITUDE)
    way, plain = ((p - node_places(ROWS, COLUMNS, p)) / per_metre for p in (paths, straight))
    way, plain = way[..., :20, :], plain[..., :20, :]  # from here the air comes from within the grid
    cosine = torch.nn.functional.cosine_similarity(way, plain, dim=2)
    assert cosine.min() > math.cos(math.radians(30)) - 1e-3
    detour = (way - plain).norm(dim=2) / plain.norm(dim=2)
    torch.testing.assert_close(detour, torch.full_like(detour, 0.5), atol=1e-3, rtol=0)


@torch.no_grad()
def test_a_small_correction_is_left_alone_by_its_bound():
    free, bound = transport(), Transport(8, 8, 3, freedom=0.5)
    for part in (free, bound):
        part.reset()
        part.correct.bias.fill_(0.1)  # 0.7 m/s
    ways = [carry_along(part, torch.rand(ROWS, COLUMNS), (4.0, 4.0))[1] for part in (free, bound)]
    torch.testing.assert_close(*ways)


def test_a_bound_in_calm_air_gives_finite_gradients():
    part = Transport(8, 8, 3, freedom=0.5)
    part.reset()
    upwind, _ = carry_along(part, torch.rand(ROWS, COLUMNS), (0.0, 0.0))
    upwind.square().sum().backward()
    assert torch.isfinite(part.correct.bias.grad).all()


def test_a_negative_bound_is_refused():
    with pytest.raises(ValueError, match="path_freedom is -1"):
        replace(tiny(), path_freedom=-1)


@pytest.mark.parametrize("gap_masks", [True, False])
def test_a_gap_in_pm2p5_alone_brings_no_air(build, coarse, gap_masks):
    """A uniform field has no upwind differences; a hole in it, filled with the mean, must make none.

    Version 0.1 made some (its networks keep doing so), since other channels are known there.
    """
    network = build(gap_masks=gap_masks)
    inputs = coarse()
    fields, known = inputs.fields.clone(), torch.ones(1, *inputs.fields.shape[-2:], dtype=torch.bool)
    fields[:, network.config.pm2p5_channel] = 1.5
    known[:, 20:30, 40:60] = False
    fields[:, network.config.pm2p5_channel][~known] = 0.0
    with torch.no_grad():
        upwind = network.encode_global(replace(inputs, fields=fields, known_pm2p5=known)).upwind
    # a point counts as known where a thousandth of its weight at most is not
    assert bool((upwind.abs() > 0.001 * 1.5).any()) is not gap_masks


def test_without_barriers_mountains_keep_nothing_back():
    wall = torch.zeros(ROWS, COLUMNS)
    wall[:, 15:30] = 3000.0
    free = Transport(8, 8, 3, barriers=False)
    free.reset()
    there, _ = carry(free, puff(28, 8), (8.0, 0.0), wall)
    flat, _ = carry(transport(), puff(28, 8), (8.0, 0.0))
    assert free.alpha is None and torch.equal(there, flat)
    assert carry(transport(), puff(28, 8), (8.0, 0.0), wall)[0].max() < 0.1 * flat.max()
