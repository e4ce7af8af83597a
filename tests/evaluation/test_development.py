"""Days of a dataset in the same tables as final days; what proves nothing is refused."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from cranpm.cli.app import app
from cranpm.data.store.dataset import Dataset
from cranpm.evaluation import kept_days
from cranpm.evaluation.admission import ProtocolError
from cranpm.evaluation.development import evaluate_dataset

DAYS = 5
"""Of the dataset: init days are the second to the last."""


@pytest.fixture(scope="module")
def place(tmp_path_factory, scene, drawn):
    """A dataset "own" and checkpoints: of other years, and of the very days."""
    from cranpm.model.checkpoint import load_checkpoint, save_checkpoint

    root = tmp_path_factory.mktemp("development")
    scene.write_scene(root / "own", days=DAYS)
    scene.write_checkpoint(root / "plain", drawn)
    statistics = load_checkpoint(root / "plain").require_statistics()
    for name, period in (("mine", "2017-01-02..2020-12-28"), ("seen", "2022-01-01..2022-01-12")):
        training = {
            "period": period,
            "steps": 9,
            "minutes": 7.5,
            "machine": "a test",
            "recipe": {"seed": 4, "steps": 9},
        }
        save_checkpoint(root / name, drawn, statistics, meta={"training": training})
    return root


def run(place, name="mine", **changes):
    wanted = {
        "work": place / "work",
        "out": place / "out",
        "days": 2,
        "start": "2022-01-11",
        "end": "2022-01-12",
    }
    return evaluate_dataset(place / name, place / "own", **(wanted | changes))


@pytest.fixture(scope="module")
def found(place):
    """Broken off after the first day, and gone on with."""
    plain, assessed = kept_days.assess, []

    def once(source, methods, days, *rest, **more):
        if assessed == [np.datetime64("2022-01-11")] and not once.stopped:
            once.stopped = True
            raise KeyboardInterrupt
        assessed.extend(days)
        return plain(source, methods, days, *rest, **more)

    once.stopped = False
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kept_days, "assess", once)
        with pytest.raises(KeyboardInterrupt):
            run(place)
        scores = run(place)
    assert list(map(str, assessed)) == ["2022-01-11", "2022-01-12"]
    return scores


def test_the_tables_are_those_of_final_days_and_say_that_these_are_not(found):
    of = {path.suffix: path for path in found.files}
    assert of[".md"].name.startswith("development-own-mine-") and found.looks == []
    page, paper = of[".md"].read_text(), of[".tex"].read_text()
    for words in (
        "Development days: anything may be chosen on them",
        "trained on 2017-01-02..2020-12-28, seed 4, 7.5 minutes on a test",
        "2 init days, 2022-01-11 to 2022-01-12",
        "dataset own",
        "Table 1, development: product, all land, 1 km",
        "Table 1, development: product, all land, 25 km",
        "Table 2, development: stations, T+1",
        "Left out: climatology",
    ):
        assert words in page
    assert "Seed of training 4" in paper and r"\caption{Table 2" in paper
    tidy = pd.read_csv(of[".csv"])
    assert not tidy.duplicated(["set", "reference", "where", "grid", "lead", "method"]).any()
    whole = tidy[(tidy["where"] == "all land") & (tidy["grid"] == "1 km") & (tidy["lead"] == 1)]
    assert whole.groupby("reference")["pairs"].nunique().eq(1).all()
    still, ours = (whole.set_index("method").loc[name] for name in ("persistence", "CRAN-PM mine"))
    assert still["less"] == pytest.approx(1 - ours["rmse"] / still["rmse"], abs=1e-4)
    document = json.loads(of[".json"].read_text())
    assert document["dataset"] == "own" and document["simulated"] is True and document["looks"] is None


def test_means_and_errors_of_each_day_stand_beside_the_tables(found):
    """They pool to the table's own figures."""
    (path,) = [path for path in found.files if path.name.endswith("-daily.csv")]
    daily = pd.read_csv(path)
    assert set(daily["init_day"]) == {"2022-01-11", "2022-01-12"}
    whole = daily[(daily["where"] == "all land") & (daily["lead"] == 1) & (daily["method"] == "persistence")]
    rmse = np.sqrt((whole["squared"] * whole["cells"]).sum() / whole["cells"].sum())
    table = pd.DataFrame(found.results["rows"])
    chosen = (table["where"] == "all land") & (table["lead"] == 1) & (table["grid"] == "1 km")
    (row,) = table[chosen & (table["method"] == "persistence")].to_dict("records")
    assert rmse == pytest.approx(row["rmse"], abs=1e-4) and whole["cells"].sum() == row["pairs"]


