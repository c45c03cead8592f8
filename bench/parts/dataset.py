"""Days of quarter-hours for invented points, as they lie on `meter-readings`; the same for the same seed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import numpy as np
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from eventlog import codec
from eventlog.events import ReadingsRecorded
from market.ean import Ean, check_digit

SLICES = 96
PARTITIONS = 8
DAYS = 28
FIRST_DAY = date(2026, 11, 1)

Message = tuple[bytes, bytes]
"""Key and value of a record."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One delivery of all blocks: estimates first, validated values an hour later."""

    quality: int
    source_at: datetime
    seed: int


ESTIMATES = Delivery(quality=2, source_at=datetime(2026, 12, 1, 4, tzinfo=UTC), seed=1)
VALIDATED = Delivery(quality=6, source_at=datetime(2026, 12, 1, 5, tzinfo=UTC), seed=2)


def messages(block_count: int, delivery: Delivery) -> list[Message]:
    """Return `block_count` readings: 28 days of one channel for as many points as it takes, day after day.

    Values are uniform from 0 to 1999 Wh: harder to compress than a household's.
    """
    chance = np.random.default_rng(delivery.seed)
    point_count = -(-block_count // DAYS)
    eans = [_ean(number) for number in range(point_count)]
    values = chance.integers(0, 2000, (block_count, SLICES)).astype("<i4")
    ids = chance.integers(0, 256, (block_count, 16), dtype=np.uint8)
    made = []
    for place in range(block_count):
        ean = eans[place % point_count]
        event = ReadingsRecorded(
            message_id=str(UUID(bytes=ids[place].tobytes(), version=4)),
            source="head-end",
            source_at=delivery.source_at,
            source_sequence=0,
            ean=ean,
            meter_id="",
            meter_kind="DIGITAL",
            channel="OFFTAKE_ACTIVE_QUARTER_HOURLY",
            day=FIRST_DAY + timedelta(days=place // point_count),
            first_slice=0,
            values=values[place].tobytes(),
            quality=(delivery.quality, SLICES),
            gas_factor=(),
            withdraws=False,
        )
        made.append((ean.encode(), codec.encode(event)))
    return made


def _ean(number: int) -> Ean:
    body = f"54144880{number:09d}"
    return Ean(f"{body}{check_digit(body)}")


async def make_topic(bootstrap: str, name: str) -> None:
    """Make a topic like `meter-readings`."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        settings = {"message.timestamp.type": "LogAppendTime"}
        await admin.create_topics([NewTopic(name, PARTITIONS, 1, topic_configs=settings)])
    finally:
        await admin.close()


async def publish(bootstrap: str, topic: str, sent: Sequence[Message]) -> None:
    """Send `sent` as the platform's producers do: idempotent, acknowledged by all, LZ4."""
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap,
        enable_idempotence=True,
        compression_type="lz4",
        linger_ms=20,
        max_batch_size=262_144,
    )
    async with producer:
        waiting: list[asyncio.Future[object]] = []
        for key, value in sent:
            waiting.append(await producer.send(topic, value, key=key))
            if len(waiting) >= 20_000:
                await asyncio.gather(*waiting)
                waiting.clear()
        await asyncio.gather(*waiting)
