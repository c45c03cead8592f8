"""Whose points: occupancies of allocation points, put together."""

from __future__ import annotations

from datetime import date
from uuid import UUID

from services.register.domain.point import Occupancy
from services.register.domain.whose import PointUse, uses_of
from tests.examples import HOUSE
from tests.register_events import ANNA, BERT


def at(place: str, first: date, last: date | None = None, *, who: UUID = ANNA) -> Occupancy:
    return Occupancy(allocation_point_id=place, net_user_id=who, first_on=first, last_on=last)


def uses(
    *occupancies: Occupancy, places: tuple[str, ...]
) -> list[tuple[UUID, tuple[str, ...], bool, date, date | None]]:
    found: list[PointUse] = uses_of([(HOUSE, each) for each in occupancies], {HOUSE: places})
    assert {use.ean for use in found} <= {HOUSE}
    return [(use.net_user_id, use.allocation_points, use.is_whole, use.first_on, use.last_on) for use in found]


JANUARY, FEBRUARY, MARCH, JUNE = (date(2026, month, 1) for month in (1, 2, 3, 6))


def test_one_allocation_point_is_the_whole_point() -> None:
    assert uses(at("1", JANUARY), places=("1",)) == [(ANNA, ("1",), True, JANUARY, None)]


def test_a_whole_use_is_the_days_at_every_allocation_point() -> None:
    found = uses(at("1", JANUARY, JUNE), at("2", FEBRUARY), places=("1", "2"))
    assert found == [(ANNA, ("1", "2"), True, FEBRUARY, JUNE)]


def test_who_is_at_one_of_two_allocation_points_has_a_part() -> None:
    found = uses(at("1", JANUARY), at("2", FEBRUARY, who=BERT), places=("1", "2"))
    assert found == [(ANNA, ("1",), False, JANUARY, None), (BERT, ("2",), False, FEBRUARY, None)]


def test_who_left_and_came_back_has_two_uses() -> None:
    found = uses(at("1", JANUARY, FEBRUARY), at("1", JUNE), places=("1",))
    assert found == [(ANNA, ("1",), True, JANUARY, FEBRUARY), (ANNA, ("1",), True, JUNE, None)]


def test_two_times_that_only_touch_have_their_common_day() -> None:
    found = uses(at("1", JANUARY, MARCH), at("2", MARCH, JUNE), places=("1", "2"))
    assert found == [(ANNA, ("1", "2"), True, MARCH, MARCH)]


def test_two_times_that_never_meet_are_parts() -> None:
    found = uses(at("1", JANUARY, FEBRUARY), at("2", MARCH, JUNE), places=("1", "2"))
    assert found == [(ANNA, ("1",), False, JANUARY, FEBRUARY), (ANNA, ("2",), False, MARCH, JUNE)]
