"""The protocol of final days: what may be scored, rivals beside, interrupted and gone on with, logged and written."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from cranpm.baselines.learned.checkpoint import save_rival
from cranpm.baselines.learned.kinds import get_rival
from cranpm.cli.app import app
from cranpm.data.store.source import DatasetSource, source_statistics
from cranpm.domain import DAY_CHANNELS, LEAD_DAYS, Statistics, domain_from_corner
from cranpm.evaluation import kept_days
from cranpm.evaluation.admission import ProtocolError, refuse_half_trained, refuse_seen_days, refuse_unfit
from cranpm.evaluation.final import evaluate_protocol
from cranpm.evaluation.looks import COLUMNS, LooksError, append_looks, count_looks, read_looks
from cranpm.evaluation.protocol import (
    DEVELOPMENT,
    FINAL,
    PROTOCOLS,
    FinalWorld,
    Protocol,
    build_worlds,
)
from cranpm.model.checkpoint import load_checkpoint, save_checkpoint
from cranpm.testbed.simulation.constants import DEFAULT_SEED
from cranpm.testbed.simulation.noise import day_number
from cranpm.testbed.simulation.world import BLOCK_DAYS

TINY = domain_from_corner("tiny", "Tiny", north=48.0, west=7.0, coarse_rows=21, coarse_cols=21)
TRAINED = {"training": {"period": "2017-01-02..2020-12-28"}}
PROTOCOL = Protocol(
    name="rehearsal",
    domain=TINY,
    fit_days=8,
    sets={
        # each the first days of a spin-up, which cost the least
        "A": (FinalWorld(world="world-1", seed=3, starts=("2023-02-08",), init_days=2, every=1),),
        "B": (FinalWorld(world="shifted", seed=4, starts=("2024-02-03",), init_days=2, every=1),),
    },
)


def test_the_final_sets_are_what_the_protocol_says():
    """Three other seeds with 48 init days in four seasons, and a shifted world; years that no split holds."""
    a, b = FINAL.sets.values()
    assert len({world.seed for world in FINAL.worlds} | {DEFAULT_SEED}) == 5
    assert {world.world for world in a} == {"world-1"} and [world.world for world in b] == ["shifted"]
    days = [day for world in a for day in world.days]
    assert len(days) == len(set(days)) == 48
    for world in FINAL.worlds:
        months = {int(str(day)[5:7]) for day in world.days}
        assert len({(month % 12) // 3 for month in months}) == 4
        # a window lies within one spin-up: across a seam of two, differences mean nothing
        for start, length in world.windows:
            assert day_number(start) // BLOCK_DAYS == (day_number(start) + length - 1) // BLOCK_DAYS
    assert min(FINAL.needed_days) > np.datetime64("2022-12-31")
    assert FINAL.logged and FINAL.domain == "europe"


def test_development_days_are_of_world_1_in_a_year_that_nothing_is_fitted_on():
    (world,) = DEVELOPMENT.worlds
    assert (world.world, world.seed, len(world.days)) == ("world-1", DEFAULT_SEED, 16)
    assert not DEVELOPMENT.logged and DEVELOPMENT.fit_days == FINAL.fit_days
    first, last = DEVELOPMENT.splits.test
    assert all(np.datetime64(first) <= day <= np.datetime64(last) for day in DEVELOPMENT.needed_days)
    for start, length in world.windows:
        assert day_number(start) // BLOCK_DAYS == (day_number(start) + length - 1) // BLOCK_DAYS


def test_a_date_names_one_day():
    same = FinalWorld(world="world-1", seed=1, starts=("2023-02-08",))
    with pytest.raises(ValueError, match="Windows of protocol 'p' overlap at 2023-02-07"):
        Protocol(name="p", sets={"A": (same,), "B": (replace(same, seed=2),)})


@pytest.mark.parametrize(
    ("training", "message"),
    [
        ({}, "does not say on which days it was trained"),
        (
            {"period": "2023-01-01..2023-02-09"},
            r"4 of the 12 days of protocol 'rehearsal' \(2023-02-07 to .*-10\) lie",
        ),
        (
            {
                "period": "2017-01-02..2019-12-28",
                "recipe": {"splits": {"validation": ["2024-01-01", "2024-12-31"]}},
            },
            r"6 of the 12 days .* lie in the validation period of checkpoint 'x', 2024-01-01 to 2024-12-31",
        ),
    ],
)
def test_a_checkpoint_that_has_seen_the_days_is_refused(training, message):
    if "2023-02-09" in str(training):
        message = message.replace("4 of", "3 of").replace("-10", "-09")
    with pytest.raises(ProtocolError, match=message):
        refuse_seen_days(
            PROTOCOL.needed_days, "protocol 'rehearsal'", {"training": training}, "checkpoint 'x'"
        )
    refuse_seen_days(PROTOCOL.needed_days, "protocol 'rehearsal'", TRAINED, "checkpoint 'x'")


def test_the_released_demo_may_be_scored():
    from cranpm import paths

    document = json.loads((paths.assets_dir() / "checkpoints" / "demo" / "config.json").read_text())
    for protocol in PROTOCOLS.values():
        refuse_seen_days(protocol.needed_days, protocol.name, document["meta"], "demo")
    refuse_half_trained(document["meta"], "demo")


def test_a_set_of_one_day_has_no_interval():
    with pytest.raises(ValueError, match="Set 'A' of protocol 'p' has 1 init day; intervals need 2 at least"):
        Protocol(
            name="p", sets={"A": (FinalWorld(world="world-1", seed=3, starts=("2023-02-08",), init_days=1),)}
        )


def test_what_is_half_trained_is_refused(tmp_path, drawn):
    half = {"period": "2017-01-02..2020-12-28", "steps": 120, "recipe": {"steps": 2400}}
    saved = save_checkpoint(tmp_path / "mine", drawn, meta={"training": half})
    with pytest.raises(
        ProtocolError, match="Checkpoint 'mine' is half-trained: 120 of 2400 steps. Go on with"
    ):
        refuse_unfit(PROTOCOL.needed_days, "protocol 'p'", load_checkpoint(saved.folder), [])


@pytest.mark.parametrize(
    ("training", "message"),
    [
        (
            {"period": "2017-01-02..2020-12-28", "steps": 40, "finished": False, "recipe": {"steps": 90}},
            "Rival '.*simvp' is half-trained: 40 of 90 steps",
        ),
        (
            {"period": "2023-02-01..2023-12-28", "steps": 90, "finished": True, "recipe": {"steps": 90}},
            "of protocol 'p' .* lie in the training period of rival '.*simvp', 2023-02-01 to 2023-12-28",
        ),
    ],
)
def test_a_rival_that_is_half_trained_or_has_seen_the_days_is_refused(tmp_path, drawn, training, message):
    saved = save_checkpoint(tmp_path / "mine", drawn, meta=TRAINED)
    config = get_rival("simvp", "tiny")
    names = [channel.name for channel in DAY_CHANNELS]
    statistics = Statistics(
        mean=dict.fromkeys(names, 0.0),
        std=dict.fromkeys(names, 1.0),
        period="2017-01-01..2017-01-02",
        source="made",
    )
    rival = save_rival(
        tmp_path / "simvp", config, config.build(), statistics, LEAD_DAYS, meta={"training": training}
    )
    with pytest.raises(ProtocolError, match=message):
        refuse_unfit(PROTOCOL.needed_days, "protocol 'p'", load_checkpoint(saved.folder), [rival.folder])


@pytest.fixture(scope="module")
def place(tmp_path_factory, geography_europe, geography_cache, drawn):
    """A folder with the worlds of `PROTOCOL`, and a checkpoint."""
    root = tmp_path_factory.mktemp("final")
    _, training = build_worlds(PROTOCOL, root / "work", cache_dir=geography_cache)
    source = DatasetSource(training)
    save_checkpoint(root / "mine", drawn, source_statistics(source, source.days), meta=TRAINED)
    return root


def run(place, cache, **changes):
    where = {"work": place / "work", "out": place / "out", "log": place / "looks.csv"}
    return evaluate_protocol(PROTOCOL, place / "mine", cache_dir=cache, **(where | changes))


@pytest.fixture(scope="module")
def found(place, geography_cache):
    """Interrupted after the first day, and gone on with."""
    assessed = []
    plain = kept_days.assess

    def counted(source, methods, days, *rest, **more):
        if len(assessed) == 1 and not counted.stopped:
            counted.stopped = True
            raise KeyboardInterrupt
        assessed.extend(days)
        return plain(source, methods, days, *rest, **more)

    counted.stopped = False
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kept_days, "assess", counted)
        with pytest.raises(KeyboardInterrupt):
            run(place, geography_cache)
        assert read_looks(place / "looks.csv") == [], "what nobody has seen is no look"
        scores = run(place, geography_cache)
    assert sorted(map(str, assessed)) == ["2023-02-08", "2023-02-09", "2024-02-03", "2024-02-04"]
    return scores


def test_every_rival_is_beside_it_on_the_same_cells(found):
    rows = pd.DataFrame(found.results["rows"])
    for name in PROTOCOL.sets:
        maps = rows[(rows["set"] == name) & (rows["where"] == "all land") & (rows["grid"] == "1 km")]
        assert set(maps["lead"]) == set(LEAD_DAYS)
        assert {
            *("persistence", "blurred persistence", "climatology", "damped persistence", "least squares"),
            "CRAN-PM mine",
        } <= set(maps["method"])
        assert maps.groupby("lead")["pairs"].nunique().eq(1).all()
        assert maps["ssim_100"].notna().all() and maps["area_rmse"].notna().all()
    stations = rows[(rows["reference"] == "stations") & (rows["where"] == "all stations")]
    assert len(stations) and set(stations["set"]) == set(PROTOCOL.sets)
    assert {"terrain complexity < 50 m", "terrain complexity >= 50 m"} <= set(rows["where"])
    similar = stations.set_index(["set", "lead", "method"])
    assert similar["ssim_100"].between(-1, 1).all() and similar["ssim_20"].between(-1, 1).all()
    assert (similar["ssim_20"] <= similar["ssim_100"]).all()  # a smaller range tells more apart
    rivals = stations[stations["method"] != "CRAN-PM mine"]
    assert (rivals["less_low"] <= rivals["less"]).all() and (rivals["less"] <= rivals["less_high"]).all()


def test_how_far_ours_is_below_a_rival_is_told_with_an_interval(found):
    rows = pd.DataFrame(found.results["rows"])
    maps = rows[
        (rows["set"] == "A") & (rows["where"] == "all land") & (rows["grid"] == "1 km") & (rows["lead"] == 1)
    ]
    of = maps.set_index("method")
    still = of.loc["persistence"]
    assert still["less"] == pytest.approx(1 - of.loc["CRAN-PM mine", "rmse"] / still["rmse"])
    assert still["less_low"] <= still["less"] <= still["less_high"]


def test_a_look_is_logged_a_line_a_set(place, found):
    looks = read_looks(place / "looks.csv")
    assert [look["set"] for look in looks] == ["A", "B"]
    assert (
        count_looks(place / "looks.csv", "rehearsal") == 1 and count_looks(place / "looks.csv", "final") == 0
    )
    rows = pd.DataFrame(found.results["rows"])
    maps = rows[
        (rows["set"] == "B") & (rows["where"] == "all land") & (rows["grid"] == "1 km") & (rows["lead"] == 2)
    ]
    rivals = maps[maps["method"] != "CRAN-PM mine"].set_index("method")["rmse"]
    assert looks[1]["best_rival_t2"] == rivals.idxmin()
    assert float(looks[1]["best_rival_rmse_t2"]) == pytest.approx(rivals.min(), abs=1e-4)
    assert looks[0]["checkpoint_hash"] == found.results["about"]["checkpoint"]["hash"]
    assert looks[0]["revision"] and looks[0]["date"]


def test_tables_are_written_in_four_forms(found):
    suffixes = {path.suffix: path for path in found.files}
    assert set(suffixes) == {".csv", ".json", ".md", ".tex"}
    tidy = pd.read_csv(suffixes[".csv"])
    assert len(tidy) == len(found.results["rows"])
    assert not tidy.duplicated(["set", "reference", "where", "grid", "lead", "method"]).any()
    page, paper = suffixes[".md"].read_text(), suffixes[".tex"].read_text()
    for said in (
        "world-1, seed 3",
        "shifted, seed 4",
        "2 init days",
        "CPU cores",
        "h of computing",
        "1 look(s)",
    ):
        assert said in page
    assert "Simulated: not comparable" in page and "SSIM" in page
    # of two sets both grids, stations at three lead times, and the land by terrain
    assert paper.count(r"\begin{tabular}") == paper.count(r"\end{tabular}") == 2 * (2 + 3 + 1)
    for words in (
        *("Table 1, A: product, all land, 1 km", "Table 1, B: product, all land, 25 km", "T+3 RMSE by area"),
        *("Table 2, A: stations, T+2", "blocks held out of training", "blocks that training may read"),
        "SSIM 100 / 20",
    ):
        assert words in page and words.replace("%", r"\%") in paper
    assert r"95 \%" not in page and r"\%" in paper
    document = json.loads(suffixes[".json"].read_text())
    assert document["sets"]["B"]["worlds"] == [{"world": "shifted", "seed": 4}]


def test_a_second_look_costs_nothing_and_is_seen(place, found, geography_cache, monkeypatch):
    monkeypatch.setattr(kept_days, "assess", lambda *_, **__: pytest.fail("all days are scored"))
    again = run(place, geography_cache)
    pd.testing.assert_frame_equal(*(pd.DataFrame(scores.results["rows"]) for scores in (again, found)))
    assert count_looks(place / "looks.csv", "rehearsal") == 2
    assert "2 look(s)" in next(path for path in again.files if path.suffix == ".md").read_text()


def test_where_looks_do_not_count_none_is_written(place, found, geography_cache, tmp_path, monkeypatch):
    """The same days, as development: their scores are kept already."""
    of_development = replace(PROTOCOL, logged=False)
    monkeypatch.setattr(kept_days, "assess", lambda *_, **__: pytest.fail("all days are scored"))
    where = {"work": place / "work", "out": tmp_path, "log": tmp_path / "looks.csv"}
    again = evaluate_protocol(of_development, place / "mine", cache_dir=geography_cache, **where)
    assert again.looks == [] and not (tmp_path / "looks.csv").exists()
    page = next(path for path in again.files if path.suffix == ".md").read_text()
    assert "Development days: anything may be chosen on them" in page and "look(s)" not in page


def test_the_shifted_world_is_another(place):
    from cranpm.data.store.dataset import Dataset

    work = place / "work" / "tiny"
    assert Dataset.open(work / "shifted-4").source == "testbed (simulated), world 'shifted'"
    assert Dataset.open(work / "world-1-3").meta["world"]["seed"] == 3
    assert Dataset.open(work / "training").meta["world"]["seed"] == DEFAULT_SEED


def test_another_file_is_no_log(tmp_path):
    (tmp_path / "notes.csv").write_text("a,b\n1,2\n")
    with pytest.raises(LooksError, match=r"notes.csv has other columns than a log of looks \(date, revision"):
        append_looks(tmp_path / "notes.csv", [])
    assert (tmp_path / "notes.csv").read_text() == "a,b\n1,2\n"


def test_lines_of_a_log_stay(tmp_path):
    line = dict.fromkeys(COLUMNS, "x") | {"checkpoint": 'a, "quoted" one'}
    for _ in range(2):
        append_looks(tmp_path / "log.csv", [line])
    assert read_looks(tmp_path / "log.csv") == [line, line]


def test_the_command_says_what_it_would_score(place, tmp_path):
    log = tmp_path / "log.csv"
    arguments = ["evaluate", "--checkpoint", str(place / "mine"), "--log", str(log), "--dry-run"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    said = " ".join(result.output.split())
    assert "final A: 48 init days, 2023-01-12 to 2025-10-20" in said
    assert "final B: 16 init days" in said and "shifted (seed 20261137)" in said
    assert not log.exists()


def test_the_command_says_that_development_days_are_no_look(place, tmp_path):
    arguments = ["evaluate", "--checkpoint", str(place / "mine"), "--protocol", "development", "--dry-run"]
    result = CliRunner().invoke(app, [*arguments, "--work", str(tmp_path)])
    assert result.exit_code == 0, result.output
    said = " ".join(result.output.split())
    assert "development: 16 init days, 2022-01-12 to 2022-10-27, of world-1 (seed 20260101)" in said
    assert "this is no look" in said and not list(tmp_path.iterdir())


def test_the_command_refuses_what_has_seen_the_days(place, tmp_path, drawn):
    save_checkpoint(tmp_path / "seen", drawn, meta={"training": {"period": "2023-01-01..2023-12-31"}})
    result = CliRunner().invoke(
        app, ["evaluate", "--checkpoint", str(tmp_path / "seen"), "--log", str(tmp_path / "log.csv")]
    )
    assert result.exit_code != 0
    assert "lie in the training period of checkpoint 'seen'" in " ".join(result.output.split())
    assert not (tmp_path / "log.csv").exists()
