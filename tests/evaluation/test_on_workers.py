"""Days scored on workers give the tables of one process; what fails is named, what is scored stays."""

from __future__ import annotations

import pandas as pd
import pytest
from typer.testing import CliRunner

from cranpm.cli.app import app
from cranpm.evaluation import on_workers
from cranpm.evaluation.development import evaluate_dataset
from cranpm.evaluation.on_workers import DaysNotScoredError, WorkersOf
from cranpm.forecasting.service.each_day import each_day

DAYS = 8
"""Of the dataset: init days are the second to the last."""


@pytest.fixture(scope="module")
def place(tmp_path_factory, scene, drawn):
    from cranpm.model.checkpoint import load_checkpoint, save_checkpoint

    root = tmp_path_factory.mktemp("workers")
    scene.write_scene(root / "own", domain=scene.SMALL, days=DAYS)
    scene.write_checkpoint(root / "plain", drawn)
    training = {"period": "2017-01-02..2020-12-28", "steps": 9, "recipe": {"seed": 4, "steps": 9}}
    statistics = load_checkpoint(root / "plain").require_statistics()
    save_checkpoint(root / "mine", drawn, statistics, meta={"training": training})
    return root


def run(place, out, **changes):
    return evaluate_dataset(place / "mine", place / "own", work=out, out=out, **({"days": 3} | changes))


@pytest.fixture(scope="module")
def alone(place, tmp_path_factory):
    return run(place, tmp_path_factory.mktemp("alone"))


def test_two_workers_give_the_tables_of_one_process_and_days_are_gone_on_with(
    place, alone, tmp_path, monkeypatch
):
    told = []

    def stop(stage, done, total, seconds_left):
        told.append((stage, done, total))
        if done == 1:
            raise KeyboardInterrupt

    workers = WorkersOf(processes=2)
    with pytest.raises(KeyboardInterrupt):
        run(place, tmp_path, workers=workers, progress=stop)
    scored = {path.name: path.stat().st_mtime_ns for path in tmp_path.rglob("2022-*.json")}
    assert scored
    together = run(place, tmp_path, workers=workers, progress=lambda *said: told.append(said[:3]))
    assert all(
        path.stat().st_mtime_ns == scored.get(path.name, path.stat().st_mtime_ns)
        for path in tmp_path.rglob("2022-*.json")
    )
    assert told[0] == ("forecasting and scoring on 2 worker(s)", 1, 3)
    rows = [pd.DataFrame(found.results["rows"]) for found in (together, alone)]
    pd.testing.assert_frame_equal(*rows, rtol=1e-5)
    assert together.results["about"]["left_out"] == alone.results["about"]["left_out"]


def test_what_one_day_holds_is_given_back_before_the_next(place, tmp_path, monkeypatch):
    """Maps of all methods and leads of a day take 45 MB here: held, six days would show."""
    asked = []
    monkeypatch.setattr(on_workers, "score_on_workers", lambda job, *_: asked.append(job) or 1 / 0)
    monkeypatch.setattr("cranpm.evaluation.development.score_on_workers", on_workers.score_on_workers)
    with pytest.raises(ZeroDivisionError):
        run(place, tmp_path, days=DAYS - 1, workers=WorkersOf(processes=2))
    (job,) = asked
    on_workers.Path(job.folder).mkdir(parents=True)
    client = on_workers.connect(None)
    try:
        outcomes = list(each_day(client, on_workers.score_day, (job,), job.part.days))
    finally:
        on_workers.disconnect(client)
    assert [outcome.error for outcome in outcomes] == [None] * (DAYS - 1)
    peaks = sorted(outcome.value for outcome in outcomes)  # one thread at a time: in the order of the days
    # each of the two threads keeps room of its own, which may come as late as the third day; held, the three days after
    # the fourth would add 135 MB
    assert peaks[-1] - peaks[3] < 60e6


def test_a_day_that_cannot_be_scored_is_named_and_the_others_are_kept(place, scene, tmp_path):
    root = tmp_path / "own"
    scene.write_scene(root, domain=scene.SMALL, days=4)
    from cranpm.data.store.dataset import Dataset

    slot = Dataset.open(root).listed_days.index(scene.FIRST_DAY + 2)
    (shard,) = (path for path in root.glob(f"pm2p5.zarr/pm2p5/c/{slot}/*/*"))
    shard.write_bytes(shard.read_bytes()[:1000])  # the third day's map is damaged
    out = tmp_path / "out"
    with pytest.raises(
        DaysNotScoredError, match=r"day\(s\) have no scores: .*StoreError|damaged.* goes on with the rest"
    ):
        evaluate_dataset(place / "mine", root, work=out, out=out, days=3, workers=WorkersOf(processes=2))


def test_a_protocol_is_scored_here(place):
    result = CliRunner().invoke(app, ["evaluate", "--checkpoint", str(place / "mine"), "--workers", "2"])
    assert result.exit_code == 2 and "--scheduler and --workers go with --data" in " ".join(
        result.output.split()
    )
