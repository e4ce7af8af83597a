"""What a file of the EEA says of itself, and its odd rows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import eea_rows
import numpy as np
import pandas as pd
import pytest
from eea_rows import days, hours, saved

from cranpm.data.errors import DataFileError, NotThisProductError, TimeAxisError, UnitsError
from cranpm.data.stations.account import StationAccount
from cranpm.data.stations.daily_means import daily_means
from cranpm.data.stations.eea import read_measurements
from cranpm.data.stations.openaq import read_openaq

SEVEN_PAST = pd.Timestamp("2022-01-11T20:07")


def with_row(**changes: Any) -> pd.DataFrame:
    """24 good hours and one odd row in the evening of the next day."""
    odd = hours("2022-01-11T19:00", 1).astype({"Value": object, "Unit": object}).assign(**changes)
    return pd.concat([hours(), odd], ignore_index=True)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"End": pd.Timestamp("2022-01-13T19:00"), "AggType": "day"}, "values over other lengths"),  # 48 hours
        ({"End": pd.Timestamp("2022-01-11T19:30")}, "values over other lengths"),  # half an hour
        ({"End": pd.Timestamp("2022-01-12T19:00")}, "values over other lengths"),  # a running mean of 24 hours
        ({"Start": pd.Timestamp("2022-01-11T19:07"), "End": SEVEN_PAST}, "values over other lengths"),
        ({"End": pd.Timestamp("2022-01-11T18:00")}, "values over other lengths"),  # ends before it begins
        ({"Start": pd.NaT}, "values with stamps that cannot be read"),
        ({"AggType": "var"}, "values over other periods"),
        ({"AggType": None}, "values over other periods"),
        ({"Unit": "ppb"}, "values in units that PM2.5 does not have"),
        ({"Unit": None}, "values in units that PM2.5 does not have"),
        ({"Pollutant": 5}, "rows of another pollutant"),
        ({"Validity": -99}, "values marked invalid"),
        ({"Validity": None}, "values without a validity"),
        ({"Validity": 7}, "values with a validity that is not known"),
        ({"Samplingpoint": None}, "rows without a sampling point"),
        ({"Value": None}, "values that are no number"),
        ({"Value": np.inf}, "values that are no number"),
        ({"Value": 985.0}, "codes instead of values"),
        ({"Value": 9999.0}, "codes instead of values"),
        ({"Value": -5009.0}, "codes instead of values"),
        ({"Value": 0.985, "Unit": "mg.m-3"}, "codes instead of values"),
        ({"Value": 12.0, "Unit": "mg.m-3"}, "values above 5000"),
        ({"Value": -15.0}, "values below -10"),
    ],
)  # fmt: skip
def test_an_odd_row_is_left_out_and_counted(tmp_path: Path, changes: dict[str, Any], reason: str) -> None:
    frame, account = with_row(**changes), StationAccount()
    frame.to_csv(tmp_path / "odd.csv", index=False)
    found = read_measurements(tmp_path / "odd.csv", account=account)
    assert len(found) == 24 and found["pm2p5"].eq(12.0).all()
    (why,) = account.left_out["rows"]
    assert why.startswith(reason) and account.left_out["rows"][why].count == 1
    # values that the network itself rejects are too many to be shown
    shown = [] if reason.startswith("values marked invalid") else ["odd.csv"]
    assert [example.split(":")[0] for example in account.left_out["rows"][why].examples] == shown


@pytest.mark.parametrize(
    ("frame", "error", "match"),
    [
        (hours(Pollutant=5), NotThisProductError, r"expected pollutant code 6001 .PM2.5., got 5 .PM10."),
        (hours(Pollutant=6002), NotThisProductError, r"got 6002 .PM1."),
        (hours(AirPollutant="PM10"), NotThisProductError, "got 6001 .PM2.5., called PM10"),
        (hours(AggType="var"), TimeAxisError, "expected hourly or daily values, got var"),
        (days(End=pd.Timestamp("2022-01-12")), TimeAxisError, "expected whole hours or days, got 2022-01-10"),
        (hours(Unit="ppb"), UnitsError, "expected units that mean ug m-3 .* got 'ppb'"),
        (hours(Unit=None), UnitsError, "expected units that mean ug m-3, got none"),
        (
            hours(Value="12,5"),
            DataFileError,
            "expected numbers such as 12.5, got text .'12,5'.. A decimal comma",
        ),
        (hours()[:0], NotThisProductError, "got no rows"),
    ],
)
def test_a_file_that_is_something_else_throughout_is_refused(
    tmp_path: Path, frame: pd.DataFrame, error: type[Exception], match: str
) -> None:
    with pytest.raises(error, match=match):
        read_measurements(saved(tmp_path, frame))


def test_the_name_of_a_legacy_file_tells_its_pollutant(tmp_path: Path) -> None:
    with pytest.raises(NotThisProductError, match=r"got 5 .PM10. in the file's name"):
        read_measurements(saved(tmp_path, hours(), "RS_5_44117_2023_timeseries.csv"))
    assert len(read_measurements(saved(tmp_path, hours(), "RS_6001_44117_2023_timeseries.csv"))) == 24


def test_the_feed_that_was_asked_for_is_the_feed_that_is_read(tmp_path: Path) -> None:
    verified, fresh = (
        saved(tmp_path, hours(), "v.parquet"),
        saved(tmp_path, hours(Verification=3), "u.parquet"),
    )
    with pytest.raises(
        NotThisProductError, match="u.parquet: expected verified values .E1a., but every row says not"
    ):
        read_measurements(fresh, up_to_date=False)
    with pytest.raises(NotThisProductError, match="v.parquet: expected values of the up-to-date feed .E2a."):
        read_measurements(verified, up_to_date=True)
    account = StationAccount()
    assert len(read_measurements(fresh, account=account)) == 24
    assert "whether a file comes from the verified or the up-to-date feed" in account.not_checked
    # verified until the hour that it is not: the real files of a past year look like this
    mixed = hours(Verification=[1] * 20 + [3] * 4)
    found = read_measurements(saved(tmp_path, mixed), up_to_date=False)
    assert found["verification"].tolist() == [1] * 20 + [3] * 4


def other_network(folder: Path) -> Path:
    path = folder / "location-1-20220110.csv"
    path.write_text("location_id,sensors_id,location,datetime,lat,lon,parameter,units,value\n")
    return path


def test_another_networks_file_is_called_by_its_name(tmp_path: Path) -> None:
    with pytest.raises(NotThisProductError, match="expected columns .* It looks like OpenAQ's archive"):
        read_measurements(other_network(tmp_path))
    hours().to_csv(tmp_path / "eea.csv", index=False)
    with pytest.raises(NotThisProductError, match="It looks like the EEA's measurements"):
        read_openaq(tmp_path / "eea.csv")
    (tmp_path / "table.csv").write_text("Air Quality Station EoI Code,Sampling Point Id\nA,B\n")
    with pytest.raises(NotThisProductError, match="It looks like the EEA's station table"):
        read_measurements(tmp_path / "table.csv")


@pytest.mark.parametrize(
    ("write", "said"),
    [
        (lambda path, text: path.write_text(text, encoding="utf-8-sig"), "byte-order marks, skipped"),
        (
            lambda path, text: path.write_bytes(text.replace("ug.m-3", "µg/m³").encode("cp1252")),
            "Windows-1252",
        ),
        (lambda path, text: path.write_text(text.replace(",", ";")), "semicolons, read with decimal commas"),
        (lambda path, text: path.write_text(text.replace("\n", "\r\n"), newline=""), ""),
    ],
)
def test_the_spellings_of_spreadsheets_are_read_and_said(
    tmp_path: Path, write: Callable[[Path, str], Any], said: str
) -> None:
    path, account = tmp_path / "sheet.csv", StationAccount()
    write(path, hours().to_csv(index=False))
    assert len(read_measurements(path, account=account)) == 24
    assert said in " ".join(account.noticed)


def test_decimal_commas_between_semicolons_are_numbers(tmp_path: Path) -> None:
    text = hours(Value=12.5).to_csv(index=False, sep=";", decimal=",")
    (tmp_path / "excel.csv").write_text(text)
    assert read_measurements(tmp_path / "excel.csv")["pm2p5"].eq(12.5).all()


def test_one_point_may_be_spelled_in_several_ways(tmp_path: Path) -> None:
    for spelled in ("DE/SPO.DE_Debb021", "SPO.DE_DEBB021", " de/spo.de_debb021 "):
        found = read_measurements(saved(tmp_path, hours(Samplingpoint=spelled)))
        assert found["sampling_point"].eq(eea_rows.POINT).all()


def test_other_points_and_years_are_passed_over_with_their_faults(tmp_path: Path) -> None:
    odd = days("2013-01-02", End=pd.Timestamp("2013-01-04"))
    elsewhere = hours(Samplingpoint="DE/SPO.ELSEWHERE", Unit="ppb")
    account, wanted = StationAccount(), np.array(["2022-01-10"], dtype="datetime64[D]")
    path = saved(tmp_path, pd.concat([hours(), odd, elsewhere]))
    found = read_measurements(path, points={eea_rows.POINT}, days=wanted, account=account)
    assert len(found) == 24 and not account.left_out
    assert read_measurements(path, points=set(), account=account).empty


def test_values_that_contradict_are_no_value_and_the_later_result_wins(tmp_path: Path) -> None:
    account = StationAccount()
    twice = pd.concat([hours(), hours(number=2, Value=13.0)])
    found = read_measurements(saved(tmp_path, twice), account=account)
    assert len(found) == 22 and found["pm2p5"].eq(12.0).all()
    assert account.left_out["rows"]["values that contradict another of the same time"].count == 4
    results = [pd.Timestamp("2022-02-01"), pd.Timestamp("2022-03-01")]
    corrected = pd.concat([hours(ResultTime=results[0]), hours(number=2, Value=13.0, ResultTime=results[1])])
    assert read_measurements(saved(tmp_path, corrected))["pm2p5"].tolist() == [13.0] * 2 + [12.0] * 22
    repeated = pd.concat([hours(), hours(number=3)])
    account = StationAccount()
    assert len(read_measurements(saved(tmp_path, repeated), account=account)) == 24
    assert account.left_out["rows"]["rows that stand there twice"].count == 3


def test_noise_about_zero_is_kept_and_said(tmp_path: Path) -> None:
    account = StationAccount()
    found = read_measurements(saved(tmp_path, hours(Value=[-1.5] * 6 + [2.0] * 18)), account=account)
    # (6 * -1.5 + 18 * 2) / 24
    assert daily_means(found)["pm2p5"].tolist() == [1.125]
    assert account.noticed["negative values, which scatter about zero, kept"].count == 6
    below = daily_means(read_measurements(saved(tmp_path, hours(Value=[-3.5, -4.5] * 12))), account=account)
    assert below.empty, "scatter does not add up to -4 in a day"
    assert account.left_out["days"]["days with a mean below -3 ug m-3"].count == 1


def test_a_whole_day_of_minus_one_is_no_air(tmp_path: Path) -> None:
    account = StationAccount()
    assert daily_means(read_measurements(saved(tmp_path, hours(Value=-1.0))), account=account).empty
    assert account.left_out["days"]["days of one negative value, which is a code"].count == 1


def test_a_day_of_one_high_value_is_an_instrument_that_stopped(tmp_path: Path) -> None:
    account = StationAccount()
    assert daily_means(read_measurements(saved(tmp_path, hours(Value=500.0))), account=account).empty
    reason = "days of one value above 100 ug m-3, an instrument that stopped"
    assert account.left_out["days"][reason].count == 1
    # half of a detection limit is one value all day, and is air
    assert daily_means(read_measurements(saved(tmp_path, hours(Value=2.5))))["pm2p5"].tolist() == [2.5]
    high = [500.0] * 23 + [501.0]
    assert len(daily_means(read_measurements(saved(tmp_path, hours(Value=high))))) == 1


def test_no_flipped_bit_of_a_parquet_file_ends_in_a_librarys_error(tmp_path: Path) -> None:
    """Bits of the description are found; bits of values are not, where a file has no checksums of them."""
    whole = saved(tmp_path, hours(number=240)).read_bytes()
    rng = np.random.default_rng(0)
    refused = 0
    for place in rng.integers(4, len(whole) - 4, 120):
        flipped = bytearray(whole)
        flipped[place] ^= 1 << int(rng.integers(8))
        (tmp_path / "flipped.parquet").write_bytes(flipped)
        try:
            read_measurements(tmp_path / "flipped.parquet")
        except DataFileError:
            refused += 1
    assert refused > 20


def test_values_a_thousand_times_too_small_are_refused_and_very_small_ones_are_worth_a_look(
    tmp_path: Path,
) -> None:
    with pytest.raises(UnitsError, match="median of 0.012 and none above 0.012: these are mg m-3"):
        read_measurements(saved(tmp_path, hours(Value=0.012)))
    account = StationAccount()
    clean = [0.1] * 20 + [0.9] * 4
    assert len(read_measurements(saved(tmp_path, hours(Value=clean)), account=account)) == 24
    assert "values so small that their units may be mg m-3, kept" in account.noticed
    assert len(read_measurements(saved(tmp_path, hours(Value=0.0)))) == 24, (
        "zero has the same unit everywhere"
    )


def test_days_of_too_few_hours_are_counted(tmp_path: Path) -> None:
    account = StationAccount()
    assert daily_means(read_measurements(saved(tmp_path, hours(number=17))), account=account).empty
    tally = account.left_out["days"]["days with fewer valid hours than a mean needs"]
    assert (tally.count, tally.examples) == (1, [f"{eea_rows.POINT} 2022-01-10: 12 of 17 hours"])


def test_an_account_survives_its_file_form() -> None:
    account = StationAccount()
    account.leave_out("rows", "codes instead of values", 2, "a.csv: 985.0")
    account.notice("byte-order marks, skipped", 1)
    account.could_not_check("the weather")
    account.looked_at("files", 3)
    again = StationAccount.from_dict(account.to_dict())
    assert again == account
    assert account.sentences() == ["Left out: 2 codes instead of values (such as a.csv: 985.0)."]


@pytest.mark.real_data
def test_real_cases_of_the_eea(real_data: Path) -> None:
    offset = daily_means(read_measurements(real_data / "cases" / "eea_legacy_daily_offset.csv"))
    assert dict(zip(offset["time"].dt.strftime("%m-%d"), offset["pm2p5"], strict=True)) == {
        "01-05": 40.0,
        "01-06": 10.0,
    }
    account = StationAccount()
    kept = daily_means(read_measurements(real_data / "cases" / "eea_day_48h.parquet", account=account))
    assert kept["time"].dt.day.tolist() == [1, 3, 4, 5, 6]
    assert account.left_out["rows"]["values over other lengths than a whole hour or day"].count == 1
