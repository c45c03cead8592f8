"""The query of the energy operation: what is taken, what it means, what is refused with which words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from eventlog.problems import Problem
from services.export.domain.access import Detail
from services.export.energy_query import EnergyQuery, by_name, read_energy_query
from tests.examples import HOUSE

NOW = datetime(2026, 11, 21, 10, 0, 0, 123_456, tzinfo=UTC)
FULL = {"ean": HOUSE, "periodType": "readTime", "from": "2026-10-25", "to": "2026-10-26"}


def read(**changes: str | None) -> EnergyQuery:
    given = {**FULL, **{name.rstrip("_"): value for name, value in changes.items()}}
    return read_energy_query(by_name((name, value) for name, value in given.items() if value is not None), NOW)


def refusals(**changes: str | None) -> tuple[str, ...]:
    with pytest.raises(Problem) as caught:
        read(**changes)
    assert (caught.value.status, caught.value.code) == (400, "ValidationError")
    return caught.value.validation_errors


def utc(day: int, hour: int = 0, minute: int = 0, month: int = 10) -> datetime:
    return datetime(2026, month, day, hour, minute, tzinfo=UTC)


def test_a_bare_date_is_midnight_utc() -> None:
    query = read()
    assert (query.start, query.end, query.is_insert_time) == (utc(25), utc(26), False)
    assert (query.details, query.has_active, query.has_reactive) == (None, True, False)
    assert query.granularity == "daily,hourly_quarterhourly"


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-10-25T00:00:00", utc(25)),
        ("2026-10-25T00:00:00Z", utc(25)),
        ("2026-10-25t00:00:00z", utc(25)),
        ("2026-10-25T02:00:00+02:00", utc(25)),
        ("2026-10-25T02:00:00 02:00", utc(25)),
        ("2026-10-25T02:00:00%2B02:00".replace("%2B", "+"), utc(25)),
        ("2026-10-25T00:00:00.0000000Z", utc(25)),
        ("2026-10-25 06:30", utc(25, 6, 30)),
    ],
)
def test_an_offset_is_honoured_and_none_means_utc(text: str, instant: datetime) -> None:
    assert read(from_=text).start == instant


def test_without_bounds_it_is_the_last_24_hours() -> None:
    query = read(from_=None, to=None)
    assert (query.start, query.end) == (NOW - timedelta(hours=24), NOW)
    assert read(to=None).end == NOW
    assert read(from_=None).start == utc(25)


def test_names_match_without_regard_to_case_and_unknown_ones_are_passed_over() -> None:
    pairs = [("EAN", HOUSE), ("PeriodType", "INSERTTIME"), ("FROM", "2026-10-25"), ("To", "2026-10-26"), ("x", "y")]
    query = read_energy_query(by_name(pairs), NOW)
    assert (query.ean, query.is_insert_time, query.start) == (HOUSE, True, utc(25))


@pytest.mark.parametrize(
    ("given", "details"),
    [
        ({"granularity": "daily"}, {Detail.DAILY}),
        ({"granularity": "Daily, HOURLY_quarterhourly"}, {Detail.DAILY, Detail.SLICES}),
        ({"dataServiceType": "VH_dag"}, {Detail.DAILY}),
        ({"DataServiceType": "VH_kwartier_uur"}, {Detail.SLICES}),
        ({"granularity": "daily", "dataServiceType": "VH_kwartier_uur"}, {Detail.DAILY}),
        ({"dataServiceType": "VH_onbepaald"}, None),
        ({"granularity": ""}, None),
    ],
)
def test_the_older_selector_stands_in_for_a_missing_granularity(
    given: dict[str, str], details: set[Detail] | None
) -> None:
    assert read(**given).details == details


def test_a_list_may_be_said_twice() -> None:
    pairs = [*FULL.items(), ("granularity", "daily"), ("granularity", "hourly_quarterhourly")]
    assert read_energy_query(by_name(pairs), NOW).details == set(Detail)


def test_reactive_is_asked_for_by_name() -> None:
    query = read(complexEnergyTypes="active,Reactive")
    assert (query.has_active, query.has_reactive) == (True, True)
    assert (read(complexEnergyTypes="reactive").has_active) is False


def test_the_longest_span_is_184_days_and_one_hour() -> None:
    assert read(from_="2026-01-01T00:00", to="2026-07-04T01:00").end == utc(4, 1, month=7)
    assert refusals(from_="2026-01-01T00:00", to="2026-07-04T01:00:01") == (
        "to: at most 184 days and one hour after from",
    )


def test_from_may_be_to_but_not_after_it() -> None:
    assert read(to="2026-10-25").end == utc(25)
    assert refusals(to="2026-10-24") == ("from: it is after to",)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ean": None}, "ean: this parameter is required"),
        ({"ean": "541448800000000018"}, "ean: the check digit of the EAN is wrong"),
        ({"ean": "12"}, "ean: an EAN is 18 digits"),
        ({"periodType": None}, "periodType: this parameter is required, readTime or insertTime"),
        ({"periodType": "other"}, "periodType: this parameter is required, readTime or insertTime"),
        ({"granularity": "weekly"}, "granularity: daily, hourly_quarterhourly, or both with a comma"),
        ({"granularity": ","}, "granularity: daily, hourly_quarterhourly, or both with a comma"),
        ({"complexEnergyTypes": "imaginary"}, "complexEnergyTypes: active, reactive, or both with a comma"),
        ({"from_": "yesterday"}, "from: a date, or a date-time in ISO 8601"),
        ({"from_": "2026-02-30"}, "from: a date, or a date-time in ISO 8601"),
        ({"from_": "0001-01-01T00:00:00+14:00"}, "from: a date, or a date-time in ISO 8601"),
        ({"from_": "1776-07-04", "to": "1776-07-05"}, "from: a year from 1900 to 2199"),
    ],
)
def test_what_is_wrong_is_named(changes: dict[str, str | None], message: str) -> None:
    assert message in refusals(**changes)


def test_everything_that_is_wrong_is_named_at_once() -> None:
    assert len(refusals(ean=None, periodType=None, from_="x")) == 3
