"""The public names: what they do, how light they are, and what they say to a request that cannot be met."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import holoviews as hv
import numpy as np
import pytest

import cranpm
from cranpm.data.errors import StoreError
from cranpm.model.checkpoint import CheckpointError
from cranpm.registry import NotFoundError

ROOT = Path(__file__).parents[1]
LAZY = [path for path in sorted((ROOT / "cranpm").rglob("__init__.py")) if "lazy_names(" in path.read_text()]


@pytest.fixture
def here(small_machine, monkeypatch, tmp_path):
    """A machine with a small testbed and a demo checkpoint; files are written into an empty folder."""
    for name, value in small_machine.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)


# -- light and complete ---------------------------------------------------------------------------------------------


def test_importing_takes_a_moment_and_loads_nothing_heavy():
    code = (
        "import sys, time; start = time.perf_counter(); import cranpm; print(time.perf_counter() - start);"
        "heavy = 'torch numpy pandas xarray zarr holoviews bokeh matplotlib datashader cartopy dask'.split();"
        "print([name for name in heavy if name in sys.modules])"
    )
    runs = [subprocess.check_output([sys.executable, "-c", code], text=True, cwd=ROOT) for _ in range(5)]
    assert all(run.splitlines()[1] == "[]" for run in runs)
    # 0.3 s is the promise; the best of five, because the machine may be busy with something else
    assert min(float(run.splitlines()[0]) for run in runs) < 0.3


def test_the_commands_help_is_there_at_once_and_loads_nothing_heavy():
    heavy = "torch numpy pandas xarray dask".split()
    code = f"import sys, cranpm.cli.app; print([name for name in {heavy} if name in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True, cwd=ROOT) == "[]\n"
    seconds = []
    for _ in range(3):
        before = os.times()
        subprocess.run(
            [sys.executable, "-m", "cranpm", "--help"], check=True, stdout=subprocess.DEVNULL, cwd=ROOT
        )
        after = os.times()
        seconds.append(
            after.children_user + after.children_system - before.children_user - before.children_system
        )
    # 0.5 s is the promise; in seconds of a core, which others on the machine lengthen least
    assert min(seconds) < 0.5


def test_few_names_each_with_a_page_in_numpydoc():
    names = [name for name in cranpm.__all__ if name != "__version__"]
    assert 10 <= len(names) <= 18
    assert set(names) <= set(dir(cranpm))
    for name in names:
        function = getattr(cranpm, name)
        text = function.__doc__ or ""
        for section in ("Parameters", "Returns", "Examples"):
            if (
                section == "Parameters"
                and not function.__code__.co_argcount + function.__code__.co_kwonlyargcount
            ):
                continue
            assert re.search(rf"^ *{section}\n *-+$", text, flags=re.MULTILINE), f"{name}: {section}"


@pytest.mark.parametrize("path", LAZY, ids=lambda path: path.parent.relative_to(ROOT).as_posix())
def test_people_and_tools_see_the_same_names(path):
    """``__all__``, what type checkers read, and what is imported on demand: three lists of one thing."""
    package = ".".join(path.parent.relative_to(ROOT).parts)
    module = importlib.import_module(package)
    (block,) = (n for n in ast.parse(path.read_text()).body if isinstance(n, ast.If))
    assert ast.unparse(block.test) == "TYPE_CHECKING"
    typed = {(alias.name, node.module) for node in block.body for alias in node.names}
    mapping = next(n for n in ast.walk(block) if isinstance(n, ast.Dict))
    assert typed == set(ast.literal_eval(ast.unparse(mapping)).items())
    assert {name for name, _ in typed} == set(module.__all__) - {"__version__"}
    assert module.__all__ == sorted(module.__all__)
    for name, home in typed:
        assert getattr(module, name) is getattr(importlib.import_module(home), name)
        # an import statement would put a module of that name in the function's place
        assert importlib.util.find_spec(f"{package}.{name}") is None


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("forcast", r"cranpm has no 'forcast'\. Did you mean 'forecast'\? It has: data_dir, footprint_at"),
        ("quux", r"cranpm has no 'quux'\. It has: data_dir, footprint_at, forecast, list_"),
    ],
)
def test_an_unknown_name_is_told_what_there_is(name, message):
    with pytest.raises(AttributeError, match=message):
        getattr(cranpm, name)
    with pytest.raises(ImportError):
        exec(f"from cranpm import {name}")


def test_completion_offers_the_public_names_only():
    names = [name for name in dir(cranpm) if not name.startswith("_")]
    assert names == [name for name in cranpm.__all__ if name != "__version__"]


# -- what they do ---------------------------------------------------------------------------------------------------


def test_the_five_lines(here):
    data = cranpm.open_dataset()
    maps = cranpm.forecast("2022-01-11", leads=[1, 2], checkpoint="demo", data=data)
    assert maps.pm2p5.dims == ("lead", "latitude", "longitude")
    tomorrow = maps.pm2p5.sel(lead=1)
    assert str(tomorrow.time.values)[:10] == "2022-01-12"
    assert int(tomorrow.forecast_period) == 24 and maps.forecast_period.units == "hours"
    assert cranpm.plot_map(tomorrow).vdims[0].unit == "µg/m³"
    # the fields are made to differ from persistence, and both are missing where today is
    today = data.pm2p5("2022-01-11")
    assert np.array_equal(np.isnan(tomorrow), np.isnan(today))
    assert float(abs(tomorrow - today).mean()) > 0.1


def test_what_is_there_is_listed_by_name(here):
    (entry,) = cranpm.list_datasets()
    assert (entry.name, entry.simulated) == ("testbed", True)
    assert "demo" in [entry.name for entry in cranpm.list_checkpoints()]
    assert {"europe", "alps", "india"} <= {domain.name for domain in cranpm.list_domains()}


def test_a_checkpoint_and_a_dataset_may_be_given_by_name_by_folder_or_opened(here, small_machine):
    folder = Path(small_machine["CRANPM_DATA"]) / "testbed"
    for data in (None, "testbed", str(folder), folder, cranpm.open_dataset(), f"file://{folder}"):
        assert cranpm.open_dataset(data).name == "testbed"
    demo = cranpm.load_checkpoint()
    for checkpoint in ("demo", str(demo.folder), demo.folder, demo):
        assert cranpm.load_checkpoint(checkpoint).hash == demo.hash


def test_an_address_of_an_object_store_reads_the_same(here, small_machine):
    import fsspec

    memory = fsspec.filesystem("memory")
    memory.put(str(Path(small_machine["CRANPM_DATA"]) / "testbed"), "/far", recursive=True)
    try:
        far, near = cranpm.open_dataset("memory://far"), cranpm.open_dataset("testbed")
        window = slice(0, 300), slice(0, 300)
        np.testing.assert_array_equal(far.pm2p5("2022-01-11", *window), near.pm2p5("2022-01-11", *window))
        assert far.has_stations
    finally:
        memory.rm("/far", recursive=True)


def test_scores_are_a_table_with_intervals(here):
    scores = cranpm.score("demo", "testbed", days=2, leads=[1])
    table = scores.table()
    assert table.index.names == ["reference", "grid", "lead", "method"]
    methods = set(table.index.get_level_values("method"))
    assert {"persistence", "CRAN-PM demo", "CAMS global forecast (simulated)"} <= methods
    ours = table.loc[("product", "1 km", 1, "CRAN-PM demo")]
    held = table.loc[("product", "1 km", 1, "persistence")]
    assert held["skill"] == 0
    assert ours["skill"] == pytest.approx(1 - ours["rmse"] / held["rmse"])
    assert ours["skill_low"] <= ours["skill"] <= ours["skill_high"]
    assert table.attrs["source"] == "testbed (simulated)"
    untrained = {
        line.partition(":")[0] for line in scores.left_out
    }  # the small testbed holds no training days
    assert untrained == {"climatology", "damped persistence", "least squares"}
    assert all("no training days were given to fit it on" in line for line in scores.left_out)
    assert ("stations", "traffic") in scores.groups().index
    assert "testbed (simulated)" in repr(scores)
    assert len(cranpm.plot_scores(table)) == 2  # against the product, and at stations


def test_a_forecast_is_interrogated(here):
    """The views of the dashboard as objects: each step takes what the one before returns."""
    maps = cranpm.forecast("2022-01-11", region="po_valley")
    changed = cranpm.forecast("2022-01-11", leads=1, region="po_valley", interventions={"wind_turn": 180})
    footprint = cranpm.footprint_at("2022-01-11", 45.46, 9.19)
    today = cranpm.open_dataset().pm2p5("2022-01-11")
    for picture in (
        cranpm.plot_map(today, zoomable=True),
        cranpm.plot_what_if(changed, maps),
        cranpm.plot_footprint(footprint, over=today),
        cranpm.plot_series(cranpm.series_at(maps, 45.46, 9.19)),
    ):
        assert isinstance(picture, hv.core.Dimensioned)
        assert hv.render(picture, backend="bokeh") is not None


def test_steps_are_told(here):
    told = []
    cranpm.forecast(
        "2022-01-11", leads=1, progress=lambda done, total, left: told.append((done, total, left))
    )
    assert [done for done, _, _ in told] == list(range(1, 1 + told[0][1]))
    assert told[-1][0] == told[-1][1] and told[-1][2] == 0


def test_a_bar_is_drawn_when_asked(here, capfd):
    cranpm.forecast("2022-01-11", leads=1, progress=True)
    assert "Forecast from 2022-01-11: 100%" in capfd.readouterr().err


# -- what cannot be done ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("request_", "error", "message"),
    [
        (lambda: cranpm.open_dataset("moon"), NotFoundError, r"No dataset called 'moon' \(found: testbed\)"),
        (lambda: cranpm.open_dataset(Path("moon")), StoreError, "No dataset at moon"),
        (
            lambda: cranpm.open_dataset("moon://x"),
            StoreError,
            "moon://x cannot be reached: Protocol not known",
        ),
        (lambda: cranpm.load_checkpoint("moon"), NotFoundError, "No checkpoint called 'moon'"),
        (lambda: cranpm.load_checkpoint(Path("moon")), CheckpointError, "config.json is missing"),
        (lambda: cranpm.forecast("soon"), ValueError, "Init day must be YYYY-MM-DD, got 'soon'"),
        (lambda: cranpm.forecast("2022-01-11", leads=[4]), ValueError, "among 1, 2, 3 days, got"),
        (lambda: cranpm.forecast("2022-01-11", leads=1.5), ValueError, r"among 1, 2, 3 days, got \[1\.5\]"),
        (lambda: cranpm.forecast("2022-01-11", leads="tomorrow"), ValueError, "among 1, 2, 3 days, got"),
        (
            lambda: cranpm.forecast("2022-01-11", data=3),
            TypeError,
            "what cranpm.open_dataset returns; got int",
        ),
        (lambda: cranpm.write_forecast(3, "x.nc"), TypeError, "that cranpm.forecast returns.*got int"),
        (lambda: cranpm.plot_scores(3), TypeError, r"cranpm\.score\(\.\.\.\)\.table\(\); got int"),
        (lambda: cranpm.plot_map(3), TypeError, "draws one DataArray, got int"),
        (lambda: cranpm.plot_series(3), TypeError, "what cranpm.series_at returns.*got int"),
        (lambda: cranpm.plot_footprint(3), TypeError, "what cranpm.footprint_at returns; got int"),
        (lambda: cranpm.plot_what_if(3, 4), TypeError, "that cranpm.forecast returns; the what-if is a int"),
        (lambda: cranpm.series_at(3, 45, 9), TypeError, "that cranpm.forecast returns.*got int"),
        (lambda: cranpm.footprint_at("soon", 45, 9), ValueError, "Init day must be YYYY-MM-DD, got 'soon'"),
        (lambda: cranpm.footprint_at("2022-01-11", 80, 9), ValueError, "80"),
        (lambda: cranpm.forecast("1999-01-11"), StoreError, "Day 1999-01-11 is not in dataset"),
        (lambda: cranpm.score(days=1, against="luck"), ValueError, "against must be one of persistence"),
        (lambda: cranpm.score(days=0), ValueError, "days must be a whole number of days, 1 or more; got 0"),
        (lambda: cranpm.score(fit_days=-1), ValueError, "fit_days must be a whole number of days, 0 or more"),
        (lambda: cranpm.score(days="all"), ValueError, "days must be a whole number .* got 'all'"),
        (lambda: cranpm.score(start="2030-01-01"), LookupError, "No init day with the day before it"),
    ],
)
def test_a_request_that_cannot_be_met_is_told_what_to_do(here, request_, error, message):
    with pytest.raises(error, match=message):
        request_()


# -- README -----------------------------------------------------------------------------------------------------------


def test_the_python_of_the_readme_runs(here):
    blocks = re.findall(
        r"^```python\n(.*?)^```", (ROOT / "README.md").read_text(), flags=re.MULTILINE | re.DOTALL
    )
    assert blocks
    names: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, "README.md", "exec"), names)
    assert names["maps"].pm2p5.dims == ("lead", "latitude", "longitude")  # type: ignore[attr-defined]
