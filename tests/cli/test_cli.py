from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cranpm.cli.app import app
from cranpm.cli.console import stages

runner = CliRunner()


@pytest.fixture(autouse=True)
def empty_machine(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CRANPM_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("COLUMNS", "200")


def test_info_tells_grid_channels_tiles_and_parameters():
    facts = json.loads(runner.invoke(app, ["info", "--json"]).stdout)
    assert facts["domains"]["europe"]["fine"] == [4192, 6992]
    assert facts["domains"]["europe"]["pixels"] == 4192 * 6992
    assert facts["tokens"] == {"global": 735, "local per tile": 1024}
    assert sorted(facts["tiles"].values()) == [126, 160, 198]
    assert (len(facts["channels"]["coarse"]), len(facts["channels"]["local"])) == (70, 5)
    # Table S1 as built: 94,301,455, + 524,800 for the skip fusion
    assert facts["presets"]["paper"]["trainable"] == 94_301_455 + 524_800
    assert facts["datasets"] == []


def test_the_doctor_names_what_is_missing_and_the_command_that_mends_it():
    result = runner.invoke(app, ["doctor"])
    assert result.exit_code == 1
    assert "No dataset called 'testbed'" in result.stdout
    assert "cranpm testbed build" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--init", "yesterday", "--out", "f.nc"], "a day is written YYYY-MM-DD, such as 2022-01-05"),
        (["--init", "2022-01-05", "--out", "f.tif"], ".zarr or .nc"),
        (["--init", "2022-01-05", "--out", "f.nc"], "No dataset called 'testbed'"),
    ],
)
def test_bad_requests_end_with_one_line_and_code_2(arguments, message):
    result = runner.invoke(app, ["forecast", *arguments])
    assert result.exit_code == 2
    assert message in result.stderr
    assert "Traceback" not in result.output


def test_an_existing_file_is_not_overwritten(tmp_path):
    (tmp_path / "f.nc").write_text("precious")
    result = runner.invoke(app, ["forecast", "--init", "2022-01-05", "--out", "f.nc"])
    assert result.exit_code == 2 and "nothing was overwritten" in result.stderr
    assert (tmp_path / "f.nc").read_text() == "precious"


def test_several_leads_may_follow_one_option(monkeypatch):
    seen = {}

    def remember(out, **request):
        seen.update(request)
        return []

    monkeypatch.setattr("cranpm.forecasting.api.forecast_to_file", remember)
    result = runner.invoke(
        app, ["forecast", "--init", "2022-01-05", "--lead", "1", "2", "3", "--out", "f.nc"]
    )
    assert result.exit_code == 0, result.output
    assert seen["leads"] == [1, 2, 3]
    runner.invoke(app, ["forecast", "--init", "2022-01-05", "--lead", "3", "--lead", "1", "--out", "f.nc"])
    assert seen["leads"] == [1, 3]


def test_an_unknown_region_is_refused_before_anything_is_made(tmp_path):
    result = runner.invoke(
        app, ["testbed", "build", "--days", "1", "--start", "2022-01-03", "--domain", "mars"]
    )
    assert result.exit_code == 2 and "mars" in result.stderr
    assert not (tmp_path / "data").exists()


def test_stages_are_told_as_a_bar_or_as_json_lines(capsys):
    stream = io.StringIO()
    with stages("Build", unit="days", as_json_to=stream) as say:
        say("weather", 1, 3, None)
    assert json.loads(stream.getvalue()) == {"stage": "weather", "done": 1, "total": 3, "seconds_left": None}
    with stages("Build", unit="days") as say:
        say("weather", 1, 3, 120.0)
    assert "Build: weather" in capsys.readouterr().out


@pytest.mark.skipif(sys.platform == "win32", reason="Windows ends a process without asking it")
def test_a_command_that_is_told_to_end_leaves_nothing_behind(tmp_path: Path) -> None:
    script = f"""
import sys, time
from pathlib import Path
from cranpm._files import replacing
from cranpm.cli.app import app

@app.command()
def slow() -> None:
    with replacing(Path({str(tmp_path / "out.zarr")!r})) as draft:
        draft.mkdir()
        print("begun", flush=True)
        time.sleep(60)

app(["slow"])
"""
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "begun\n"
    assert [path.suffix for path in tmp_path.iterdir()] == [".partial"]
    process.terminate()
    assert process.wait(30) == 128 + 15
    assert not list(tmp_path.iterdir())
