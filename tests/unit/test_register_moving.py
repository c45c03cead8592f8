"""Net users come and go: whole days, one at a time, and nothing that was cut comes back."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise
from uuid import UUID

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from eventlog.events import NetUserMovedOut
from services.register.domain import MoveIn, MoveOut, PointCommand, RegistrationRefused, decide, fold
from services.register.domain.point import AccessPoint, evolve
from tests.examples import HOUSE
from tests.register_events import ANNA, BERT, HOUSE_INJECTS, NEW_HOUSE, NEW_YEAR, closed, known, moved_in, moved_out

MARCH_1 = date(2026, 3, 1)
FEBRUARY_28 = date(2026, 2, 28)
JUNE_30 = date(2026, 6, 30)


def move_in(who: UUID, on: date, *, place: str | None = None) -> MoveIn:
    return MoveIn(ean=HOUSE, allocation_point_id=place, net_user_id=who, moved_in_on=on)


def move_out(who: UUID, last_on: date, *, place: str | None = None) -> MoveOut:
    return MoveOut(ean=HOUSE, allocation_point_id=place, net_user_id=who, last_on=last_on)


def test_a_net_user_moves_in_once() -> None:
    known(*NEW_HOUSE).when(move_in(ANNA, NEW_YEAR)).then(moved_in(ANNA, NEW_YEAR))
    known(*NEW_HOUSE, moved_in(ANNA, NEW_YEAR)).when(move_in(ANNA, NEW_YEAR)).then()


def test_a_customer_switch_moves_the_earlier_net_user_out_the_day_before() -> None:
    known(*NEW_HOUSE, moved_in(ANNA, NEW_YEAR)).when(move_in(BERT, MARCH_1)).then(
        moved_out(ANNA, FEBRUARY_28), moved_in(BERT, MARCH_1)
    )


def test_what_happened_before_a_switch_is_told_again_without_effect() -> None:
    after = known(*NEW_HOUSE, moved_in(ANNA, NEW_YEAR), moved_out(ANNA, FEBRUARY_28), moved_in(BERT, MARCH_1))
    after.when(move_in(ANNA, NEW_YEAR)).then()
    after.when(move_out(ANNA, FEBRUARY_28)).then()
    after.when(move_in(BERT, MARCH_1)).then()


def test_a_switch_before_a_known_end_makes_that_end_earlier() -> None:
    known(*NEW_HOUSE, moved_in(ANNA, NEW_YEAR), moved_out(ANNA, JUNE_30)).when(move_in(BERT, MARCH_1)).then(
        moved_out(ANNA, FEBRUARY_28), moved_in(BERT, MARCH_1)
    )


def test_a_point_may_stand_empty_before_the_next_comes() -> None:
    known(*NEW_HOUSE, moved_in(ANNA, NEW_YEAR), moved_out(ANNA, FEBRUARY_28)).when(move_in(BERT, JUNE_30)).then(
        moved_in(BERT, JUNE_30)
    )


def test_who_has_left_may_come_back() -> None:
    known(*NEW_HOUSE, moved_in(ANNA, NEW_YEAR), moved_out(ANNA, FEBRUARY_28)).when(move_in(ANNA, MARCH_1)).then(
        moved_in(ANNA, MARCH_1)
    )


def test_a_net_user_may_come_and_go_within_one_day() -> None:
    known(*NEW_HOUSE, moved_in(ANNA, NEW_YEAR)).when(move_out(ANNA, NEW_YEAR)).then(moved_out(ANNA, NEW_YEAR))


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (move_in(BERT, MARCH_1), "a move-in is not put before another"),
        (move_in(BERT, FEBRUARY_28), "a move-in is not put before another"),
        (move_in(ANNA, JUNE_30), "is here since an earlier day"),
        (move_in(BERT, date(2025, 12, 31)), "does not exist yet"),
        (move_in(BERT, JUNE_30, place="2"), "no such allocation point"),
        (move_out(BERT, JUNE_30), "is not here"),
        (move_out(ANNA, FEBRUARY_28), "moved in after that day"),
    ],
)
def test_a_move_that_does_not_fit_is_refused(command: PointCommand, words: str) -> None:
    known(*NEW_HOUSE, moved_in(ANNA, MARCH_1)).when(command).refused(RegistrationRefused, words)


def test_an_end_becomes_earlier_and_never_later() -> None:
    gone = known(*NEW_HOUSE, moved_in(ANNA, NEW_YEAR), moved_out(ANNA, MARCH_1))
    gone.when(move_out(ANNA, FEBRUARY_28)).then(moved_out(ANNA, FEBRUARY_28))
    gone.when(move_out(ANNA, JUNE_30)).refused(RegistrationRefused, "an end does not become later")


def test_who_was_followed_by_another_is_not_moved_out_again() -> None:
    known(*NEW_HOUSE, moved_in(ANNA, NEW_YEAR), moved_out(ANNA, FEBRUARY_28), moved_in(BERT, MARCH_1)).when(
        move_out(ANNA, NEW_YEAR)
    ).refused(RegistrationRefused, "another came since")


def test_a_move_is_at_all_allocation_points_or_at_the_one_that_is_named() -> None:
    house = (*NEW_HOUSE, HOUSE_INJECTS)
    known(*house).when(move_in(ANNA, NEW_YEAR)).then(moved_in(ANNA, NEW_YEAR), moved_in(ANNA, NEW_YEAR, place="2"))
    known(*house, moved_in(ANNA, NEW_YEAR)).when(move_in(ANNA, NEW_YEAR)).then(moved_in(ANNA, NEW_YEAR, place="2"))
    known(*house).when(move_in(ANNA, NEW_YEAR, place="2")).then(moved_in(ANNA, NEW_YEAR, place="2"))
    both = (*house, moved_in(ANNA, NEW_YEAR), moved_in(ANNA, NEW_YEAR, place="2"))
    known(*both).when(move_out(ANNA, JUNE_30, place="2")).then(moved_out(ANNA, JUNE_30, place="2"))
    known(*both).when(move_in(BERT, MARCH_1, place="2")).then(
        moved_out(ANNA, FEBRUARY_28, place="2"), moved_in(BERT, MARCH_1, place="2")
    )


def test_nobody_moves_into_a_closed_point() -> None:
    known(*NEW_HOUSE, closed(JUNE_30)).when(move_in(ANNA, MARCH_1)).refused(RegistrationRefused, "is closed")


DAYS = st.integers(0, 40).map(lambda count: NEW_YEAR + timedelta(days=count))
PEOPLE = st.sampled_from([ANNA, BERT, UUID(int=12)])
MOVES = st.lists(st.one_of(st.builds(move_in, PEOPLE, DAYS), st.builds(move_out, PEOPLE, DAYS)), max_size=12)


@for_all(MOVES)
def test_whatever_is_asked_two_never_share_a_day_and_no_end_becomes_later(moves: list[PointCommand]) -> None:
    state: AccessPoint = fold(NEW_HOUSE)
    for command in moves:
        before = state
        try:
            events = decide(command, state)
        except RegistrationRefused:
            continue
        for event in events:
            state = evolve(state, event)
        ends = {each.first_on: each.last_on for each in before.occupancies}
        for each in state.occupancies:
            known_end = ends.get(each.first_on)
            assert known_end is None or (each.last_on is not None and each.last_on <= known_end)
        assert decide(command, state) == [], "told again, it changes nothing"
    spans = [(each.first_on, each.last_on or date.max) for each in state.occupancies]
    assert all(first <= last for first, last in spans)
    assert all(last < first for (_, last), (first, _) in pairwise(spans))


def test_a_move_out_ends_the_newest_occupancy_and_no_other() -> None:
    state = fold(
        [
            *NEW_HOUSE,
            moved_in(ANNA, NEW_YEAR),
            moved_out(ANNA, FEBRUARY_28),
            moved_in(ANNA, MARCH_1),
            NetUserMovedOut(ean=HOUSE, allocation_point_id="1", net_user_id=ANNA, last_on=JUNE_30),
        ]
    )
    assert [(each.first_on, each.last_on) for each in state.occupancies] == [
        (NEW_YEAR, FEBRUARY_28),
        (MARCH_1, JUNE_30),
    ]
