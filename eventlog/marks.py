"""Marks of freshness: once a second, a service says up to where its events have reached their topic.

A mark is a fact: every event that its service committed before `as_of` lies below `offsets`. A reader whose checkpoints
cover a young mark knows that it has missed nothing older; without one it cannot know, and must not answer by what it
has read. Marks are no events: JSON, on a topic kept for an hour.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError
from sqlalchemy import Engine, func, select

from eventlog import metrics
from eventlog.closing import close_producer
from eventlog.codec import Undecodable
from eventlog.database import is_outage
from eventlog.kafka import KafkaAccess
from eventlog.relay import PRODUCER_SETTINGS
from eventlog.tables import event

MARKS_TOPIC: Final = "permission-marks"
_RETRY_SECONDS: Final = 1.0
_WAIT_SECONDS: Final = 0.02  # a relay that works needs less; then twice as long each time
_KAFKA_SECONDS: Final = 10.0
_STOP_SECONDS: Final = 5.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """All that `source` committed before `as_of` (UTC) lies on `topic` below `offsets`: a next offset by partition."""

    source: str
    as_of: datetime
    topic: str
    offsets: Mapping[int, int]

    def is_covered_by(self, checkpoints: Mapping[int, int]) -> bool:
        """Whether a reader whose next offsets are `checkpoints` has applied everything that the mark speaks of."""
        return all(checkpoints.get(partition, 0) >= offset for partition, offset in self.offsets.items())


def encode_mark(mark: Mark) -> bytes:
    """Return `mark` as it is written on the topic."""
    return json.dumps(
        {
            "source": mark.source,
            "as_of": mark.as_of.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
            "topic": mark.topic,
            "offsets": {str(partition): offset for partition, offset in sorted(mark.offsets.items())},
        }
    ).encode()


def decode_mark(value: bytes) -> Mark:
    """Return the mark in `value`.

    Raises:
        Undecodable: it is not a mark.
    """
    try:
        raw: Any = json.loads(value)
        return Mark(
            source=str(raw["source"]),
            as_of=datetime.fromisoformat(raw["as_of"]).astimezone(UTC),
            topic=str(raw["topic"]),
            offsets={int(partition): int(offset) for partition, offset in raw["offsets"].items()},
        )
    except (ValueError, LookupError, TypeError, AttributeError, OverflowError) as error:
        raise Undecodable(f"not a mark: {type(error).__name__}") from error


async def write_marks(
    engine: Engine,
    *,
    topic: str,
    source: str,
    kafka: KafkaAccess,
    marks_topic: str = MARKS_TOPIC,
    every_seconds: float = 1.0,
) -> None:
    """Write a mark each `every_seconds` until cancelled, as long as the relay to `topic` keeps up; wait out outages.

    Where the relay, the database or the broker stands still, there are no marks: that is their meaning.
    """
    metrics.MARKED.labels(topic)  # 0 until there is one, so that none at all is seen too
    while True:
        try:
            await _write(engine, topic, source, kafka, marks_topic, every_seconds)
        except Exception as error:
            if not (isinstance(error, (KafkaError, TimeoutError)) or is_outage(error)):
                raise
            _log.warning("the marks of %s begin again: %s", topic, type(error).__name__)
        await asyncio.sleep(_RETRY_SECONDS)


async def _write(
    engine: Engine, topic: str, source: str, kafka: KafkaAccess, marks_topic: str, every_seconds: float
) -> None:
    names = {**kafka.client_arguments(), "client_id": f"{source}-marks"}
    producer, consumer = AIOKafkaProducer(**names, **PRODUCER_SETTINGS), AIOKafkaConsumer(**names)
    async with _started(producer), _started(consumer):
        while True:
            as_of = await _when_all_is_published(engine)
            async with asyncio.timeout(_KAFKA_SECONDS):
                partitions = [TopicPartition(topic, each) for each in await producer.partitions_for(topic)]
                ends = await consumer.end_offsets(partitions)
                offsets = {place.partition: offset for place, offset in ends.items()}
                mark = Mark(source=source, as_of=as_of, topic=topic, offsets=offsets)
                await producer.send_and_wait(marks_topic, encode_mark(mark), key=source.encode())
            metrics.MARKED.labels(topic).set(as_of.timestamp())
            await asyncio.sleep(every_seconds)


@contextlib.asynccontextmanager
async def _started(client: AIOKafkaProducer | AIOKafkaConsumer) -> AsyncIterator[None]:
    try:
        await client.start()
        yield
    finally:
        if isinstance(client, AIOKafkaProducer):
            await close_producer(client)
        else:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_STOP_SECONDS):
                    await client.stop()


async def _when_all_is_published(engine: Engine) -> datetime:
    """Return an instant of the database's clock (UTC) before which nothing was committed that is not on the topic."""
    as_of, last = await asyncio.to_thread(_look, engine)
    seconds = _WAIT_SECONDS
    while last is not None and await asyncio.to_thread(_is_waiting, engine, last):
        await asyncio.sleep(seconds)
        seconds = min(2 * seconds, _RETRY_SECONDS)
    return as_of


def _look(engine: Engine) -> tuple[datetime, int | None]:
    """Return the time, and then the highest position that waits for the relay; the time first, so that whatever was
    committed before it is seen."""
    with engine.begin() as tx:
        as_of = tx.execute(select(func.clock_timestamp())).scalar_one()
        last = tx.scalar(select(func.max(event.c.position)).where(event.c.published_at.is_(None)))
    return as_of.astimezone(UTC), last


def _is_waiting(engine: Engine, last: int) -> bool:
    waiting = select(event.c.position).where(event.c.published_at.is_(None), event.c.position <= last).limit(1)
    with engine.begin() as tx:
        return tx.scalar(waiting) is not None
