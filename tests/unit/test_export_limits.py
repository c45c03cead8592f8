"""How often a holder may come, and for how long what we know is good."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from eventlog.marks import Mark
from services.export.freshness import Freshness, PermissionsStale
from services.export.limits import RateLimit, TooManyRequests

NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def test_a_burst_is_let_through_and_then_the_sustained_rate() -> None:
    clock = Clock()
    limit = RateLimit(per_second=50, burst=100, monotonic=clock)
    for _ in range(100):
        limit.take("a")
    with pytest.raises(TooManyRequests) as refused:
        limit.take("a")
    assert (refused.value.status, refused.value.headers["Retry-After"]) == (429, "1")
    limit.take("b")
    clock.seconds = 0.02
    limit.take("a")
    with pytest.raises(TooManyRequests):
        limit.take("a")
    clock.seconds = 1_000.0
    for _ in range(100):
        limit.take("a")
    with pytest.raises(TooManyRequests):
        limit.take("a")


def test_retry_after_says_when_there_is_a_place_again() -> None:
    limit = RateLimit(per_second=0.25, burst=1, monotonic=Clock())
    limit.take("a")
    with pytest.raises(TooManyRequests) as refused:
        limit.take("a")
    assert refused.value.headers["Retry-After"] == "4"


def mark(topic: str, seconds_ago: float, offset: int) -> Mark:
    return Mark(source="x", as_of=NOW - timedelta(seconds=seconds_ago), topic=topic, offsets={0: offset, 1: 0})


def fresh(*marks: Mark) -> Freshness:
    found = Freshness(limit_seconds=15, clock=lambda: NOW)
    for each in marks:
        found.add(each, NOW)
    return found


CHECKPOINTS = {"mandate-events": {0: 10}, "register-events": {0: 5}}


def test_we_know_until_the_older_of_the_newest_marks_that_are_covered() -> None:
    found = fresh(
        mark("mandate-events", 9, 8),
        mark("mandate-events", 3, 10),
        mark("mandate-events", 1, 11),
        mark("register-events", 2, 5),
        mark("other-events", 0, 1),
    )
    assert found.covered_until(CHECKPOINTS) == NOW - timedelta(seconds=3)


def test_a_clock_that_is_ahead_does_not_hold_the_door_open() -> None:
    found = Freshness(limit_seconds=15, clock=lambda: NOW)
    for topic, offset in (("mandate-events", 10), ("register-events", 5)):
        found.add(mark(topic, -3_600, offset), NOW - timedelta(seconds=16))
    with pytest.raises(PermissionsStale):
        found.covered_until(CHECKPOINTS)


@pytest.mark.parametrize(
    "marks",
    [
        (),
        (mark("mandate-events", 1, 10),),
        (mark("mandate-events", 1, 10), mark("register-events", 15.1, 5)),
        (mark("mandate-events", 1, 10), mark("register-events", 1, 6)),
    ],
)
def test_without_a_young_mark_of_both_that_is_covered_the_door_is_closed(marks: tuple[Mark, ...]) -> None:
    with pytest.raises(PermissionsStale) as closed:
        fresh(*marks).covered_until(CHECKPOINTS)
    assert (closed.value.status, closed.value.headers["Retry-After"]) == (503, "5")


def test_a_mark_of_an_empty_topic_is_covered_by_nothing_read_yet() -> None:
    found = fresh(mark("mandate-events", 1, 0), mark("register-events", 2, 0))
    assert found.covered_until({}) == NOW - timedelta(seconds=2)
