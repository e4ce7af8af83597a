"""``cranpm physics`` on a small scene, and the page it writes."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from cranpm.cli.app import app
from cranpm.explain.pictures import interval_figure
from cranpm.explain.report import interval_text, markdown, verdicts


@pytest.fixture(scope="module")
def machine(scene, drawn, tmp_path_factory):
    """Folders of a dataset of 688 x 688 cells and of a checkpoint with weights drawn at random."""
    folder = tmp_path_factory.mktemp("machine")
    data = scene.write_scene(folder / "scene", domain=scene.SMALL, days=5)
    return ["--data", str(data), "--checkpoint", str(scene.write_checkpoint(folder / "drawn", drawn))]


def test_the_command_gives_rows_with_intervals_as_json_and_writes_a_page(machine, tmp_path):
    out = tmp_path / "results" / "physics.json"
    quick = "--days 2 --tiles 1 --puffs 0 --places 0 --json --device cpu".split()
    only = ["--only", "wind flip", "--only", "terrain zero"]
    result = CliRunner().invoke(app, ["physics", *machine, *quick, *only, "--out", str(out)])
    assert result.exit_code == 0, result.output
    printed = json.loads(result.stdout.splitlines()[-1])
    assert printed == json.loads(out.read_text())
    assert len(printed["rows"]) == 6
    keys = {
        "intervention",
        "form",
        "lead",
        "rmse_change_pct",
        "ci_low",
        "ci_high",
        "forecast_change_rms",
    }
    assert all(keys <= set(row) for row in printed["rows"])
    assert {row["form"] for row in printed["rows"]} == {"priors", "channels", "both"}
    assert printed["simulated"] and len(printed["init_days"]) == 2
    page = out.with_suffix(".md").read_text()
    assert "not real data" in page and "| wind flip | priors | land |" in page
    assert out.with_suffix(".png").stat().st_size > 5000


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--lead", "4"], "lead times must be among 1 2 3 days, got 4"),
        (["--out", "physics.csv"], "written as .json"),
        (["--only", "rain"], "No intervention called 'rain'"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_line(machine, arguments, message):
    result = CliRunner().invoke(app, ["physics", *machine, *arguments])
    assert result.exit_code == 2
    assert message in " ".join(result.output.replace("│", " ").split())


def row(name, form, region, value, low, high):
    return {
        "intervention": name, "form": form, "region": region, "lead": 1, "rmse": 2.0, "rmse_change_pct": value,
        "ci_low": low, "ci_high": high, "forecast_change_rms": 0.1, "forecast_change_max": 1.0,
    }  # fmt: skip


def test_goals_are_met_or_missed_by_their_own_rule():
    results = {
        "rows": [
            row("wind flip", "both", "land", 6.0, 3.0, 9.0),
            row("wind flip", "priors", "land", 0.5, 0.1, 0.9),
            row("terrain zero", "priors", "near barriers > 700 m", 0.5, -0.1, 0.9),
        ],
        "puff": [
            {"wind": "as it was", "lead": 1, "cosine": 0.8, "cosine_low": 0.4, "cosine_high": 0.9},
        ],
    }
    met = {v["goal"]: v["met"] for v in verdicts(results)}
    assert met["wind flip, both: T+1 RMSE >= +5 %"] is True
    assert met["wind flip, priors: interval excludes 0"] is True
    assert met["wind flip, priors: >= +1 %"] is False
    assert met["terrain zero near barriers, priors: interval > 0"] is False
    assert met["puff, T+1: cosine >= 0.7, interval above 0.5"] is False, "its interval reaches below 0.5"
    assert met["CAMS zero: >= +2 %"] is None, "not measured is not failed"


def test_a_page_and_a_picture_can_be_made_without_intervals():
    one_day = row("wind flip", "both", "land", 6.0, None, None)
    results = {
        "simulated": True, "checkpoint": {"name": "c", "hash": "0" * 64, "preset": "tiny"}, "init_days": ["2021-03-01"],
        "split": "test", "block_days": 1, "tiles": {"land": [1], "mountains": []}, "leads": [1], "rows": [one_day],
        "command": "cranpm physics",
    }  # fmt: skip
    assert "| wind flip | both | land | 2.000 | +6.00 |" in markdown(results)
    interval_figure(results).canvas.draw()
    assert interval_text(1.0, 0.5, 1.5) == "+1.00 [+0.50, +1.50]"
    assert interval_text(float("nan"), None, None) == "-"
