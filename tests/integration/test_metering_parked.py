"""Parked readings replayed: the store is as if they had been good from the start; too many in a row stop it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, select, text

from eventlog import codec
from eventlog.events import ReadingsRecorded
from eventlog.halt import Coordinates, ProjectionStopped
from eventlog.kafka import KafkaAccess
from eventlog.parked import Letter, Wanted, discard, find_letters
from eventlog.reason import Rule
from eventlog.replay import Replayed
from market.ean import Ean
from services.metering import store
from services.metering.parked import replay_readings
from services.metering.projector import BlockProjection
from services.metering.publisher import Message, Publisher
from services.metering.store import ReceiptState
from services.metering.tables import block
from tests.block_story import applied_count, make_readings_topic, member
from tests.quarter_store import Store, open_store, records
from tests.readings import PARTITION_COUNT, LogRecord, reading, record
from tests.topics import until

pytestmark = pytest.mark.integration

HOUR = timedelta(hours=1)
NEIGHBOUR = Ean("541448800000000048")
"""On the partition of HOUSE."""


@pytest.fixture
def quarters(database_url: str) -> Iterator[Store]:
    with open_store(database_url) as store:
        yield store


def parked(engine: Engine, **wanted: object) -> list[Letter]:
    with engine.begin() as tx:
        return find_letters(tx, Wanted(**wanted))  # type: ignore[arg-type]


STORY = (
    reading(1, number=1),
    reading(7, number=2, ean=NEIGHBOUR),
    reading([5, 6], number=3, first_slice=4, sent_after=HOUR),
    reading([1] * 97, number=9),
    reading([9] * 3, number=4, first_slice=10, sent_after=3 * HOUR),
    reading([8], number=5, first_slice=11, sent_after=2 * HOUR),
)
CURRENT = (block.c.ean, block.c.slice_values, block.c.slice_quality, block.c.total, block.c.source_at)


@dataclass
class Log:
    """A topic of its own, and the store of what lies on it."""

    engine: Engine
    database_url: str
    topic: str
    publisher: Publisher
    bootstrap: str

    async def send(self, *events: ReadingsRecorded) -> None:
        await self.publisher.publish([Message(each.ean.encode(), codec.encode(each), ()) for each in events])

    @asynccontextmanager
    async def kept(self, *, is_old: bool = False) -> AsyncIterator[None]:
        """Keep the store; an old program takes the topic for one of seven partitions, and refuses what we send."""
        projection = BlockProjection(
            engine=self.engine,
            database_url=self.database_url,
            partition_count=7 if is_old else PARTITION_COUNT,
            topic=self.topic,
        )
        async with member(projection, self.bootstrap):
            yield
        projection.close()

    async def passed(self, count: int) -> None:
        """Wait until the store has passed `count` records."""
        await until(lambda: applied_count(self.engine) >= count)

    async def replay(self) -> Replayed:
        found = await asyncio.to_thread(parked, self.engine)
        settings = {"partition_count": PARTITION_COUNT, "projection": "block", "timeout_seconds": 30.0}
        return await replay_readings(self.engine, self.publisher, found, **settings)  # type: ignore[arg-type]

    def current(self) -> list[tuple[object, ...]]:
        with self.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(select(*CURRENT).order_by(block.c.ean))]


@pytest.fixture
async def log(quarters: Store, database_url: str, kafka_bootstrap: str) -> AsyncIterator[Log]:
    topic = await make_readings_topic(kafka_bootstrap)
    publisher = Publisher(kafka=KafkaAccess(kafka_bootstrap), topic=topic, deadline_seconds=30)
    yield Log(quarters.engine, database_url, topic, publisher, kafka_bootstrap)
    await publisher.stop()


async def test_what_is_replayed_is_stored_as_good_readings_are_and_shows_as_recorded_now(
    log: Log, quarters: Store
) -> None:
    quarters.apply(*records(*STORY))
    good = log.current()
    with log.engine.begin() as tx:
        tx.execute(text("truncate block, block_input, dead_letter, checkpoint, event"))
    await log.send(*STORY[:4])
    async with log.kept(is_old=True):
        await log.passed(4)
    assert [letter.rule for letter in parked(log.engine)] == [Rule.WRONG_PARTITION] * 4
    await log.send(*STORY[4:])
    async with log.kept():
        await log.passed(6)
        seen_at = datetime.now(UTC)
        assert await log.replay() == Replayed(applied_count=3, stopped_by="the slices do not fit into the day")

    assert log.current() == good
    (left,) = parked(log.engine)
    assert (left.value, left.rule) == (codec.encode(STORY[3]), Rule.SLICES_OUTSIDE_DAY)
    with log.engine.connect() as connection:
        newest = connection.execute(select(block.c.recorded_at).where(block.c.ean == int(NEIGHBOUR))).scalar_one()
    assert newest >= seen_at - timedelta(milliseconds=1)  # who was given everything until then is given it now


async def test_what_the_running_store_refuses_still_stays_parked_once(log: Log) -> None:
    await log.send(*STORY[:2])
    async with log.kept(is_old=True):
        await log.passed(2)
        words = "what keeps the store refuses it still: start it again with the version that takes it"
        assert await log.replay() == Replayed(stopped_by=words)
    left = parked(log.engine)
    assert [letter.offset for letter in left] == [0, 1]
    assert {letter.reason for letter in left} == {words}
    copies = [letter for letter in parked(log.engine, is_parked=False) if letter.discarded_at]
    assert [each.discard_reason for each in copies] == [f"a copy of {each.place}, which stays parked" for each in left]
    async with log.kept():
        assert await log.replay() == Replayed(applied_count=2)
    assert parked(log.engine) == []


def bad(offset: int) -> LogRecord:
    return record(b"?", offset)


def test_the_store_parks_up_to_its_limit_in_a_row_and_halts_at_the_next_whatever_the_runs(quarters: Store) -> None:
    quarters.projection.park_limit = 5
    quarters.apply(*records(reading(1)), *map(bad, (1, 2)))
    quarters.apply(bad(3))
    assert quarters.apply(bad(4), bad(5)).parked_count == 2
    with pytest.raises(ProjectionStopped) as stopped:
        quarters.apply(bad(6), *records(reading(2, number=2), first_offset=7))
    assert stopped.value.place == Coordinates("meter-readings", bad(6).partition, 6)
    assert stopped.value.halt.reason.rule == Rule.PARK_LIMIT
    assert len(parked(quarters.engine)) == 5
    with pytest.raises(ProjectionStopped):  # the count is the database's: a restart begins with it
        quarters.apply(bad(6))


def test_where_it_halts_in_a_long_run_everything_before_is_applied_and_can_be_looked_at(quarters: Store) -> None:
    quarters.projection.park_limit = 2
    with pytest.raises(ProjectionStopped) as stopped:
        quarters.apply(*records(reading(1)), *map(bad, (1, 2, 3, 4)))
    assert stopped.value.place.offset == 3
    assert [each.offset for each in parked(quarters.engine)] == [1, 2]
    assert store.receipt_state(quarters.engine, bad(2).partition, 0) is ReceiptState.STORED
    with quarters.engine.begin() as tx:  # as the runbook says
        discard(tx, parked(quarters.engine)[-1], "seen, the sender knows")
    quarters.apply(*map(bad, (3, 4)))


def test_a_good_record_and_one_that_a_person_gave_up_end_the_row(quarters: Store) -> None:
    quarters.projection.park_limit = 2
    quarters.apply(*map(bad, (0, 1)), *records(reading(1), first_offset=2), *map(bad, (3, 4)))
    with pytest.raises(ProjectionStopped):
        quarters.apply(bad(5))
    with quarters.engine.begin() as tx:
        discard(tx, parked(quarters.engine)[-1], "seen, the sender knows")
    quarters.apply(*map(bad, (5, 6)))
    kept = parked(quarters.engine, is_parked=False)
    assert [(each.offset, each.discard_reason) for each in kept if each.discarded_at] == [(4, "seen, the sender knows")]
    assert store.receipt_state(quarters.engine, bad(4).partition, 4) is ReceiptState.PARKED
