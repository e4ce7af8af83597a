"""`cranpm score` as a user calls it, on a small dataset whose scores can be worked out."""

from __future__ import annotations

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from cranpm.cli.app import app


def score(*arguments):
    return CliRunner().invoke(app, ["score", *map(str, arguments)])


@pytest.fixture(scope="module")
def machine(scene, tmp_path_factory):
    """Five days, a network that has learned nothing (persistence), and the command's results."""
    from cranpm.model import CranPM, tiny

    root = tmp_path_factory.mktemp("machine")
    scene.write_scene(root / "data", domain=scene.SMALL, days=5)
    scene.write_checkpoint(root / "untrained", CranPM(tiny()).eval())
    return root


@pytest.fixture(scope="module")
def results(machine):
    out = machine / "scores" / "mini.json"
    result = score("--data", machine / "data", "--checkpoint", machine / "untrained", "--out", out)
    assert result.exit_code == 0, result.output
    return json.loads(out.read_text()), out, result.output


def row(results, **wanted):
    (found,) = (r for r in results["rows"] if all(r.get(k) == v for k, v in wanted.items()))
    return found


def test_maps_are_scored_against_the_product(results, scene):
    scores, _, _ = results
    # init days with the day before: the second to the fifth; a lead of one day has targets for three of them
    assert len(scores["init_days"]) == 4
    error = np.concatenate(
        [
            (scene.pm2p5_of(day, scene.SMALL) - scene.pm2p5_of(day + 1, scene.SMALL)).ravel()
            for day in (1, 2, 3)
        ]
    )
    error = error[np.isfinite(error)]
    held = row(scores, reference="product", where="all land", grid="1 km", method="persistence", lead=1)
    assert held["pairs"] == len(error)
    assert held["bias"] == pytest.approx(error.mean(), abs=0.02)  # the store keeps tenths
    assert held["rmse"] == pytest.approx(np.sqrt((error**2).mean()), abs=0.02)


def test_stations_are_scored_too_and_an_untrained_network_is_persistence(results, scene):
    scores, _, _ = results
    ours = row(scores, reference="stations", where="all stations", method="CRAN-PM untrained", lead=1)
    held = row(scores, reference="stations", where="all stations", method="persistence", lead=1)
    assert held["bias"] < -2  # yesterday's air is cleaner, and stations see a tenth more
    assert ours["rmse"] == held["rmse"] and ours["skill"] == 0
    assert row(scores, reference="stations", where="traffic", method="persistence", lead=1)["pairs"] > 0


def test_every_rival_that_the_days_allow_is_in_the_table_and_the_others_are_told_why(results):
    """The scene lies in 2022: nothing may be fitted on it."""
    scores, _, _ = results
    assert {r["method"] for r in scores["rows"]} == {
        "persistence",
        "blurred persistence",
        "CAMS global forecast (simulated)",
        "CAMS global forecast, on today's map (simulated)",
        "CAMS global analysis, persisted (simulated)",
        "CRAN-PM untrained",
    }
    assert [line.split(":")[0] for line in scores["left_out"]] == [
        "climatology",
        "damped persistence",
        "least squares",
    ]
    assert all("no training days" in line for line in scores["left_out"])
    rows = [r for r in scores["rows"] if r["where"] == "all land" and r["grid"] == "1 km" and r["lead"] == 2]
    assert len(rows) == 6 and len({r["pairs"] for r in rows}) == 1, "the same cells for all"


def test_the_page_says_what_was_compared_and_that_it_is_simulated(results):
    _, out, said = results
    page = out.with_suffix(".md").read_text()
    assert page.strip() in said
    for words in (
        "Simulated: not comparable",
        "4 init days",
        "damped persistence: no training days",
        "## Stations",
    ):
        assert words in page
    assert out.with_suffix(".png").stat().st_size > 5000


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--start", "2023-01-01"), "No init day with the day before it"),
        (("--against", "luck"), "against must be one of persistence"),
        (("--lead", "1", "9"), "lead times must be among 1 2 3 days, got 1 9"),
        (("--out", "scores.csv"), "Results are written as .json"),
    ],
)
def test_what_cannot_be_scored_is_said(machine, arguments, message):
    result = score("--data", machine / "data", "--checkpoint", machine / "untrained", *arguments)
    assert result.exit_code == 2 and message in " ".join(result.output.replace("│", " ").split())


