"""What may leave, for any facts: never wider than any single constraint, and less facts never give more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from market.channel import Energy
from market.local_time import BRUSSELS, day_start
from services.export.domain.access import OPENED_BY, Asked, Detail, allowed
from services.export.domain.intervals import Interval, intersection, union
from services.export.domain.permissions import AllocationPoint, Mandate, Occupancy, PointFacts
from tests.examples import HOLDER_KBO, OTHER_KBO
from tests.export_examples import ANNA, BART, GRANTED, HOME, SIGNED

DAYS = st.dates(date(2022, 1, 1), date(2027, 12, 31))
INSTANTS = st.datetimes(datetime(2022, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001
PEOPLE = st.sampled_from([ANNA, BART])
ONE_DAY = timedelta(days=1)


def mandates() -> st.SearchStrategy[Mandate]:
    return st.builds(
        replace,
        st.just(GRANTED),
        mandate_id=st.uuids(),
        holder_kbo=st.sampled_from([HOLDER_KBO, HOLDER_KBO, OTHER_KBO]),
        reference_number=st.sampled_from(["a", "b"]),
        data_service_type=st.sampled_from([*OPENED_BY, "UNKNOWN"]),
        data_period_from=st.none() | DAYS,
        data_period_to=st.none() | DAYS,
        net_user_id=PEOPLE,
        occupied_from=DAYS,
        granted_at=INSTANTS,
        expires_at=INSTANTS,
        is_over=st.booleans(),
        ends_on=st.none() | DAYS,
    )


def stays() -> st.SearchStrategy[Occupancy]:
    return st.builds(
        Occupancy,
        allocation_point_id=st.sampled_from(["1", "2"]),
        net_user_id=PEOPLE,
        first_on=DAYS,
        last_on=st.none() | DAYS,
    )


def points() -> st.SearchStrategy[tuple[AllocationPoint, ...]]:
    added = st.builds(AllocationPoint, allocation_point_id=st.sampled_from(["1", "2"]), added_on=DAYS)
    return st.lists(added, max_size=2, unique_by=lambda each: each.allocation_point_id).map(tuple)


def facts() -> st.SearchStrategy[PointFacts]:
    return st.builds(
        replace,
        st.just(HOME),
        energy=st.sampled_from(Energy),
        allocation_points=points(),
        occupancies=st.lists(stays(), max_size=4).map(tuple),
        mandates=st.lists(mandates(), max_size=3).map(tuple),
        contracts=st.lists(
            st.builds(replace, st.just(SIGNED), valid_from=DAYS, ended_on=st.none() | DAYS), max_size=1
        ).map(tuple),
    )


def questions() -> st.SearchStrategy[Asked]:
    return st.builds(
        Asked,
        holder_kbo=st.just(HOLDER_KBO),
        start=st.none() | INSTANTS,
        end=st.none() | INSTANTS,
        details=st.none() | st.frozensets(st.sampled_from(Detail), min_size=1),
        reference_number=st.none() | st.sampled_from(["a", "b"]),
    )


def lies_within(inner: Sequence[Interval], outer: Sequence[Interval]) -> bool:
    return intersection(inner, outer) == tuple(inner)


def given_by(found: PointFacts, asked: Asked, now: datetime) -> list[Interval]:
    intervals = allowed(found, asked, now).intervals
    return [each for detail in Detail for each in intervals.get(detail, ())]


@given(facts(), questions(), INSTANTS)
def test_never_wider_than_what_is_asked(found: PointFacts, asked: Asked, now: datetime) -> None:
    for start, end in given_by(found, asked, now):
        assert asked.start is None or start >= asked.start
        assert asked.end is None or end <= asked.end
    assert asked.details is None or allowed(found, asked, now).intervals.keys() <= asked.details


@given(facts(), questions(), INSTANTS)
def test_every_instant_rests_on_a_mandate_that_allows_it_by_every_rule(
    found: PointFacts, asked: Asked, now: datetime
) -> None:
    energy = found.energy
    for detail, intervals in allowed(found, asked, now).intervals.items():
        for start, end in intervals:
            for instant in (start, end - timedelta(microseconds=1)):
                assert any(_allows(each, detail, instant, asked, now, energy) for each in found.mandates)


def _allows(mandate: Mandate, detail: Detail, instant: datetime, asked: Asked, now: datetime, energy: Energy) -> bool:
    return (
        mandate.holder_kbo == asked.holder_kbo
        and asked.reference_number in (None, mandate.reference_number)
        and not mandate.is_over
        and mandate.granted_at <= now < mandate.expires_at
        and (mandate.ends_on is None or max(now, instant) < day_start(energy, mandate.ends_on))
        and mandate.data_service_type in ("VH_onbepaald", "VH_kwartier_uur", "VH_dag")
        and (detail is Detail.DAILY or mandate.data_service_type != "VH_dag")
        and instant >= day_start(energy, mandate.occupied_from)
        and (mandate.data_period_from is None or instant >= day_start(energy, mandate.data_period_from))
        and (mandate.data_period_to is None or instant < day_start(energy, mandate.data_period_to + ONE_DAY))
    )


@given(facts(), questions(), INSTANTS)
def test_never_outside_the_occupancy_of_anybody_who_consented(found: PointFacts, asked: Asked, now: datetime) -> None:
    consenting = {each.net_user_id for each in found.mandates}
    for point in found.allocation_points:
        there = [
            (
                day_start(found.energy, stay.first_on),
                day_start(found.energy, (stay.last_on or date(2100, 1, 1)) + ONE_DAY),
            )
            for stay in found.occupancies
            if stay.allocation_point_id == point.allocation_point_id and stay.net_user_id in consenting
        ]
        before = (datetime(1900, 1, 1, tzinfo=UTC), day_start(found.energy, point.added_on))
        bounded = [(start, min(end, datetime(2090, 1, 1, tzinfo=UTC))) for start, end in given_by(found, asked, now)]
        for interval in bounded:
            assert lies_within([interval], union([before, *there]))


@given(facts(), questions(), INSTANTS)
def test_never_older_than_three_years(found: PointFacts, asked: Asked, now: datetime) -> None:
    today = now.astimezone(BRUSSELS).date()
    oldest = day_start(found.energy, today - timedelta(days=3 * 365 + 1))
    assert all(start >= oldest for start, _ in given_by(found, asked, now))


@given(facts(), questions(), INSTANTS, st.data())
def test_less_facts_never_give_more(found: PointFacts, asked: Asked, now: datetime, data: st.DataObject) -> None:
    less = replace(
        found,
        mandates=tuple(each for each in found.mandates if data.draw(st.booleans())),
        occupancies=tuple(each for each in found.occupancies if data.draw(st.booleans())),
        contracts=tuple(each for each in found.contracts if data.draw(st.booleans())),
    )
    assert_within(less, asked, found, asked, now)


@given(facts(), questions(), INSTANTS, INSTANTS)
def test_a_narrower_question_never_gives_more(
    found: PointFacts, asked: Asked, now: datetime, instant: datetime
) -> None:
    wide = replace(asked, start=None, end=None, details=None, reference_number=None)
    assert_within(found, asked, found, wide, now)
    assert_within(found, replace(asked, start=instant, end=instant), found, asked, now)


@given(facts(), questions(), INSTANTS)
def test_a_mandate_that_is_over_gives_nothing(found: PointFacts, asked: Asked, now: datetime) -> None:
    over = replace(found, mandates=tuple(replace(each, is_over=True) for each in found.mandates))
    assert allowed(over, asked, now).is_nothing


@given(facts(), questions(), INSTANTS, DAYS)
def test_an_earlier_end_never_gives_more(found: PointFacts, asked: Asked, now: datetime, ends_on: date) -> None:
    ending = replace(
        found, mandates=tuple(replace(each, ends_on=min(ends_on, each.ends_on or ends_on)) for each in found.mandates)
    )
    assert_within(ending, asked, found, asked, now)


@given(facts(), questions(), INSTANTS, st.uuids())
def test_nobody_elses_mandate_opens_anything(found: PointFacts, asked: Asked, now: datetime, stranger: UUID) -> None:
    stranger_asks = replace(asked, holder_kbo=str(stranger))
    assert allowed(found, stranger_asks, now).is_nothing


def assert_within(less: PointFacts, narrow: Asked, more: PointFacts, wide: Asked, now: datetime) -> None:
    outer = allowed(more, wide, now).intervals
    for detail, intervals in allowed(less, narrow, now).intervals.items():
        assert lies_within(intervals, outer.get(detail, ()))
