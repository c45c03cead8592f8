"""Local days, gas days and months, and what the two changes of the clock do to them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.channel import Energy, Resolution
from market.local_time import (
    day_bounds,
    day_of,
    day_start,
    month_start,
    next_month_start,
    slice_bounds,
    slice_count,
)

E, G = Energy.ELECTRICITY, Energy.GAS
QUARTER, HOUR = Resolution.QUARTER_HOURLY, Resolution.HOURLY
DAYS = st.dates(date(1996, 1, 1), date(2060, 12, 31))
INSTANTS = st.datetimes(datetime(1996, 1, 1), datetime(2060, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("energy", "day", "start"),
    [
        (E, date(2026, 1, 15), "2026-01-14T23:00"),
        (E, date(2026, 7, 15), "2026-07-14T22:00"),
        (E, date(2026, 10, 25), "2026-10-24T22:00"),
        (E, date(2026, 10, 26), "2026-10-25T23:00"),
        (G, date(2026, 1, 15), "2026-01-15T05:00"),
        (G, date(2026, 10, 24), "2026-10-24T04:00"),
        (G, date(2026, 10, 25), "2026-10-25T05:00"),
    ],
)
def test_a_day_begins_at_local_midnight_and_a_gas_day_at_six(energy: Energy, day: date, start: str) -> None:
    assert day_start(energy, day) == utc(start)


@pytest.mark.parametrize(
    ("energy", "resolution", "day", "count"),
    [
        (E, QUARTER, date(2026, 3, 29), 92),
        (E, QUARTER, date(2026, 3, 28), 96),
        (E, QUARTER, date(2026, 10, 25), 100),
        (E, HOUR, date(2026, 10, 25), 25),
        (G, HOUR, date(2026, 3, 28), 23),
        (G, HOUR, date(2026, 3, 29), 24),
        (G, HOUR, date(2026, 10, 24), 25),
        (G, HOUR, date(2026, 10, 25), 24),
        (E, Resolution.DAILY, date(2026, 10, 25), 1),
        (G, Resolution.MONTHLY, date(2026, 10, 1), 1),
    ],
)
def test_the_slices_of_a_day_are_counted_by_the_calendar(
    energy: Energy, resolution: Resolution, day: date, count: int
) -> None:
    assert slice_count(energy, resolution, day) == count


@given(st.sampled_from(Energy), st.sampled_from([QUARTER, HOUR]), DAYS)
def test_slices_tile_the_day(energy: Energy, resolution: Resolution, day: date) -> None:
    bounds = slice_bounds(energy, resolution, day)
    length = timedelta(minutes=15) if resolution is QUARTER else timedelta(hours=1)
    assert (bounds[0], bounds[-1]) == day_bounds(energy, day)
    assert {end - start for start, end in pairwise(bounds)} == {length}
    assert len(bounds) - 1 == slice_count(energy, resolution, day)
    assert len(bounds) - 1 in ((92, 96, 100) if resolution is QUARTER else (23, 24, 25))


@given(st.sampled_from(Energy), DAYS)
def test_a_day_ends_where_the_next_one_begins(energy: Energy, day: date) -> None:
    assert day_bounds(energy, day)[1] == day_bounds(energy, day + timedelta(days=1))[0]


@given(st.sampled_from(Energy), INSTANTS)
def test_every_instant_lies_in_the_day_that_it_is_said_to_lie_in(energy: Energy, instant: datetime) -> None:
    start, end = day_bounds(energy, day_of(energy, instant))
    assert start <= instant < end


@given(DAYS)
def test_only_the_last_sundays_of_march_and_october_are_short_or_long(day: date) -> None:
    is_last_sunday = day.weekday() == 6 and (day + timedelta(days=7)).month != day.month
    expected = {3: 92, 10: 100}.get(day.month, 96) if is_last_sunday else 96
    assert slice_count(E, QUARTER, day) == expected


@given(DAYS)
def test_the_changed_hour_of_gas_lies_in_the_day_before(day: date) -> None:
    assert slice_count(G, HOUR, day - timedelta(days=1)) * 4 == slice_count(E, QUARTER, day)


@pytest.mark.parametrize(
    ("energy", "day", "start", "end"),
    [
        (E, date(2026, 10, 17), "2026-09-30T22:00", "2026-10-31T23:00"),
        (E, date(2026, 3, 1), "2026-02-28T23:00", "2026-03-31T22:00"),
        (G, date(2026, 10, 31), "2026-10-01T04:00", "2026-11-01T05:00"),
        (E, date(2026, 12, 31), "2026-11-30T23:00", "2026-12-31T23:00"),
    ],
)
def test_a_month_runs_from_its_first_day_to_the_next_ones(energy: Energy, day: date, start: str, end: str) -> None:
    assert slice_bounds(energy, Resolution.MONTHLY, day) == (utc(start), utc(end))


@given(DAYS)
def test_month_starts_follow_each_other(day: date) -> None:
    assert month_start(day) <= day < next_month_start(day)
    assert month_start(next_month_start(day) - timedelta(days=1)) == month_start(day)


def test_a_day_has_two_bounds() -> None:
    assert slice_bounds(E, Resolution.DAILY, date(2026, 10, 25)) == (utc("2026-10-24T22:00"), utc("2026-10-25T23:00"))
