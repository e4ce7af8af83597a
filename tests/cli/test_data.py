"""`cranpm data ...` from nothing to a checked dataset, as a person types it, against mock providers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cranpm.cli.app import app
from cranpm.data.domains import find_domain
from cranpm.data.mock_providers.server import MockProviders
from cranpm.data.store.dataset import Dataset

FIRST, LAST = "2022-01-10", "2022-01-11"


def run(*words: Any) -> tuple[int, str]:
    outcome = CliRunner().invoke(app, ["data", *map(str, words)])
    return outcome.exit_code, " ".join(outcome.output.split())  # the console wraps


def test_from_nothing_to_a_checked_dataset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRANPM_DATA", str(tmp_path / "data"))
    domain = tmp_path / "domain.json"
    corner = {"north": 47.0, "west": 7.0, "coarse_rows": 21, "coarse_cols": 24}  # one tile and a little
    domain.write_text(json.dumps({"name": "mini", "title": "Mini Alps", **corner}))
    period = ("--start", FIRST, "--end", LAST, "--domain", domain)
    with MockProviders(find_domain(domain), FIRST, LAST, queue=0) as server:
        code, said = run("fetch", "era5", *period, "--dry-run")
        assert code == 0 and "3 missing, cost" in said and "licence CC-BY-4.0" in said
        assert not any(path.endswith("/execution") for _, path, _ in server.log), "a dry run asks for nothing"
        out = tmp_path / "data" / "mini"
        code, said = run("prepare", *period, "--out", out, "--workers", 0)
        assert code == 2 and "cranpm data fetch era5-single-levels" in said, "what is missing is named"
        code, said = run("fetch", "needed", *period, "--yes")
        assert code == 0 and "modified Copernicus" in said, said
        code, said = run("fetch", "needed", *period)
        assert code == 0 and said.count("0 missing") == 7
    code, said = run("prepare", *period, "--out", out, "--workers", 0)
    assert code == 0 and "2 days prepared" in said, said
    assert len(Dataset.open(out).days) == 2
    code, said = run("check", "--data", "mini")
    assert code == 0 and "Report:" in said, said
    assert (out / "check" / "index.html").is_file()
    code, said = run("list", "--domain", domain)
    assert code == 0 and "mock" in said and "cams-eac4" in said
    code, said = run("fetch", "weather", *period)
    assert code == 2 and "No source 'weather'" in said
