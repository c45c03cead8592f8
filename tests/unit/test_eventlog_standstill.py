"""The clock of a standstill: what makes it run, what holds it, what sets it back."""

from __future__ import annotations

from dataclasses import dataclass

import httpx
from starlette.applications import Starlette

from eventlog.probes import ops_routes, stalled_projections, unready_projections
from eventlog.progress import Progress
from eventlog.standstill import Standstill


@dataclass(frozen=True)
class Named:
    """As much of a projection as the metrics need."""

    name: str = "points"
    topic: str = "register-events"


def run(clock: Standstill, *, since: int, until: int, has_work: bool = True, turns: bool = True) -> None:
    """Tick each second of (since, until]."""
    for second in range(since + 1, until + 1):
        if turns:
            clock.note_turn()
        clock.tick(float(second), has_work=has_work)


def started() -> Standstill:
    clock = Standstill()
    clock.tick(0.0, has_work=True)
    return clock


def seconds(clock: Standstill) -> tuple[float, float]:
    return clock.seconds, clock.unexplained_seconds


def test_it_runs_while_there_is_work_and_nothing_is_committed() -> None:
    clock = started()
    run(clock, since=0, until=40)
    assert seconds(clock) == (40.0, 40.0)


def test_a_commit_sets_it_back() -> None:
    clock = started()
    run(clock, since=0, until=40)
    clock.note_commit()
    run(clock, since=40, until=45)
    assert seconds(clock) == (5.0, 5.0)


def test_nothing_to_do_sets_it_back() -> None:
    clock = started()
    run(clock, since=0, until=40)
    run(clock, since=40, until=41, has_work=False)
    assert seconds(clock) == (0.0, 0.0)


def test_an_outage_explains_the_minute_behind_it() -> None:
    clock = started()
    run(clock, since=0, until=10)
    clock.note_outage(10.0)
    run(clock, since=10, until=100)
    assert seconds(clock) == (100.0, 10.0 + 31.0)  # from second 70 on


def test_an_outage_that_lasts_explains_all_of_it() -> None:
    clock = started()
    for second in range(0, 600, 5):
        clock.note_outage(float(second))
        run(clock, since=second, until=second + 5)
    assert seconds(clock) == (600.0, 0.0)


def test_time_in_which_the_process_was_frozen_counts_as_one_tick() -> None:
    clock = started()
    run(clock, since=0, until=3)
    clock.tick(5000.0, has_work=True)
    assert seconds(clock) == (5.0, 5.0)


def test_a_loop_that_does_not_turn_counts_as_having_work_after_ten_seconds() -> None:
    clock = started()
    run(clock, since=0, until=9, has_work=False, turns=False)
    assert seconds(clock) == (0.0, 0.0)
    run(clock, since=9, until=30, has_work=False, turns=False)
    assert seconds(clock) == (21.0, 21.0)


def behind(stall_limit_seconds: float = 60.0) -> Progress:
    """A projection that has claimed one partition, of which ten records are not applied."""
    progress = Progress(stall_limit_seconds=stall_limit_seconds, is_joined=True)
    progress.note_reading(Named(), unclaimed_count=0, ends={0: 30}, nexts={0: 20})  # type: ignore[arg-type]
    return progress


def stand_still(progress: Progress, *, since: int, until: int) -> None:
    for second in range(since, until + 1):
        progress.standstill.note_turn()
        progress.tick(Named(), float(second))  # type: ignore[arg-type]


def test_readiness_turns_red_after_15_seconds_and_liveness_at_the_limit() -> None:
    progress = behind()
    stand_still(progress, since=0, until=14)
    assert (unready_projections([progress]), stalled_projections([progress])) == ([], [])
    stand_still(progress, since=15, until=15)
    assert unready_projections([progress]) == ["points stands still since 15 s with 10 record(s) to apply"]
    assert stalled_projections([progress]) == []
    progress.standstill.unexplained_seconds = progress.standstill.seconds = 60.0
    (reason,) = stalled_projections([progress])
    assert reason == (
        "points stands still since 60 s with 10 record(s) to apply, although neither Kafka nor the database is seen to "
        "fail: start this process again; if it comes back, see docs/operations.md"
    )


def test_an_outage_turns_readiness_red_and_leaves_liveness_alone() -> None:
    progress = behind(stall_limit_seconds=10.0)
    for second in range(40):
        progress.standstill.note_outage(float(second))
        progress.tick(Named(), float(second))  # type: ignore[arg-type]
    assert unready_projections([progress]) == ["points stands still since 39 s with 10 record(s) to apply"]
    assert stalled_projections([progress]) == []


async def test_the_probe_says_what_stands_still_and_what_to_do() -> None:
    reasons: list[str] = []
    transport = httpx.ASGITransport(Starlette(routes=ops_routes(is_ready=list, stalled=lambda: reasons)))
    async with httpx.AsyncClient(transport=transport, base_url="http://process") as client:
        alive = await client.get("/livez")
        reasons.append("points stands still")
        stalled = await client.get("/livez")
    assert (alive.status_code, alive.text) == (200, "alive\n")
    assert (stalled.status_code, stalled.text) == (503, "points stands still\n")