def test_a_figure_of_table_1_is_that_of_the_maps(place, found):
    """Persistence against the product, by hand."""
    data = Dataset.open(place / "own")
    land = np.asarray(data.static["land"]).astype(bool)
    errors = []
    for day in ("2022-01-11", "2022-01-12"):
        today, then = (np.asarray(data.pm2p5(np.datetime64(day) + k)) for k in (0, 1))
        errors.append((today - then)[land & np.isfinite(today) & np.isfinite(then)])
    rows = pd.DataFrame(found.results["rows"])
    row = rows[(rows["where"] == "all land") & (rows["grid"] == "1 km") & (rows["lead"] == 1)]
    row = row[row["method"] == "persistence"].iloc[0]
    assert row["pairs"] == sum(map(len, errors))
    assert row["rmse"] == pytest.approx(np.sqrt(np.mean(np.concatenate(errors) ** 2)), rel=1e-5)


def test_scored_days_are_not_scored_again(place, found, monkeypatch):
    monkeypatch.setattr(kept_days, "assess", lambda *_, **__: pytest.fail("all days are scored"))
    again = run(place)
    pd.testing.assert_frame_equal(*(pd.DataFrame(scores.results["rows"]) for scores in (again, found)))


def test_a_valid_day_that_came_later_is_scored(place, found, scene, tmp_path):
    """The same init days of a dataset that held one day less: T+3 of the second had no product."""
    scene.write_scene(tmp_path / "own", days=DAYS - 1)
    where = {"work": place / "work", "out": tmp_path / "out", "start": "2022-01-11", "end": "2022-01-12"}
    before = evaluate_dataset(place / "mine", tmp_path / "own", days=2, **where)
    pairs = []
    for scores in (before, found):
        rows = pd.DataFrame(scores.results["rows"])
        whole = rows[
            (rows["where"] == "all land") & (rows["grid"] == "1 km") & (rows["method"] == "persistence")
        ]
        pairs.append(whole.set_index("lead")["pairs"])
    assert pairs[0][1] == pairs[1][1] and 2 * pairs[0][2] == pairs[1][2] and 3 not in pairs[0]


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        (
            "seen",
            {},
            r"3 of the 5 days of dataset 'own' \(2022-01-10 to 2022-01-12\) lie in the training period of",
        ),
        ("plain", {}, "Checkpoint 'plain' does not say on which days it was trained"),
        ("mine", {"days": 1}, r"1 init day of dataset 'own' was chosen .*; intervals redraw days and need 2"),
    ],
)
def test_what_proves_nothing_is_refused_by_name(place, name, changes, message):
    with pytest.raises(ProtocolError, match=message):
        run(place, name, **changes)


def test_days_without_a_reference_are_no_table(place, tmp_path, scene, monkeypatch):
    with pytest.raises(LookupError, match="No init day"):
        run(place, start="2023-01-01", end="2023-02-01", work=tmp_path)


def test_a_dataset_and_a_protocol_exclude_each_other(place):
    arguments = ["evaluate", "--data", str(place / "own"), "--protocol", "final"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code not in (0, None)
    assert "--protocol and --data exclude each other" in " ".join(result.output.split())


def test_the_command_writes_where_it_is_told(place, found, tmp_path):
    arguments = ["evaluate", "--checkpoint", str(place / "mine"), "--data", str(place / "own"), "--days", "2"]
    arguments += ["--start", "2022-01-11", "--end", "2022-01-12"]
    result = CliRunner().invoke(app, [*arguments, "--work", str(place / "work"), "--out", str(tmp_path)])
    assert result.exit_code == 0, result.output
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".csv", ".csv", ".json", ".md", ".tex"]
