"""Three years by the local calendar, three months before it: by hand, and for every instant."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.mandate.domain.validity import expiry_of, months_on, renewal_opens_at

BRUSSELS = ZoneInfo("Europe/Brussels")
INSTANTS = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.mark.parametrize(
    ("granted_at", "expires_at"),
    [
        ("2026-11-20T12:05:00Z", "2029-11-20T23:00:00Z"),  # winter to winter
        ("2026-06-20T12:05:00Z", "2029-06-20T22:00:00Z"),  # summer to summer
        ("2026-03-28T12:00:00Z", "2029-03-28T22:00:00Z"),  # granted in winter, ends in summer: 25 March 2029 is behind
        ("2026-10-25T00:30:00Z", "2029-10-25T22:00:00Z"),  # the doubled hour of 2026; in 2029 it is 28 October
        ("2026-10-28T12:00:00Z", "2029-10-28T23:00:00Z"),  # ends with the day of 25 hours of 2029
        ("2026-03-25T12:00:00Z", "2029-03-25T22:00:00Z"),  # ends with the day of 23 hours of 2029
        ("2028-02-29T12:00:00Z", "2031-02-28T23:00:00Z"),  # no 29 February in 2031
        ("2025-02-28T12:00:00Z", "2028-02-28T23:00:00Z"),  # and not the 29th of 2028
        ("2026-11-20T22:59:59.999999Z", "2029-11-20T23:00:00Z"),  # the last moment of the local day
        ("2026-11-20T23:00:00Z", "2029-11-21T23:00:00Z"),  # local midnight: the next day
        ("2026-12-31T23:30:00Z", "2030-01-01T23:00:00Z"),  # new year by the local calendar
    ],
)
def test_a_mandate_lives_to_the_end_of_the_local_day_three_years_on(granted_at: str, expires_at: str) -> None:
    assert expiry_of(utc(granted_at)) == utc(expires_at)


@pytest.mark.parametrize(
    ("expires_at", "opens_at"),
    [
        ("2029-11-20T23:00:00Z", "2029-08-20T22:00:00Z"),  # the last day is 20 November; summer time in August
        ("2029-06-20T22:00:00Z", "2029-03-20T23:00:00Z"),
        ("2031-02-28T23:00:00Z", "2030-11-28T23:00:00Z"),
        ("2029-05-31T22:00:00Z", "2029-02-28T23:00:00Z"),  # no 31 February
        ("2028-05-31T22:00:00Z", "2028-02-29T23:00:00Z"),  # and a 29th in 2028
        ("2029-01-15T23:00:00Z", "2028-10-15T22:00:00Z"),  # over the turn of the year
        ("2029-06-25T22:00:00Z", "2029-03-25T22:00:00Z"),  # the day of 23 hours of 2029 ends in summer time
    ],
)
def test_renewal_opens_three_calendar_months_before_the_last_day(expires_at: str, opens_at: str) -> None:
    assert renewal_opens_at(utc(expires_at)) == utc(opens_at)


@pytest.mark.parametrize(
    ("day", "months", "result"),
    [
        (date(2026, 1, 31), 1, date(2026, 2, 28)),
        (date(2026, 12, 31), 2, date(2027, 2, 28)),
        (date(2026, 3, 31), -1, date(2026, 2, 28)),
        (date(2026, 1, 15), -1, date(2025, 12, 15)),
        (date(2026, 5, 5), 0, date(2026, 5, 5)),
    ],
)
def test_months_are_those_of_the_calendar(day: date, months: int, result: date) -> None:
    assert months_on(day, months) == result


@given(INSTANTS)
def test_every_expiry_is_a_local_midnight_after_three_years_and_less_than_a_day(granted_at: datetime) -> None:
    end = expiry_of(granted_at).astimezone(BRUSSELS)
    assert (end.hour, end.minute, end.second, end.microsecond) == (0, 0, 0, 0)
    begin = granted_at.astimezone(BRUSSELS).date()
    last = end.date() - timedelta(days=1)
    assert (last.year, last.month) == (begin.year + 3, begin.month)
    assert last.day == (28 if (begin.month, begin.day) == (2, 29) else begin.day)


@given(INSTANTS)
def test_renewal_opens_between_88_and_93_days_before_the_end(granted_at: datetime) -> None:
    expires_at = expiry_of(granted_at)
    opens_at = renewal_opens_at(expires_at)
    assert opens_at.astimezone(BRUSSELS).hour == 0
    assert granted_at < opens_at < expires_at
    assert timedelta(days=88) < expires_at - opens_at < timedelta(days=93)


@given(INSTANTS, st.timedeltas(timedelta(0), timedelta(days=2)))
def test_a_later_consent_never_ends_earlier(granted_at: datetime, later: timedelta) -> None:
    assert expiry_of(granted_at) <= expiry_of(granted_at + later)
