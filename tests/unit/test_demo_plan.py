"""Which points the demo world has."""

from __future__ import annotations

from collections import Counter
from datetime import date

from hypothesis import given, settings
from hypothesis import strategies as st

from market.channel import Energy, MeterKind
from market.ean import parse_ean
from stack.demo.gas import first_provisional_day
from stack.demo.plan import make_plan
from stack.demo.tour import last_long_day

LAST_DAY = date(2026, 11, 23)


def test_there_are_sixty_points_with_valid_eans_of_one_invented_range() -> None:
    plan = make_plan(LAST_DAY)
    eans = [point.ean for point in plan.points] + [point.sub.ean for point in plan.points if point.sub]
    assert len(set(eans)) == 60
    assert all(parse_ean(ean).startswith("5414488000009") for ean in eans)


def test_every_kind_of_point_is_there() -> None:
    points = make_plan(LAST_DAY).points
    kinds = Counter((point.energy, point.meter_kind, point.sun_kwp > 0) for point in points)
    assert kinds == {
        (Energy.ELECTRICITY, MeterKind.DIGITAL, False): 20,
        (Energy.ELECTRICITY, MeterKind.DIGITAL, True): 15,
        (Energy.GAS, MeterKind.DIGITAL, False): 16,
        (Energy.ELECTRICITY, MeterKind.AMR, True): 3,
        (Energy.ELECTRICITY, MeterKind.AMR, False): 3,
    }
    assert sum(point.sub is not None for point in points) == 3


def test_no_two_meters_have_one_number_and_large_points_are_measured_as_a_whole() -> None:
    points = make_plan(LAST_DAY).points
    meters = [point.meter_id for point in points if point.meter_id] + [p.swap.meter_id for p in points if p.swap]
    assert len(meters) == len(set(meters)) == 52
    assert all((point.meter_id == "") == (point.meter_kind is MeterKind.AMR) for point in points)


@given(st.dates(date(2026, 1, 1), date(2035, 12, 31)))
@settings(max_examples=50, deadline=None)
def test_any_400_days_hold_both_changes_of_the_clock(last_day: date) -> None:
    plan = make_plan(last_day)
    assert (plan.last_day - plan.first_day).days == 399
    assert plan.first_day <= last_long_day(plan) <= last_day


def test_a_month_is_provisional_until_it_is_three_days_over() -> None:
    assert first_provisional_day(make_plan(date(2026, 11, 23))) == date(2026, 11, 1)
    assert first_provisional_day(make_plan(date(2026, 11, 4))) == date(2026, 11, 1)
    assert first_provisional_day(make_plan(date(2026, 11, 3))) == date(2026, 10, 1)
