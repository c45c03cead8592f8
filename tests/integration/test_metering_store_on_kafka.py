"""The store behind a real Kafka: each reading takes effect once, and a rebuild gives the same bits."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import timedelta
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from sqlalchemy import Engine, func, select, text

from eventlog import codec
from eventlog.consumer import consume
from eventlog.database import create_engine, create_tables
from eventlog.events import ReadingsRecorded
from eventlog.tables import dead_letter
from market.ean import Ean, check_digit
from services.metering import tables
from services.metering.projector import BlockProjection
from services.metering.tables import block
from tests.examples import FACTORY, HOUSE
from tests.readings import PARTITION_COUNT, reading, withdrawal
from tests.topics import new_name, read_all, until

pytestmark = pytest.mark.integration

POINTS = [Ean(f"{body}{check_digit(body)}") for body in (f"54144880{number:09d}" for number in range(100, 140))]
EVERYTHING = (
    "select * from block order by ean, channel, day, meter_id",
    "select * from block_input order by ean, channel, day, meter_id, record_offset",
    "select record_offset, partition, value, reason from dead_letter order by partition, record_offset",
)


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = create_engine(database_url, application_name="test")
    create_tables(engine, tables.metadata)
    yield engine
    engine.dispose()


@pytest.fixture
async def topic(kafka_bootstrap: str) -> str:
    """A topic like `meter-readings`, empty."""
    name = new_name()
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka_bootstrap)
    await admin.start()
    try:
        settings = {"message.timestamp.type": "LogAppendTime"}
        await admin.create_topics([NewTopic(name, PARTITION_COUNT, 1, topic_configs=settings)])
    finally:
        await admin.close()
    return name


def story() -> list[ReadingsRecorded]:
    """Estimates for 40 points, then validated values, a part and a withdrawal for some, and one message sent twice."""
    estimates = [reading(5, number=place, ean=ean, quality=2) for place, ean in enumerate(POINTS)]
    later = timedelta(hours=1)
    validated = [
        reading(6, number=100 + place, ean=ean, quality=6, sent_after=later) for place, ean in enumerate(POINTS[:20])
    ]
    parts = [reading([9, 9], number=200, ean=POINTS[0], first_slice=3, sent_after=2 * later)]
    gone = [withdrawal(4, number=201, ean=POINTS[1], sent_after=2 * later)]
    return [*estimates, *validated, *parts, *gone, estimates[0]]


async def publish(bootstrap: str, topic: str, events: Sequence[ReadingsRecorded]) -> None:
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, enable_idempotence=True) as producer:
        sent = [await producer.send(topic, codec.encode(each), key=each.ean.encode()) for each in events]
        sent.append(await producer.send(topic, b"no reading", key=HOUSE.encode(), partition=0))
        sent.append(await producer.send(topic, codec.encode(events[0]), key=FACTORY.encode(), partition=0))
        await asyncio.gather(*sent)


@contextlib.asynccontextmanager
async def member(projection: BlockProjection, bootstrap: str) -> AsyncIterator[None]:
    """Run a member of the projection's group in small runs; it ends without a goodbye to the database."""
    task = asyncio.create_task(consume(projection, service="test", bootstrap=bootstrap, replica="0", max_run_records=7))
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def contents(engine: Engine) -> tuple[str, list[Any]]:
    """A hash over everything in the store, and its totals."""
    digest = hashlib.sha256()
    with engine.connect() as connection:
        for query in EVERYTHING:
            for row in connection.execute(text(query)):
                digest.update(repr(tuple(row)).encode())
        totals = connection.scalars(select(block.c.total).order_by(block.c.ean)).all()
    return digest.hexdigest(), list(totals)


def applied_count(engine: Engine) -> int:
    with engine.connect() as connection:
        return int(connection.scalar(text("select coalesce(sum(next_offset), 0) from checkpoint")) or 0)


async def test_each_reading_counts_once_through_interruptions_and_a_rebuild_gives_the_same_bits(
    engine: Engine, database_url: str, kafka_bootstrap: str, topic: str
) -> None:
    await publish(kafka_bootstrap, topic, story())
    end = len(story()) + 2
    projection = BlockProjection(engine=engine, database_url=database_url, partition_count=PARTITION_COUNT, topic=topic)
    for reached in (1, 20, end):
        async with member(projection, kafka_bootstrap):
            await until(lambda reached=reached: applied_count(engine) >= reached)
    assert applied_count(engine) == end
    first_hash, totals = contents(engine)
    # 96 quarters of 5 or 6 Wh; the first has two of 9 Wh; of the second four are withdrawn.
    assert totals == [582, 552, *[576] * 18, *[480] * 20]
    with engine.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(dead_letter)) == 2
        newest = connection.scalar(select(func.max(block.c.recorded_at)))
    assert newest is not None
    appended = {record.timestamp for record in await read_all(kafka_bootstrap, topic)}
    assert int(newest.timestamp() * 1000) in appended

    with engine.begin() as tx:
        tx.execute(text("truncate block, block_input, dead_letter, checkpoint"))
    projection.publishes = False
    async with member(projection, kafka_bootstrap):
        await until(lambda: applied_count(engine) == end)
    assert contents(engine) == (first_hash, totals)
    projection.close()
