"""`scripts/gpu_session.py` goes its whole way on a CPU in tiny shapes, with nothing but what a bare machine has."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from cranpm.domain import domain_from_corner
from cranpm.testbed.geography.geography import export_geography

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "scripts/gpu_session.py"


@pytest.fixture(scope="module")
def geography(geography_europe, geography_cache, tmp_path_factory) -> Path:
    mini = domain_from_corner("mini", "Mini", north=48.0, west=6.0, coarse_rows=14, coarse_cols=14)
    return export_geography(tmp_path_factory.mktemp("geography") / "mini.npz", mini, geography_cache)


@pytest.fixture(scope="module")
def results(geography, tmp_path_factory) -> dict:
    out = tmp_path_factory.mktemp("session") / "gpu.json"
    command = [SCRIPT, "--device", "cpu", "--small", "--out", out, "--geography", geography, "--limit", 2400]
    done = subprocess.run(
        [sys.executable, *map(str, command)], capture_output=True, text=True, timeout=2400, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(out.read_text())


@pytest.mark.timeout(2500)
def test_every_section_finds_something(results):
    sections = results["sections"]
    assert list(sections) == [
        *("correctness", "roofline", "model", "whole_map", "training", "short_training"),
    ]
    for name, found in sections.items():
        assert "error" not in found and "left_out" not in found, (name, found)
    for precision, found in sections["correctness"]["tiny"].items():
        assert found["right"] and found["same_twice"], precision
        assert 0 <= found["to_cpu_float32"] <= found["tolerance"]
    assert sections["roofline"]["tiny"]["float32"]["median"] > 1e8
    assert {one["part"] for one in sections["model"]["tiny"]} == {"model"}
    assert all(rate > 0 for rate in sections["training"]["tiles_per_second"].values())
    # a graph needs CUDA, and the session says so instead of ending
    whole = sections["whole_map"]["tiny"]
    assert [one["what"].split(", ")[-1] for one in whole["figures"]] == ["eager", "compiled"]
    assert "CUDA graphs need a CUDA device" in whole["failed"]["captured"]


def test_the_short_training_ends_with_a_checkpoint(results):
    trained = results["sections"]["short_training"]
    assert trained["exit_code"] == 0
    assert trained["said"][-1].startswith("Checkpoint ")
    first, last = trained["metrics"]["step"]
    assert first <= last


def arguments(tmp_path: Path, **changes) -> argparse.Namespace:
    given = {"out": tmp_path / "gpu.json", "device": "cpu", "small": True, "geography": None, "only": ["slow"],
             "limit": 60.0}  # fmt: skip
    return argparse.Namespace(**{**given, **changes})


def test_a_section_that_hangs_is_ended_and_what_it_had_found_stays(load_file, monkeypatch, tmp_path):
    session = load_file("scripts/gpu_session.py")
    stub = tmp_path / "stub.py"
    stub.write_text(
        textwrap.dedent("""
        import json, sys, time
        from pathlib import Path
        Path(sys.argv[sys.argv.index("--out") + 1]).write_text(json.dumps({"begun": 1}))
        time.sleep(600)
        """)
    )
    monkeypatch.setattr(session, "__file__", str(stub))
    monkeypatch.setitem(session.SECTIONS, "slow", (None, 12))
    began = time.monotonic()
    found = session.run_session(arguments(tmp_path))["sections"]["slow"]
    assert time.monotonic() - began < 60
    assert found["begun"] == 1 and found["error"] == "ended after 12 s"


def test_a_session_without_time_leaves_sections_out_and_has_no_figures(load_file, tmp_path):
    session = load_file("scripts/gpu_session.py")
    results = session.run_session(arguments(tmp_path, only=["roofline"], limit=5.0))
    assert results["sections"]["roofline"] == {"left_out": "no time is left"}
    assert not session.has_figures(results)
    assert json.loads((tmp_path / "gpu.json").read_text())["sections"] == results["sections"]


def test_a_section_that_breaks_keeps_its_reason_and_what_it_found(load_file, monkeypatch, tmp_path):
    session = load_file("scripts/gpu_session.py")

    def breaks(_) -> Iterator[dict]:
        yield {"found": 1}
        raise torch.OutOfMemoryError("too large")

    monkeypatch.setitem(session.SECTIONS, "breaks", (breaks, 10))
    with pytest.raises(SystemExit):
        session.run_section("breaks", None, tmp_path / "part.json")
    assert json.loads((tmp_path / "part.json").read_text()) == {
        "found": 1,
        "error": "OutOfMemoryError: too large",
    }


def test_it_needs_no_more_than_a_bare_machine_has(run_without):
    blocked = "xarray zarr pandas dask distributed psutil h5py netCDF4 pyarrow typer rich pydantic datashader".split()
    code = f"""
    import runpy, sys
    sys.argv = ["gpu_session.py", "--help"]
    try:
        runpy.run_path({str(SCRIPT)!r}, run_name="__main__")
    except SystemExit as done:
        assert done.code in (0, None)
    import cranpm.training.command, cranpm.testbed.source, cranpm.testbed.geography.geography
    """
    run_without(blocked, code)