def test_an_earlier_result_is_not_overwritten_unasked_and_before_the_work(machine, tmp_path):
    out = tmp_path / "scores.json"
    out.with_suffix(".md").write_text("somebody's notes")
    where = ("--data", machine / "data", "--checkpoint", machine / "untrained", "--out", out)
    for command in (["score"], ["physics"]):
        result = CliRunner().invoke(app, [*command, *map(str, where)])
        said = " ".join(result.output.split())
        assert result.exit_code == 2 and "nothing was overwritten" in said and "--overwrite" in said
    assert out.with_suffix(".md").read_text() == "somebody's notes" and len(list(tmp_path.iterdir())) == 1


def test_pages_of_others_beside_a_result_are_left_alone_even_if_asked(machine, tmp_path):
    (tmp_path / "README.md").write_text("somebody's page")
    where = ("--data", machine / "data", "--checkpoint", machine / "untrained")
    result = score(*where, "--out", tmp_path / "README.json", "--overwrite")
    assert result.exit_code == 2 and "left alone, also with --overwrite" in " ".join(result.output.split())
    assert (tmp_path / "README.md").read_text() == "somebody's page"


@pytest.mark.parametrize("command", ["report", "ladder"])
def test_pages_of_the_testbed_see_before_the_simulation_that_they_cannot_be_written(
    command, tmp_path, monkeypatch
):
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(
        "cranpm.testbed.geography.geography.load_geography", lambda *_: pytest.fail("too late")
    )
    result = CliRunner().invoke(app, ["testbed", command, "--out", str(tmp_path / "file" / "pages")])
    assert result.exit_code == 2 and "is a file, expected a folder" in " ".join(result.output.split())


def test_a_geography_is_not_overwritten_unasked(tmp_path):
    (tmp_path / "geography.npz").write_text("precious")
    result = CliRunner().invoke(
        app, ["testbed", "export-geography", "--out", str(tmp_path / "geography.npz")]
    )
    assert result.exit_code == 2 and "nothing was overwritten" in " ".join(result.output.split())
    assert (tmp_path / "geography.npz").read_text() == "precious"


def test_scores_do_not_depend_on_threads(machine):
    import torch

    import cranpm

    def scores(threads):
        before = torch.get_num_threads()
        torch.set_num_threads(threads)
        try:
            return cranpm.score(machine / "untrained", machine / "data", days=1, leads=1).table()
        finally:
            torch.set_num_threads(before)

    one, two = scores(1), scores(2)
    np.testing.assert_allclose(one.to_numpy(float), two.to_numpy(float), rtol=1e-6)


def test_tables_tell_ssim_area_weights_and_terrain(results):
    scores, _, output = results
    for grid in ("1 km", "25 km"):
        held = row(scores, reference="product", where="all land", grid=grid, method="persistence", lead=1)
        assert -1 <= held["ssim_20"] <= held["ssim_100"] <= 1
    held = row(scores, reference="product", where="all land", grid="1 km", method="persistence", lead=1)
    assert held["area_rmse"] == pytest.approx(held["rmse"], rel=0.1)
    assert "SSIM (range 100)" in output and "SSIM (range 20)" in output and "RMSE by area" in output
    of_terrain = [
        r
        for r in scores["rows"]
        if r["where"].startswith("terrain complexity") and (r["reference"], r["grid"]) == ("product", "1 km")
    ]
    parts = [r["pairs"] for r in of_terrain if r["method"] == "persistence" and r["lead"] == 1]
    assert sum(parts) == held["pairs"]
    assert "## Flat and complex terrain" in output
