"""The day, week and month that a page shows."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.portal.periods import Period, View, parse_day, period_of

DAYS = st.dates(date(2000, 1, 10), date(2099, 12, 1))


def test_a_week_runs_from_monday_to_sunday_across_the_turn_of_the_year() -> None:
    assert period_of(View.WEEK, date(2025, 1, 1)) == Period(View.WEEK, date(2024, 12, 30), date(2025, 1, 5))


def test_a_month_has_all_its_days_in_a_leap_year() -> None:
    assert period_of(View.MONTH, date(2024, 2, 17)) == Period(View.MONTH, date(2024, 2, 1), date(2024, 2, 29))


def test_a_day_is_itself() -> None:
    assert period_of(View.DAY, date(2025, 3, 30)) == Period(View.DAY, date(2025, 3, 30), date(2025, 3, 30))


@given(DAYS, st.sampled_from(View))
def test_next_and_previous_undo_each_other_and_leave_no_day_out(day: date, view: View) -> None:
    period = period_of(view, day)
    assert period.holds(day)
    assert period.next().previous() == period
    assert (period.next().first_on - period.last_on).days == 1


@pytest.mark.parametrize(
    "text", ["2025-13-01", "2025-1-1", "20250101", "1999-12-31", "2100-01-01", "", "today", "2025-W01-1"]
)
def test_what_is_not_a_day_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_day(text)


def test_a_day_is_read_as_it_is_written() -> None:
    assert parse_day("2021-10-31") == date(2021, 10, 31)
