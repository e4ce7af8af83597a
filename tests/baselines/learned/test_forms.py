"""From a trained rival to maps: both forms, gaps, the checkpoint."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from cranpm.baselines.learned.checkpoint import DOCUMENT, WEIGHTS, load_rival, save_rival
from cranpm.baselines.learned.days import read_change, read_inputs
from cranpm.baselines.learned.forms import INTERPOLATED, learned_rows
from cranpm.baselines.learned.kinds import get_rival
from cranpm.baselines.nodes import DayMaps
from cranpm.model.weights import CheckpointError

LEADS = (1, 2, 3)
FAIR = ", on today's map"


def saved(folder: Path, statistics, *, drawn: bool = True, kind: str = "simvp", **meta):
    torch.manual_seed(1)
    config = get_rival(kind, "tiny")
    network = config.build()
    if drawn:
        torch.nn.init.normal_(network.head.weight, 0, 0.05)
    return save_rival(folder, config, network, statistics, LEADS, meta=meta)


def rows_of(checkpoint, days):
    notes: list[str] = []
    rows = learned_rows(checkpoint, DayMaps(days), LEADS, notes)
    return rows, notes


def test_an_untrained_rival_is_persistence_bit_for_bit_in_the_fair_form(days, statistics, tmp_path) -> None:
    rows, _ = rows_of(saved(tmp_path / "r", statistics, drawn=False), days)
    today = days.pm2p5(days.days[3], slice(None), slice(None))
    for lead in LEADS:
        assert np.array_equal(rows["SimVP" + FAIR](days.days[3])[lead], today, equal_nan=True)


def test_both_forms_agree_where_today_has_no_detail_that_nodes_lose(days, statistics, tmp_path) -> None:
    """Today is a plane: its means at the nodes, interpolated, give it back, away from coast and edge."""
    rows, _ = rows_of(saved(tmp_path / "r", statistics), days)
    paper, fair = (rows["SimVP" + form](days.days[3]) for form in (INTERPOLATED, FAIR))
    today = days.pm2p5(days.days[3], slice(None), slice(None))
    inner = slice(30, 170), slice(200, 540)
    assert np.abs(fair[2][inner] - today[inner]).max() > 0.1, "this rival foretells a change"
    assert paper[2][inner] == pytest.approx(fair[2][inner], abs=2e-3)
    outside = np.isfinite(paper[2]) != np.isfinite(fair[2])
    assert not outside.any(), "and they are told at the same cells"


def test_a_gap_of_today_is_a_gap_of_the_forecast_and_never_zero(days, statistics, tmp_path) -> None:
    days.gap = (slice(60, 120), slice(250, 330))  # holds whole nodes
    rows, _ = rows_of(saved(tmp_path / "r", statistics), days)
    for method in rows.values():
        field = method(days.days[3])[1]
        assert np.isnan(field[days.gap]).all() and np.isnan(field[~days.land]).all()
        held = np.isfinite(field)
        assert held.sum() == days.land.sum() - 60 * 80 and field[held].min() > 5


def test_gaps_are_zero_with_support_zero_and_weigh_nothing(days, statistics) -> None:
    days.gap = (slice(60, 120), slice(250, 330))
    maps = DayMaps(days)
    inputs = read_inputs(days, maps.nodes, statistics, [days.days[3]])
    assert inputs.frames.shape == (1, 2, 37, 16, 24) and torch.isfinite(inputs.frames).all()
    fine, support = inputs.frames[0, 1, 35:]
    assert fine[4, 11] == 0 and support[4, 11] == 0
    assert float(support[2, 2]) == pytest.approx(1, rel=1e-6)
    # plane at the node (47.5 N, 6.5 E) of day 3: 20 + 3 + 2 * 0.5 + 0.5 * 0.5, in network units
    assert float(fine[2, 2]) == pytest.approx((24.25 - 15) / 20, abs=1e-3)
    change, weight = read_change(maps.nodes, days.days[3], LEADS, days.domain.coarse)
    assert torch.isnan(change[:, 4, 11]).all() and not weight[:, 4, 11].any()
    assert float(change[1, 2, 2]) == pytest.approx(2 / 20, abs=1e-5)
    assert float(weight[0, 2, 2]) == pytest.approx(np.cos(np.radians(47.5)), rel=1e-5)


def test_the_table_says_how_it_was_trained_and_that_a_training_is_half_done(
    days, statistics, tmp_path
) -> None:
    training = {"period": "2017-01-01..2019-12-31", "steps": 40}
    _, notes = rows_of(saved(tmp_path / "r", statistics, training=training), days)
    assert "40 steps on 2017-01-01..2019-12-31" in notes[0] and "did not come to its end" in notes[0]
    _, notes = rows_of(saved(tmp_path / "r", statistics, training={**training, "finished": True}), days)
    assert "end" not in notes[0]


@pytest.mark.parametrize("kind", ["convlstm", "topoflow"])
def test_a_checkpoint_reads_back_as_it_was(statistics, tmp_path, kind) -> None:
    before = saved(tmp_path / "r", statistics, kind=kind)
    after = load_rival(tmp_path / "r")
    assert after.hash == before.hash and after.config == before.config and after.leads == LEADS
    for name, tensor in before.network.state_dict().items():
        assert torch.equal(tensor, after.network.state_dict()[name])


def test_what_is_no_rival_is_refused_by_its_content(statistics, tmp_path) -> None:
    with pytest.raises(
        CheckpointError, match=r"rival.json is missing. Train one with 'cranpm train --recipe"
    ):
        load_rival(tmp_path / "nowhere")
    folder = saved(tmp_path / "r", statistics).folder
    weights = (folder / WEIGHTS).read_bytes()
    torch.save({"head": torch.zeros(3)}, folder / WEIGHTS)
    with pytest.raises(CheckpointError, match="is a pickled file"):
        load_rival(folder)
    (folder / WEIGHTS).write_bytes(weights[:-1] + bytes([weights[-1] ^ 1]))
    with pytest.raises(CheckpointError, match="is damaged"):
        load_rival(folder)
    (folder / WEIGHTS).write_bytes(weights)
    document = json.loads((folder / DOCUMENT).read_text())
    document["statistics"]["mean"]["u10"] = 9.0
    (folder / DOCUMENT).write_text(json.dumps(document))
    with pytest.raises(CheckpointError, match="was changed after saving"):
        load_rival(folder)


def test_a_foreign_folder_is_left_alone(statistics, tmp_path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("five years")
    with pytest.raises(CheckpointError, match="it is left alone"):
        saved(tmp_path / "mine", statistics)
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "five years"


def test_leads_that_it_was_not_trained_for_are_refused(days, statistics, tmp_path) -> None:
    rival = saved(tmp_path / "r", statistics)
    with pytest.raises(ValueError, match="lead times of 1, 2, 3 days; asked for 4"):
        learned_rows(rival, DayMaps(days), (1, 4), [])
