"""Day and night: when they change, and what weekends, holidays and the kind of meter do to them."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.channel import Energy, MeterKind, Resolution
from market.local_time import slice_count
from market.tariff import day_tariff_mask

DIGITAL, AMR = MeterKind.DIGITAL, MeterKind.AMR
NIGHT_DAY_NIGHT = (False,) * 28 + (True,) * 60 + (False,) * 8


@pytest.mark.parametrize("kind", [DIGITAL, AMR])
def test_a_working_day_is_day_from_seven_to_ten_in_the_evening(kind: MeterKind) -> None:
    assert day_tariff_mask(kind, date(2026, 11, 19)) == NIGHT_DAY_NIGHT


@pytest.mark.parametrize("kind", [DIGITAL, AMR])
@pytest.mark.parametrize(
    ("day", "count"), [(date(2026, 11, 21), 96), (date(2026, 10, 25), 100), (date(2026, 3, 29), 92)]
)
def test_a_weekend_is_night_also_when_the_clocks_change(kind: MeterKind, day: date, count: int) -> None:
    assert day_tariff_mask(kind, day) == (False,) * count


@pytest.mark.parametrize("day", [date(2026, 11, 11), date(2026, 5, 14), date(2026, 4, 6), date(2026, 5, 25)])
def test_a_legal_holiday_is_night_on_an_amr_meter_and_an_ordinary_day_on_a_digital_one(day: date) -> None:
    assert day_tariff_mask(AMR, day) == (False,) * 96
    assert day_tariff_mask(DIGITAL, day) == NIGHT_DAY_NIGHT


def test_other_days_that_many_have_off_are_ordinary_on_every_meter() -> None:
    for day in (date(2026, 11, 2), date(2026, 12, 24), date(2025, 11, 14), date(2026, 7, 20)):
        assert day_tariff_mask(AMR, day) == NIGHT_DAY_NIGHT


def test_meters_of_unknown_kind_follow_the_digital_calendar() -> None:
    assert day_tariff_mask(MeterKind.UNKNOWN, date(2026, 11, 11)) == NIGHT_DAY_NIGHT


@given(st.sampled_from(MeterKind), st.dates(date(2000, 1, 1), date(2060, 1, 1)))
def test_the_mask_has_an_entry_for_every_quarter_of_the_day(kind: MeterKind, day: date) -> None:
    mask = day_tariff_mask(kind, day)
    assert len(mask) == slice_count(Energy.ELECTRICITY, Resolution.QUARTER_HOURLY, day)
    assert sum(mask) in (0, 60)
    assert sum(day_tariff_mask(AMR, day)) <= sum(day_tariff_mask(DIGITAL, day))


def test_a_week_has_five_days_of_day_tariff() -> None:
    week = [date(2026, 11, 16) + timedelta(days=i) for i in range(7)]
    assert [sum(day_tariff_mask(DIGITAL, day)) for day in week] == [60, 60, 60, 60, 60, 0, 0]
