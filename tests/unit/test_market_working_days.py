"""Belgian legal holidays, working days, and five deadlines that run on different clocks."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market import deadline
from market.deadline import Deadline, days_delivered_on, due_on
from market.working_days import (
    add_working_days,
    is_legal_holiday,
    is_working_day,
    legal_holidays,
    previous_working_day,
    working_day_of_next_month,
)

DAYS = st.dates(date(2000, 1, 1), date(2060, 1, 1))


def test_the_ten_legal_holidays_of_2026() -> None:
    assert sorted(legal_holidays(2026)) == [
        date(2026, 1, 1),
        date(2026, 4, 6),
        date(2026, 5, 1),
        date(2026, 5, 14),
        date(2026, 5, 25),
        date(2026, 7, 21),
        date(2026, 8, 15),
        date(2026, 11, 1),
        date(2026, 11, 11),
        date(2026, 12, 25),
    ]


@pytest.mark.parametrize("day", [date(2026, 4, 5), date(2026, 5, 24), date(2026, 4, 3), date(2026, 12, 26)])
def test_easter_whit_sunday_good_friday_and_boxing_day_are_not_legal_holidays(day: date) -> None:
    assert not is_legal_holiday(day)


@given(st.integers(1990, 2099))
def test_every_year_has_ten_unless_two_fall_together(year: int) -> None:
    # Ascension fell on Labour Day in 2008 and does so again in 2160.
    assert len(legal_holidays(year)) == (9 if year == 2008 else 10)


@pytest.mark.parametrize(
    ("day", "count", "expected"),
    [
        (date(2026, 11, 20), 1, date(2026, 11, 23)),  # Friday -> Monday
        (date(2026, 11, 21), 1, date(2026, 11, 23)),  # Saturday is not counted
        (date(2026, 11, 10), 1, date(2026, 11, 12)),  # over Armistice Day
        (date(2026, 12, 24), 2, date(2026, 12, 29)),  # over Christmas and a weekend
        (date(2026, 11, 12), -1, date(2026, 11, 10)),
        (date(2026, 11, 21), 0, date(2026, 11, 21)),
    ],
)
def test_working_days_are_counted_after_the_day(day: date, count: int, expected: date) -> None:
    assert add_working_days(day, count) == expected


@given(DAYS, st.integers(1, 30))
def test_counting_forth_lands_on_a_working_day_with_as_many_in_between(day: date, count: int) -> None:
    end = add_working_days(day, count)
    passed = [day + timedelta(days=i) for i in range(1, (end - day).days + 1)]
    assert is_working_day(end)
    assert sum(map(is_working_day, passed)) == count


@given(DAYS)
def test_the_previous_working_day_is_the_last_one_before(day: date) -> None:
    before = previous_working_day(day)
    assert before < day
    assert is_working_day(before)
    assert not any(is_working_day(before + timedelta(days=i)) for i in range(1, (day - before).days))


def test_the_fourth_working_day_of_the_next_month() -> None:
    assert working_day_of_next_month(date(2026, 10, 17), 4) == date(2026, 11, 5)
    assert working_day_of_next_month(date(2026, 12, 31), 4) == date(2027, 1, 7)  # New Year is a Friday


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (deadline.SAMPLING_AUDIT, date(2026, 11, 11)),  # 14 calendar days
        (deadline.YEARLY_HISTORY, date(2026, 11, 7)),  # 10 days
        (deadline.NPS_INFORMATIVE, date(2026, 11, 2)),  # 5 days
        (deadline.NPS_HISTORICAL, date(2026, 11, 12)),  # 15 days
        (deadline.YEARLY_HISTORY_BY_LAW, date(2026, 11, 19)),  # 15 working days, Armistice Day in between
        (deadline.QUESTION_BY_MAIL, date(2026, 11, 4)),  # 5 working days
        (deadline.AMR_VALIDATED, date(2026, 11, 12)),  # 10th working day after
        (deadline.AMR_MONTH_VALIDATED, date(2026, 11, 5)),  # 4th working day of November
    ],
)
def test_each_deadline_runs_on_its_own_clock_from_wednesday_28_october(rule: Deadline, expected: date) -> None:
    assert due_on(rule, date(2026, 10, 28)) == expected


def test_what_is_due_on_a_monday_reaches_back_to_friday() -> None:
    assert days_delivered_on(date(2026, 11, 23)) == (date(2026, 11, 20), date(2026, 11, 22))
    assert days_delivered_on(date(2026, 11, 24)) == (date(2026, 11, 23), date(2026, 11, 23))
    assert days_delivered_on(date(2026, 11, 12)) == (date(2026, 11, 10), date(2026, 11, 11))
