"""A story of readings on a topic of its own, and a member that stores it: for tests of the store on a real Kafka."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from sqlalchemy import Engine, text

from eventlog import codec
from eventlog.consumer import consume
from eventlog.events import ReadingsRecorded
from eventlog.kafka import KafkaAccess
from market.ean import Ean, check_digit
from services.metering.projector import BlockProjection
from tests.examples import FACTORY, HOUSE
from tests.readings import PARTITION_COUNT, reading, withdrawal
from tests.topics import new_name

POINTS = [Ean(f"{body}{check_digit(body)}") for body in (f"54144880{number:09d}" for number in range(100, 140))]


async def make_readings_topic(bootstrap: str) -> str:
    """Make a topic like `meter-readings`, empty, and return its name."""
    name = new_name()
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
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
    task = asyncio.create_task(
        consume(projection, service="test", kafka=KafkaAccess(bootstrap), replica="0", max_run_records=7)
    )
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def applied_count(engine: Engine) -> int:
    """How many records the store on `engine` has passed."""
    with engine.connect() as connection:
        return int(connection.scalar(text("select coalesce(sum(next_offset), 0) from checkpoint")) or 0)
