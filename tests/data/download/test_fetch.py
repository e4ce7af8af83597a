"""Fetching whole sources from a stand-in for their providers: what is asked, what is skipped, what is refused."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mini_dataset as mini
import numpy as np
import pytest

from cranpm.data.download.copernicus import (
    DataStore,
    LicenceError,
    MissingCredentialsError,
    RequestRefusedError,
    find_key,
)
from cranpm.data.download.download import AccessRefusedError, DownloadError, NotThereError, file_hash
from cranpm.data.download.endpoints import endpoint, polite_session
from cranpm.data.download.fetch import NEEDED, choose_sources, fetch, make_plan
from cranpm.data.download.inventory import inventory
from cranpm.data.download.providers import list_files
from cranpm.data.download.receipts import read_receipt, receipt_path, receipts
from cranpm.data.download.request_templates import fill_template, monthly_requests, months, request_area
from cranpm.data.files.openers import sniff
from cranpm.data.manifest import ManifestError, load_manifest
from cranpm.data.mock_providers.server import TOKEN, MockProviders
from cranpm.domain import COARSE_BOX

MANIFEST = load_manifest()
FIRST, LAST = np.datetime64("2022-01-31"), np.datetime64("2022-02-01")


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("made")


@pytest.fixture
def server(kept: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MockProviders]:
    monkeypatch.setattr("cranpm.data.download.download.FIRST_WAIT", 0.01)
    with MockProviders(mini.DOMAIN, str(FIRST), str(LAST), queue=0, keep=kept) as providers:
        yield providers


def planned(name: str, root: Path, *, last: np.datetime64 = LAST, **options: Any) -> Any:
    (source,) = choose_sources(MANIFEST, name)
    return make_plan(source, FIRST, last, domain=mini.DOMAIN, root=root, **options)


def status(code: int, **body: str) -> Any:
    return lambda handler, due: handler.reply(code, {}, json.dumps(body).encode()) or True


def test_a_month_a_request_and_the_hour_that_ends_the_last_day() -> None:
    source = MANIFEST.source("era5-single-levels")
    made = list(monthly_requests(source, FIRST, LAST, COARSE_BOX))
    assert [(part, str(a), str(b)) for part, (a, b), _ in made] == [
        ("surface", "2022-01-31", "2022-01-31"),
        ("surface", "2022-02-01", "2022-02-01"),
        ("precipitation", "2022-01-31", "2022-01-31"),
        ("precipitation", "2022-02-01", "2022-02-01"),
        ("precipitation-end", "2022-02-02", "2022-02-02"),
    ]
    surface, rain, end = made[0][2], made[2][2], made[4][2]
    assert surface["area"] == [72, -25, 30, 45]
    assert surface["time"] == ["00:00", "06:00", "12:00", "18:00"]
    assert surface["day"] == ["31"] and surface["month"] == ["01"] and surface["year"] == ["2022"]
    assert len(rain["time"]) == 24 and end["time"] == ["00:00"] and end["day"] == ["02"]
    assert not {"part", "day_after"} & set(end), "our own words are not sent"


def test_the_surface_level_of_cams_changes_with_its_system_within_july_2019() -> None:
    source = MANIFEST.source("cams-global-forecasts")
    days = np.datetime64("2019-07-01"), np.datetime64("2019-07-31")
    levels = {
        str(period[0]): request["model_level"]
        for part, period, request in monthly_requests(source, *days, COARSE_BOX)
        if part == "gases"
    }
    assert levels == {"2019-07-01": ["60"], "2019-07-09": ["137"]}


def test_areas_lie_on_the_products_own_grid() -> None:
    # 72 / 0.4 = 180; -25 / 0.4 = -62.5 -> -63 * 0.4 = -25.2; 45 / 0.4 = 112.5 -> 113 * 0.4 = 45.2
    assert request_area(COARSE_BOX, step=0.4) == [72.0, -25.2, 30.0, 45.2]
    assert len(list(months(np.datetime64("2022-01-15"), np.datetime64("2022-03-02")))) == 3
    with pytest.raises(ManifestError, match="placeholder '{moon}' is not known"):
        fill_template({"time": "{moon}"}, (FIRST, LAST), COARSE_BOX, step=0.25)


def test_everything_that_preparing_needs_arrives_and_is_skipped_the_next_time(
    server: MockProviders, tmp_path: Path
) -> None:
    for name in NEEDED:
        plan = planned(name, tmp_path)
        assert plan.missing and not plan.present
        for receipt in fetch(plan, patience=0.01):
            assert receipt.path.is_file() and receipt.simulated
            assert file_hash(receipt.path) == receipt.sha256
            sniff(receipt.path)
        again = planned(name, tmp_path)
        assert not again.missing, "complete files are skipped"
    asked = len(server.log)
    assert not fetch(planned("era5-pressure-levels", tmp_path))
    assert len(server.log) == asked, "nothing is asked of a store that owes nothing"
    with zipfile.ZipFile(tmp_path / "ghap-pm25-d1k" / "GHAP_PM2.5_D1K_202201_V1.zip") as archive:
        assert archive.namelist() == ["GHAP_PM2.5_D1K_202201_V1/GHAP_PM2.5_D1K_20220131_V1.nc"]
    leftovers = [
        p.name for p in tmp_path.rglob(".*") if "part" in p.suffixes or p.name.endswith(".request.json")
    ]
    assert not leftovers
    states = {state.id: state for state in inventory(MANIFEST, tmp_path, mini.DOMAIN)}
    assert "simulated" in states["ghap-pm25-d1k"].present
    assert "2 days 2022-01-31 ... 2022-02-01" in states["era5-pressure-levels"].present
    assert states["cams-eac4"].missing == "all"


def test_fewer_days_than_are_there_need_nothing(server: MockProviders, tmp_path: Path) -> None:
    fetch(planned("era5-pressure-levels", tmp_path))
    assert not planned("era5-pressure-levels", tmp_path, last=FIRST).missing


def test_a_file_that_lost_bytes_is_missing_again(server: MockProviders, tmp_path: Path) -> None:
    (receipt,) = fetch(planned("eea-stations", tmp_path))
    receipt.path.write_bytes(receipt.path.read_bytes()[:-1])
    assert read_receipt(receipt.path) is None
    assert len(planned("eea-stations", tmp_path).missing) == 1
    receipt_path(receipt.path).write_text("{")
    assert read_receipt(receipt.path) is None


def test_zenodo_is_asked_once_for_its_hashes_and_they_are_verified(
    server: MockProviders, tmp_path: Path
) -> None:
    plan = planned("ghap-pm25-d1k", tmp_path)
    assert all(file.hash.startswith("md5:") and file.size for file in plan.missing)
    assert plan.known_bytes == sum(file.size for file in plan.missing)
    wrong = lambda handler, due: handler.reply(200, {}, due[:-1] + b"x") or True  # noqa: E731
    server.faults["202201"] = [wrong, wrong]
    with pytest.raises(DownloadError, match="expected md5:"):
        fetch(plan)
    assert not receipts(tmp_path, "ghap-pm25-d1k"), "a file that failed leaves no receipt that counts"
    fetch(plan)
    planned("ghap-pm25-d1k", tmp_path)
    assert sum("/api/records/" in path for _, path, _ in server.log) == 1


def test_a_month_that_zenodo_does_not_have_is_named(server: MockProviders, tmp_path: Path) -> None:
    with pytest.raises(NotThereError, match="no file GHAP_PM2.5_D1K_202203_V1.zip"):
        planned("ghap-pm25-d1k", tmp_path, last=np.datetime64("2022-03-01"))
    (source,) = choose_sources(MANIFEST, "ghap-pm25-d1k")
    later = np.datetime64("2023-05-01")
    with pytest.raises(DownloadError, match="covers 2017-01-01 to 2022-12-31"):
        make_plan(source, later, later, domain=mini.DOMAIN, root=tmp_path)


def test_a_stopped_wait_finds_its_request_again(server: MockProviders, tmp_path: Path) -> None:
    store = DataStore("cds", patience=0.01)
    request = planned("era5-pressure-levels", tmp_path).missing[0].request
    ticket = tmp_path / "ticket.json"
    first = store.result("reanalysis-era5-pressure-levels", request, ticket)
    submitted = sum(path.endswith("/execution") for _, path, _ in server.log)
    assert store.result("reanalysis-era5-pressure-levels", request, ticket) == first
    assert sum(path.endswith("/execution") for _, path, _ in server.log) == submitted, "not queued twice"
    server.jobs.clear()  # the store has forgotten it
    store.result("reanalysis-era5-pressure-levels", request, ticket)
    assert sum(path.endswith("/execution") for _, path, _ in server.log) == submitted + 1


def test_a_result_that_expired_is_asked_for_anew(server: MockProviders, tmp_path: Path) -> None:
    server.faults["/assets/"] = [status(404)]
    (receipt,) = fetch(planned("era5-pressure-levels", tmp_path, last=FIRST))
    assert receipt.path.is_file()


def test_a_request_that_costs_too_much_is_halved(kept: Path, tmp_path: Path) -> None:
    first, last = np.datetime64("2022-02-01"), np.datetime64("2022-02-04")
    # levels: 5 variables x 5 levels x 4 times = 100 fields a day; 4 days are 400
    with MockProviders(mini.DOMAIN, str(first), str(last), queue=0, limit=250, keep=kept):
        (source,) = choose_sources(MANIFEST, "era5-pressure-levels")
        plan = make_plan(source, first, last, domain=mini.DOMAIN, root=tmp_path)
        assert [str(cost) for cost in plan.costs.values()] == ["cost 400 of 250 allowed"]
        got = fetch(plan, patience=0.01)
        assert [(str(r.first), str(r.last)) for r in got] == [
            ("2022-02-01", "2022-02-02"),
            ("2022-02-03", "2022-02-04"),
        ]
        assert not make_plan(source, first, last, domain=mini.DOMAIN, root=tmp_path).missing
    with (
        MockProviders(mini.DOMAIN, str(first), str(last), queue=0, limit=50, keep=kept),
        pytest.raises(RequestRefusedError, match="even one day is too much"),
    ):
        fetch(make_plan(source, first, last, domain=mini.DOMAIN, root=tmp_path / "b"))


@pytest.mark.parametrize(
    ("code", "detail", "error", "match"),
    [
        (401, "token expired", MissingCredentialsError, "expired or mistyped. Copy the token"),
        (403, "required licences not accepted", LicenceError, "Accept it once at https://cds"),
        (404, "dataset not found", RequestRefusedError, "knows no such dataset"),
        (400, "invalid variable", RequestRefusedError, "refuses the request: .*invalid variable"),
    ],
)
def test_refusals_of_the_store_say_what_to_do(
    server: MockProviders, tmp_path: Path, code: int, detail: str, error: type[Exception], match: str
) -> None:
    server.faults["/costing"] = [status(code, title="refused", detail=detail)]
    with pytest.raises(error, match=match):
        planned("era5-pressure-levels", tmp_path)


def test_credentials_that_are_missing_or_old_are_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("ECMWF_DATASTORES_KEY", "CDSAPI_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ECMWF_DATASTORES_RC_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("CDSAPI_RC", str(tmp_path / "cdsapirc"))
    with pytest.raises(MissingCredentialsError, match="free ECMWF account .* ~/.ecmwfdatastoresrc"):
        find_key()
    (tmp_path / "cdsapirc").write_text("url: https://ads.atmosphere.copernicus.eu/api\nkey: 123:abc\n")
    with pytest.raises(MissingCredentialsError, match="old form UID:KEY"):
        find_key()
    (tmp_path / "cdsapirc").write_text("url: https://ads.atmosphere.copernicus.eu/api\nkey: abc-def\n")
    assert find_key() == "abc-def"


def test_an_expired_key_stops_before_anything_is_queued(
    server: MockProviders, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ECMWF_DATASTORES_KEY", "yesterday")
    with pytest.raises(MissingCredentialsError, match="does not accept the key .401."):
        planned("cams-global-forecasts", tmp_path)
    assert not any(path.endswith("/execution") for _, path, _ in server.log)
    assert TOKEN not in str(tmp_path)


def test_stations_are_asked_by_country_in_plain_text(server: MockProviders, tmp_path: Path) -> None:
    plan = planned("eea-measurements", tmp_path, countries=["XX"])
    assert plan.missing[0].path.name == "XX-SPO.MOCK_0.parquet"
    asked = [path for method, path, _ in server.log if method == "POST"]
    assert len(asked) == 2, "hours and reported days"
    names = [file.path.name for file in plan.missing]
    assert len(names) == len(set(names)) == 3, "a file that stands in both lists is fetched once"
    server.faults["ParquetFile"] = [status(503), status(429)]
    assert planned("eea-measurements", tmp_path, countries=["XX"]).missing, "a busy service is asked again"
    server.faults["ParquetFile"] = [status(403)]
    with pytest.raises(AccessRefusedError, match="refuses access"):
        planned("eea-measurements", tmp_path, countries=["XX"])


def test_only_countries_with_stations_in_the_domain_are_asked_for(
    server: MockProviders, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = [{"countryCode": code} for code in ("AA", "XX", "ZZ")]
    several = lambda handler, due: handler.reply(200, {}, json.dumps(served).encode()) or True  # noqa: E731
    server.faults["/Country"] = [several, several]
    planned("eea-measurements", tmp_path)
    assert sum(method == "POST" for method, _, _ in server.log) == 3 * 2, "without the table: all"
    fetch(planned("eea-stations", tmp_path))
    server.log.clear()
    planned("eea-measurements", tmp_path)
    # the mock provider's stations have ids such as XX0000A
    assert sum(method == "POST" for method, _, _ in server.log) == 1 * 2


def test_tiles_of_the_domain_are_named_by_their_south_west_corner() -> None:
    (source,) = choose_sources(MANIFEST, "elevation-copernicus-glo90")
    files = list_files(
        source, FIRST, LAST, domain=mini.DOMAIN, root=Path("raw"), session=polite_session()
    )  # fmt: skip
    # nodes 47..43 N and 7..13 E with half a step around: 42..47 and 6..13
    assert len(files) == 6 * 8
    assert files[0].url.endswith("/Copernicus_DSM_COG_30_N42_00_E006_00_DEM.tif")


def test_a_period_without_days_and_a_full_disk_are_refused_before_anything_is_asked_for(
    server: MockProviders, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(DownloadError, match="2022-01-31 to 2022-01-30 has no day"):
        planned("era5-pressure-levels", tmp_path, last=FIRST - 1)
    plan = planned("ghap-pm25-d1k", tmp_path)
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 1000})())
    asked = len(server.log)
    with pytest.raises(DownloadError, match=r"needs 0.0 GB, .* has 0.0 GB left. Choose another folder"):
        fetch(plan)
    assert len(server.log) == asked


def test_unknown_names_and_packages_are_refused() -> None:
    with pytest.raises(ManifestError, match="No source 'era6' to fetch; known: needed, live, ghap"):
        choose_sources(MANIFEST, "era6")
    assert [s.id for s in choose_sources(MANIFEST, "era5")] == ["era5-single-levels", "era5-pressure-levels"]
    assert endpoint("https://zenodo.org/x?y=1") == "https://zenodo.org/x?y=1"
    geography = choose_sources(MANIFEST, "geography-towns")[0]
    with pytest.raises(DownloadError, match="comes with an installed package"):
        make_plan(geography, FIRST, LAST, domain=mini.DOMAIN, root=Path("raw"))
