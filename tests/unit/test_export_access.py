"""What may leave, case by case: every bound by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from services.export.domain.access import Allowed, Asked, Detail, allowed, own
from services.export.domain.permissions import AllocationPoint, Occupancy, PointFacts
from tests.examples import HOLDER_KBO, HOUSE, OTHER_KBO
from tests.export_examples import ANNA, BART, GAS_HOME, GRANTED, HOME, MANDATE_ID, NOW, SIGNED, with_mandate, with_stays

START, END = datetime(2026, 10, 24, 22, tzinfo=UTC), datetime(2026, 10, 26, 23, tzinfo=UTC)
ASKED = Asked(holder_kbo=HOLDER_KBO, start=START, end=END)
BOTH = {Detail.DAILY: ((START, END),), Detail.SLICES: ((START, END),)}


def at(month: int, day: int, hour: int, year: int = 2026) -> datetime:
    return datetime(year, month, day, hour, tzinfo=UTC)


def answer(facts: PointFacts = HOME, *, now: datetime = NOW, **changes: object) -> Allowed:
    return allowed(facts, replace(ASKED, **changes), now)  # type: ignore[arg-type]


def slices(
    facts: PointFacts = HOME, *, now: datetime = NOW, **changes: object
) -> tuple[tuple[datetime, datetime], ...]:
    return answer(facts, now=now, **changes).intervals.get(Detail.SLICES, ())


def test_what_is_asked_leaves_where_nothing_stands_in_its_way() -> None:
    assert answer().intervals == BOTH
    assert answer().mandate_ids == (MANDATE_ID,)


@pytest.mark.parametrize(
    ("service", "details"),
    [
        ("VH_onbepaald", {Detail.DAILY, Detail.SLICES}),
        ("VH_kwartier_uur", {Detail.DAILY, Detail.SLICES}),
        ("VH_dag", {Detail.DAILY}),
        ("IG", set()),
        ("something new", set()),
    ],
)
def test_the_service_of_the_mandate_decides_how_fine(service: str, details: set[Detail]) -> None:
    found = answer(with_mandate(data_service_type=service)).intervals
    assert {detail for detail, intervals in found.items() if intervals} == details


def test_only_the_details_that_are_asked_for_are_answered() -> None:
    assert answer(details=frozenset({Detail.DAILY})).intervals == {Detail.DAILY: ((START, END),)}


@pytest.mark.parametrize(
    "facts",
    [
        with_mandate(is_over=True),
        with_mandate(expires_at=NOW),
        with_mandate(granted_at=NOW + timedelta(seconds=1)),
        with_mandate(ends_on=date(2026, 11, 21)),
        with_mandate(holder_kbo=OTHER_KBO),
        with_mandate(ean="541448800000000024"),
        with_mandate(contract_number="1000000002"),
        replace(HOME, mandates=()),
        replace(HOME, contracts=()),
        replace(HOME, contracts=(replace(SIGNED, holder_kbo=OTHER_KBO),)),
        replace(HOME, contracts=(replace(SIGNED, valid_from=date(2026, 11, 22)),)),
        replace(HOME, contracts=(replace(SIGNED, ended_on=date(2026, 11, 21)),)),
    ],
)
def test_without_a_mandate_in_force_nothing_leaves(facts: PointFacts) -> None:
    assert answer(facts).is_nothing
    assert answer(facts).mandate_ids == ()


def test_a_mandate_gives_access_until_the_instant_it_expires() -> None:
    assert answer(with_mandate(expires_at=NOW + timedelta(microseconds=1))).intervals == BOTH


def test_an_end_that_lies_ahead_cuts_at_its_date_and_closes_when_the_date_has_come() -> None:
    facts = with_mandate(ends_on=date(2026, 10, 26))
    assert slices(facts, now=at(10, 25, 10)) == ((START, at(10, 25, 23)),)
    assert slices(facts, now=at(10, 25, 23) - timedelta(microseconds=1)) == ((START, at(10, 25, 23)),)
    assert slices(facts, now=at(10, 25, 23)) == ()


def test_a_reference_number_narrows_and_never_widens() -> None:
    other = replace(GRANTED, mandate_id=ANNA, reference_number="ref-2", data_period_to=date(2026, 10, 25))
    facts = replace(HOME, mandates=(GRANTED, other))
    assert slices(facts, reference_number="ref-1") == ((START, END),)
    assert slices(facts, reference_number="ref-2") == ((START, at(10, 25, 23)),)
    assert slices(facts, reference_number="ref-3") == ()


def test_the_data_period_is_whole_local_days() -> None:
    facts = with_mandate(data_period_from=date(2026, 10, 25), data_period_to=date(2026, 10, 25))
    assert slices(facts, start=at(10, 1, 0), end=at(11, 1, 0)) == ((at(10, 24, 22), at(10, 25, 23)),)


def test_of_gas_the_days_begin_at_six() -> None:
    facts = with_mandate(GAS_HOME, data_period_from=date(2026, 10, 24), data_period_to=date(2026, 10, 25))
    assert slices(facts, start=at(10, 1, 0), end=at(11, 1, 0)) == ((at(10, 24, 4), at(10, 26, 5)),)


def test_two_mandates_that_touch_are_one_period() -> None:
    early = replace(GRANTED, data_period_to=date(2026, 10, 25))
    late = replace(GRANTED, mandate_id=ANNA, data_period_from=date(2026, 10, 26))
    assert slices(replace(HOME, mandates=(late, early))) == ((START, END),)


def test_the_next_net_users_consent_opens_nothing_of_the_earlier_ones_days() -> None:
    anna = Occupancy(allocation_point_id="1", net_user_id=ANNA, first_on=date(2025, 3, 1), last_on=date(2026, 10, 25))
    bart = Occupancy(allocation_point_id="1", net_user_id=BART, first_on=date(2026, 10, 26))
    facts = with_stays(anna, bart, facts=with_mandate(net_user_id=BART, occupied_from=date(2026, 10, 26)))
    assert slices(facts) == ((at(10, 25, 23), END),)
    assert slices(with_stays(anna, bart)) == ((START, at(10, 25, 23)),)


def test_an_earlier_stay_of_the_same_net_user_stays_closed() -> None:
    stays = [
        Occupancy(allocation_point_id="1", net_user_id=ANNA, first_on=date(2024, 1, 1), last_on=date(2024, 12, 31)),
        Occupancy(allocation_point_id="1", net_user_id=ANNA, first_on=date(2025, 3, 1)),
    ]
    assert slices(with_stays(*stays), start=at(12, 1, 0, 2024)) == ((at(2, 28, 23, 2025), END),)


def test_the_net_user_must_hold_every_allocation_point() -> None:
    points = (*HOME.allocation_points, AllocationPoint(allocation_point_id="2", added_on=date(2026, 10, 1)))
    first = Occupancy(allocation_point_id="1", net_user_id=ANNA, first_on=date(2025, 3, 1))
    second = Occupancy(
        allocation_point_id="2", net_user_id=ANNA, first_on=date(2026, 10, 25), last_on=date(2026, 10, 25)
    )
    asked = {"start": at(9, 29, 22), "end": END}
    assert slices(with_stays(first, allocation_points=points), **asked) == ((at(9, 29, 22), at(9, 30, 22)),)
    assert slices(with_stays(first, second, allocation_points=points), **asked) == (
        (at(9, 29, 22), at(9, 30, 22)),
        (at(10, 24, 22), at(10, 25, 23)),
    )


def test_what_is_older_than_three_years_is_clipped() -> None:
    stay = Occupancy(allocation_point_id="1", net_user_id=ANNA, first_on=date(2020, 1, 1))
    facts = with_stays(stay, facts=with_mandate(occupied_from=date(2020, 1, 1)))
    assert slices(facts, start=at(11, 1, 0, 2023), end=at(12, 1, 0, 2023)) == (
        (at(11, 20, 23, 2023), at(12, 1, 0, 2023)),
    )
    leap = datetime(2028, 2, 29, 12, tzinfo=UTC)
    assert slices(facts, now=leap, start=at(2, 1, 0, 2025), end=at(3, 2, 0, 2025)) == (
        (at(2, 27, 23, 2025), at(3, 2, 0, 2025)),
    )


def test_an_unknown_point_gives_nothing() -> None:
    assert slices(replace(HOME, allocation_points=())) == ()
    assert slices(replace(HOME, occupancies=())) == ()


def test_from_equal_to_to_gives_nothing_but_has_a_mandate() -> None:
    found = answer(start=START, end=START)
    assert found.is_nothing
    assert found.mandate_ids == (MANDATE_ID,)


def test_without_bounds_everything_of_the_stay_is_allowed() -> None:
    assert slices(start=None, end=None)[0][0] == at(2, 28, 23, 2025)


def test_a_net_user_reads_the_own_stay_and_nobody_elses() -> None:
    anna = Occupancy(allocation_point_id="1", net_user_id=ANNA, first_on=date(2026, 1, 1), last_on=date(2026, 10, 25))
    facts = with_stays(anna)
    assert own(facts, frozenset({ANNA}), NOW) == ((at(12, 31, 23, 2025), at(10, 25, 23)),)
    assert own(facts, frozenset({BART}), NOW) == ()
    assert own(facts, frozenset(), NOW) == ()
    assert facts.ean == HOUSE
