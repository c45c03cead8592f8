"""The windows of the live watch: by the events' own time, each event once, and never without bound."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from services.metering.arrival import DAYS, Arrivals, Arrived

NOW = datetime(2026, 11, 24, 9, 0, 30, tzinfo=UTC)
TODAY = date(2026, 11, 24)
YESTERDAY = date(2026, 11, 23)
RUN = Arrived(
    at=NOW,
    source="head-end",
    day=YESTERDAY,
    energy="ELECTRICITY",
    new_count=100,
    completed_count=90,
    late_count=0,
    revised_count=0,
)


def pictured(*arrived: Arrived, now: datetime = NOW) -> object:
    arrivals = Arrivals()
    for each in arrived:
        arrivals.take(each)
    return arrivals.picture(now, TODAY)


def test_nothing_has_arrived_yet() -> None:
    picture = Arrivals().picture(NOW, TODAY)
    assert (picture.minutes, picture.sources, picture.days, picture.oldest_gaps) == ([0] * 60, [], [], {})


def test_yesterday_climbs_and_what_began_and_is_not_complete_is_open() -> None:
    arrivals = Arrivals()
    arrivals.take(RUN)
    [day] = arrivals.picture(NOW, TODAY).days
    assert (day.day, day.block_count, day.completed_count, day.open_count) == (YESTERDAY, 100, 90, 10)
    arrivals.take(replace(RUN, new_count=0, completed_count=10, revised_count=10, late_count=4))
    picture = arrivals.picture(NOW, TODAY)
    [day] = picture.days
    assert (day.block_count, day.completed_count, day.open_count) == (100, 100, 0)
    assert (day.revised_count, day.late_count) == (10, 4)
    assert picture.oldest_gaps == {}


def test_a_minute_is_that_of_the_event() -> None:
    arrivals = Arrivals()
    arrivals.take(RUN)
    arrivals.take(replace(RUN, at=NOW - timedelta(minutes=1), new_count=7))
    arrivals.take(replace(RUN, at=NOW - timedelta(minutes=59), new_count=3))
    arrivals.take(replace(RUN, at=NOW - timedelta(minutes=60), new_count=1_000))
    picture = arrivals.picture(NOW, TODAY)
    assert picture.minutes == [3, *[0] * 57, 7, 100]
    assert picture.sources[0].block_count == 110
    assert arrivals.picture(NOW + timedelta(minutes=2), TODAY).minutes == [*[0] * 56, 7, 100, 0, 0]


def test_a_source_that_fell_silent_is_still_named_with_its_last_instant() -> None:
    arrivals = Arrivals()
    arrivals.take(replace(RUN, source="b", at=NOW - timedelta(hours=30)))
    arrivals.take(replace(RUN, source="a"))
    first, second = arrivals.picture(NOW, TODAY).sources
    assert (first.name, first.last_at, first.block_count) == ("a", NOW, 100)
    assert (second.name, second.last_at, second.block_count) == ("b", NOW - timedelta(hours=30), 0)


def test_the_oldest_gap_is_told_by_energy() -> None:
    arrivals = Arrivals()
    for day in (date(2026, 11, 20), date(2026, 11, 21), YESTERDAY):
        arrivals.take(replace(RUN, day=day))
    arrivals.take(replace(RUN, energy="GAS", day=date(2026, 11, 12), completed_count=100))
    arrivals.take(replace(RUN, energy="GAS", day=YESTERDAY))
    gaps = arrivals.picture(NOW, TODAY).oldest_gaps
    assert gaps == {"ELECTRICITY": date(2026, 11, 20), "GAS": YESTERDAY}


def test_days_come_newest_first_and_old_ones_are_forgotten() -> None:
    arrivals = Arrivals()
    for back in (DAYS + 1, DAYS, 1):
        arrivals.take(replace(RUN, day=TODAY - timedelta(days=back)))
    assert [each.day for each in arrivals.picture(NOW, TODAY).days] == [YESTERDAY, date(2026, 11, 10)]


def test_sources_without_end_are_counted_together() -> None:
    arrivals = Arrivals()
    for number in range(60):
        arrivals.take(replace(RUN, source=f"s{number:02}", new_count=1))
    sources = {each.name: each.block_count for each in arrivals.picture(NOW, TODAY).sources}
    assert len(sources) == 51
    assert sources["others"] == 10


@given(st.permutations([replace(RUN, at=NOW - timedelta(minutes=back), new_count=back + 1) for back in range(8)]))
def test_the_order_in_which_partitions_arrive_does_not_matter(order: list[Arrived]) -> None:
    assert pictured(*order) == pictured(*sorted(order, key=lambda each: each.at))
