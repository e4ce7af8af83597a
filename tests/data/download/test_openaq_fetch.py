"""Fetching OpenAQ from a stand-in that speaks its documented interface: pages, limits, keys, local days."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mini_dataset as mini
import numpy as np
import pytest
import requests

from cranpm.data.download.copernicus import MissingCredentialsError
from cranpm.data.download.download import DownloadError, asked_to_wait
from cranpm.data.download.endpoints import polite_session
from cranpm.data.download.fetch import choose_sources, fetch, make_plan
from cranpm.data.download.http import request_with_retries
from cranpm.data.download.openaq_files import local_days
from cranpm.data.download.receipts import receipts
from cranpm.data.manifest import load_manifest
from cranpm.data.mock_providers.openaq import FIRST_ID
from cranpm.data.mock_providers.server import MockProviders
from cranpm.data.station_tables import write_observations
from cranpm.data.store.dataset import Dataset, encode_day

FIRST, LAST = np.datetime64("2022-03-17"), np.datetime64("2022-03-18")


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MockProviders]:
    monkeypatch.setattr("cranpm.data.download.download.FIRST_WAIT", 0.01)
    with MockProviders(
        mini.DOMAIN, str(FIRST), str(LAST), zone="Asia/Kolkata", keep=tmp_path / "made"
    ) as made:
        yield made


def planned(root: Path, first: np.datetime64 = FIRST, last: np.datetime64 = LAST) -> Any:
    (source,) = choose_sources(load_manifest(), "openaq-archive")
    return make_plan(source, first, last, domain=mini.DOMAIN, root=root)


def status(code: int, headers: dict[str, str] | None = None, body: Any = None) -> Any:
    return lambda handler, due: handler.reply(code, headers or {}, json.dumps(body).encode()) or True


def test_a_region_far_from_greenwich_gets_whole_utc_days(server: MockProviders, tmp_path: Path) -> None:
    plan = planned(tmp_path)
    # 17 and 18 March UTC run from 05:30 on the 17th to 05:30 on the 19th in India: three files a place
    assert len(plan.missing) == 3 * len(server.points)
    names = sorted(file.path.name for file in plan.missing if file.part == str(FIRST_ID))
    assert names == [f"location-{FIRST_ID}-202203{day}.csv.gz" for day in (17, 18, 19)]
    assert len(fetch(plan)) == len(plan.missing)
    assert not planned(tmp_path).missing, "complete files are skipped"
    with mini.create(tmp_path / "set") as writer:
        writer.write_static(**mini.static())
        for day in (FIRST, LAST):
            writer.append_encoded(encode_day(writer.domain, day, **mini.fields(day)))
        said = write_observations(writer, tmp_path, mini.DOMAIN)
    assert said == ["3 stations with 6 daily means."]
    observed = Dataset.open(tmp_path / "set").observations(station_id=f"OPENAQ.{FIRST_ID}")
    # every hour of the n-th UTC day is 10 + n, so one hour of another day would show
    assert observed["pm2p5"].tolist() == [10.0, 11.0]


def test_places_come_in_pages_and_low_cost_or_moving_ones_are_left_out(
    server: MockProviders, tmp_path: Path
) -> None:
    server.most_places = 2  # three monitors, one low-cost sensor, one that moves: pages of 2, 2 and 1
    plan = planned(tmp_path)
    asked = [path for _, path, _ in server.log if "/v3/locations" in path]
    assert [path.rsplit("page=", 1)[1] for path in asked] == ["1", "2", "3"]
    # west, south, east, north of the fine grid
    west, south, east, north = mini.DOMAIN.fine.extent
    assert f"bbox={west:.4f},{south:.4f},{east:.4f},{north:.4f}&parameters_id=2&limit=1000" in asked[0]
    assert {file.part for file in plan.missing} == {str(FIRST_ID + k) for k in range(3)}
    kept = json.loads((tmp_path / "openaq-archive" / "mini" / "locations.json").read_text())
    assert len(kept) == 5, "what OpenAQ says is kept whole"


def test_a_server_that_repeats_its_page_does_not_keep_us_for_ever(
    server: MockProviders, tmp_path: Path
) -> None:
    same = {"meta": {"limit": 1}, "results": [{"id": 7, "timezone": "Etc/UTC"}]}
    server.faults["/v3/locations"] = [status(200, body=same)] * 5
    assert {file.part for file in planned(tmp_path).missing} == {"7"}
    assert len(server.faults["/v3/locations"]) == 3


def test_the_limit_of_requests_is_waited_for(server: MockProviders, tmp_path: Path) -> None:
    server.faults["/v3/locations"] = [
        status(429, {"Retry-After": "7"}),
        status(429, {"x-ratelimit-reset": "41"}),
    ]
    waited: list[float] = []
    address = "https://api.openaq.org/v3/locations?limit=1"
    answer = request_with_retries(
        polite_session(), "GET", address, sleep=waited.append, headers={"X-API-Key": "mock-token"}
    )
    assert answer.status_code == 200
    assert waited == [7.0, 41.0]
    server.faults["/v3/locations"] = [status(429, {"Retry-After": "9999"})] * 6
    waited.clear()
    with pytest.raises(DownloadError, match=r"api.openaq.org does not answer .status 429."):
        request_with_retries(polite_session(), "GET", address, sleep=waited.append)
    assert waited == [300.0] * 5, "never longer than five minutes at a time, and not after the last try"


def test_a_busy_archive_is_waited_for_too(server: MockProviders, tmp_path: Path) -> None:
    server.faults["records/csv.gz"] = [status(429, {"Retry-After": "0"}), status(503)]
    assert len(fetch(planned(tmp_path, last=FIRST))) == 6


def test_the_end_of_a_limit_may_be_said_in_two_ways() -> None:
    response = requests.Response()
    assert asked_to_wait(response) is None
    response.headers["x-ratelimit-reset"] = "58"
    assert asked_to_wait(response) == 58.0
    response.headers["x-ratelimit-reset"] = "1000000001"  # a moment of 2001
    assert asked_to_wait(response) == 0.0


@pytest.mark.parametrize(
    ("key", "match"),
    [(None, "needs a free key: register at https://explore.openaq.org"), ("old", "does not accept the key")],
)
def test_a_key_that_is_missing_or_unknown_is_explained(
    server: MockProviders, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str | None, match: str
) -> None:
    monkeypatch.delenv("OPENAQ_API_KEY") if key is None else monkeypatch.setenv("OPENAQ_API_KEY", key)
    with pytest.raises(MissingCredentialsError, match=match):
        planned(tmp_path)


def test_an_answer_that_is_not_as_documented_is_refused(server: MockProviders, tmp_path: Path) -> None:
    server.faults["/v3/locations"] = [status(200, body={"detail": "moved"})]
    with pytest.raises(DownloadError, match="expected places with ids in pages, got .*moved"):
        planned(tmp_path)


def test_a_day_without_a_file_is_remembered_unless_it_may_still_come(
    server: MockProviders, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.faults["records/csv.gz"] = [status(404)]
    first, *_ = fetch(planned(tmp_path, last=FIRST))
    assert first.absent
    assert not planned(tmp_path, last=FIRST).missing
    monkeypatch.setattr("cranpm.data.download.fetch.STILL_COMING", np.timedelta64(100_000, "D"))
    server.faults["records/csv.gz"] = [status(404)]
    root = tmp_path / "again"
    assert fetch(planned(root, last=FIRST))[0].absent
    assert len(planned(root, last=FIRST).missing) == 1, "asked for again the next time"
    assert not any(receipt.absent for receipt in receipts(root, "openaq-archive", "mini"))


def test_local_days_touch_the_utc_day_and_lie_within_what_was_measured() -> None:
    day = np.datetime64("2022-07-01")

    def days(**place: Any) -> list[str]:
        return [str(d)[5:] for d in local_days(place, day, day)]

    assert days(timezone="Etc/UTC") == ["07-01"]
    assert days(timezone="America/Denver") == ["06-30", "07-01"]  # 18:00 the evening before to 18:00
    assert days(timezone="Asia/Kolkata") == ["07-01", "07-02"]
    assert days() == ["06-30", "07-01", "07-02"]
    assert days(timezone="Mars/Olympus") == ["06-30", "07-01", "07-02"]
    later = {"datetimeFirst": {"utc": "2022-07-01T12:00:00Z", "local": "2022-07-01T17:30:00+05:30"}}
    assert days(timezone="Asia/Kolkata", **later) == ["07-01", "07-02"]
    ended = {"datetimeLast": {"local": "2021-12-31T00:00:00+05:30"}}
    assert days(timezone="Asia/Kolkata", **ended) == []
