"""A member frozen at any place of a run, or killed in the middle of it: each record takes effect exactly once.

Random chaos does not find a missing guard; these freezes do. What each guard is for: `test_guards.py`.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from eventlog import checkpoint
from eventlog.database import create_engine, create_tables
from tests.effects import NAME, counts, effects, in_order, once, values
from tests.faults.member_process import member
from tests.topics import make_topic, send, until

pytestmark = [pytest.mark.integration, pytest.mark.fault]

EVICT_AFTER_SECONDS = 0.5  # the platform's is 20


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = create_engine(database_url, application_name="test")
    create_tables(engine, effects)
    yield engine
    engine.dispose()


def next_offset(engine: Engine, topic: str) -> int:
    with engine.begin() as tx:
        return checkpoint.read(tx, projection=NAME, topic=topic).get(0, 0)


def all_in_order(count: int) -> list[tuple[int, int]]:
    return [(0, offset) for offset in range(count)]


async def freeze_until_the_group_gives_up(engine: Engine, bootstrap: str, without: list[str], says: str) -> None:
    """One member fetches eight records and freezes; its group gives the partition to another, which applies them; the
    first wakes up and says `says`."""
    topic = await make_topic(bootstrap, 1)
    await send(bootstrap, topic, values(8), partition=0)
    with member(engine, bootstrap, topic, "first", place="fetched", without=without) as first:
        await first.says("fetched")
        first.freeze()
        with member(engine, bootstrap, topic, "second", without=without) as second:
            await second.says("committed")
            first.thaw()
            await first.says(says)
            await send(bootstrap, topic, values(2, 8), partition=0)
            await until(lambda: next_offset(engine, topic) == 10)


async def test_a_member_frozen_between_fetch_and_write_is_fenced(engine: Engine, kafka_bootstrap: str) -> None:
    await freeze_until_the_group_gives_up(engine, kafka_bootstrap, [], "fenced")
    assert in_order(engine) == all_in_order(10)


async def test_without_the_guards_the_same_freeze_doubles(engine: Engine, kafka_bootstrap: str) -> None:
    await freeze_until_the_group_gives_up(engine, kafka_bootstrap, ["epoch", "offset"], "committed")
    assert {place for place, count in counts(engine).items() if count == 2} >= set(once(8))


@pytest.mark.parametrize(
    ("place", "copies"),
    [("fetched", False), ("moved", False), ("written", False), ("fetched", True), ("copying", True)],
    ids=["before its transaction", "behind the checkpoint", "behind the rows", "before a COPY", "inside a COPY"],
)
async def test_a_member_frozen_there_is_overtaken_and_fenced(
    engine: Engine, kafka_bootstrap: str, place: str, copies: bool
) -> None:
    topic = await make_topic(kafka_bootstrap, 1)
    await send(kafka_bootstrap, topic, values(8), partition=0)
    with member(engine, kafka_bootstrap, topic, "first", service="one", place=place, copies=copies) as first:
        await first.says(place)
        first.freeze()
        with member(
            engine, kafka_bootstrap, topic, "second", service="other", evict_after_seconds=EVICT_AFTER_SECONDS
        ) as second:
            await second.says("committed")
            assert in_order(engine) == all_in_order(8)
            first.thaw()  # it is fenced, or its session is ended: it claims again, and goes on behind the other
            await send(kafka_bootstrap, topic, values(2, 8), partition=0)
            await until(lambda: next_offset(engine, topic) == 10)
    assert in_order(engine) == all_in_order(10)


@pytest.mark.parametrize("place", ["written", "committed"])
async def test_a_member_killed_around_its_commit_goes_on_where_the_commit_was(
    engine: Engine, kafka_bootstrap: str, place: str
) -> None:
    topic = await make_topic(kafka_bootstrap, 1)
    await send(kafka_bootstrap, topic, values(8), partition=0)
    with member(engine, kafka_bootstrap, topic, "only", place=place, is_killed=True) as killed:
        assert await asyncio.to_thread(killed.process.wait, 60) == -signal.SIGKILL
    with member(engine, kafka_bootstrap, topic, "only"):
        await send(kafka_bootstrap, topic, values(2, 8), partition=0)
        await until(lambda: next_offset(engine, topic) == 10)
    assert in_order(engine) == all_in_order(10)


async def test_a_member_that_is_gone_hands_over_its_partitions(engine: Engine, kafka_bootstrap: str) -> None:
    topic = await make_topic(kafka_bootstrap, 4)
    sent = 0
    with member(engine, kafka_bootstrap, topic, "second"):
        with member(engine, kafka_bootstrap, topic, "first", place="written", is_killed=True) as first:
            while first.process.poll() is None:
                await send(kafka_bootstrap, topic, values(20, sent))
                sent += 20
                await asyncio.sleep(0.1)
        await until(lambda: sum(counts(engine).values()) >= sent)
    assert set(counts(engine).values()) == {1}
    assert len(counts(engine)) == sent
