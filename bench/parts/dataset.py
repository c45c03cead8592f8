"""Days of quarter-hours for invented points, as they lie on `meter-readings`; the same for the same seed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import chain, islice
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from eventlog import codec, registry
from eventlog.events import ReadingsRecorded
from eventlog.framing import SINGLE_OBJECT
from market.ean import Ean
from services.metering.avro_columns import joined, longs, strings
from services.metering.byte_column import from_matrix
from services.metering.message_ids import unpack_ids
from services.metering.stored_values import MISSING

SLICES = 96
PARTITIONS = 8
DAYS = 28
FIRST_DAY = date(2026, 11, 1)
MONTH = tuple(FIRST_DAY + timedelta(days=place) for place in range(DAYS))
BATCH = 20_000
_EPOCH = date(1970, 1, 1)
SHARES = "96 values a block: uniform 0 to 1999, a tenth of them 0; 2 % of blocks lack two values; 2 % are a hundredfold"

Message = tuple[bytes, bytes]
"""Key and value of a record."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One delivery of all blocks: estimates first, validated values an hour later."""

    quality: int
    source_at: datetime
    seed: int
    channel: str = "OFFTAKE_ACTIVE_QUARTER_HOURLY"


ESTIMATES = Delivery(quality=2, source_at=datetime(2026, 12, 1, 4, tzinfo=UTC), seed=1)
VALIDATED = Delivery(quality=6, source_at=datetime(2026, 12, 1, 5, tzinfo=UTC), seed=2)


@dataclass(frozen=True, slots=True)
class World:
    """`block_count` blocks: `days` of one channel (each of 24 hours) for as many points as it takes, day after day."""

    block_count: int
    days: Sequence[date] = MONTH

    @property
    def point_count(self) -> int:
        """How many points that takes."""
        return -(-self.block_count // len(self.days))

    def ean(self, number: int) -> Ean:
        """Return the point `number`, counted from 0."""
        return Ean(_eans(np.array([number]))[0].decode())

    def messages(self, delivery: Delivery, first: int = 0, end: int | None = None) -> Iterator[Message]:
        """Give the readings of the blocks [first, end), made by batches: memory does not grow with their number."""
        last = self.block_count if end is None else end
        for begin in range(first // BATCH * BATCH, last, BATCH):
            batch = self._batch(delivery, np.arange(begin, begin + BATCH))
            yield from islice(batch, max(first - begin, 0), last - begin)

    def _batch(self, delivery: Delivery, places: Any) -> Iterator[Message]:
        chance = np.random.default_rng([delivery.seed, int(places[0])])
        eans = _eans(places % self.point_count)
        numbers = np.array([(day - _EPOCH).days for day in self.days])
        days = numbers[np.minimum(places // self.point_count, len(numbers) - 1)]
        ids = from_matrix(chance.integers(0, 256, (len(places), 16), dtype=np.uint8)).to_list()
        values = _values(chance, len(places))
        payloads = _payloads(delivery, ids, eans, days, values)
        first = codec.decode(payloads[0])
        if codec.encode(first) != payloads[0]:
            raise RuntimeError("the data set is not what the codec writes")
        return zip(eans, payloads, strict=True)


def messages(block_count: int, delivery: Delivery) -> list[Message]:
    """Return all readings of a world of `block_count` blocks."""
    return list(World(block_count).messages(delivery))


def _values(chance: Any, count: int) -> Any:
    values = chance.integers(0, 2000, (count, SLICES), dtype=np.int32)
    values[chance.random((count, SLICES), dtype=np.float32) < 0.1] = 0
    values[chance.random(count) < 0.02] *= 100
    values[np.flatnonzero(chance.random(count) < 0.02)[:, None], [40, 41]] = MISSING
    return values


def _payloads(delivery: Delivery, ids: Sequence[bytes], eans: Sequence[bytes], days: Any, values: Any) -> list[bytes]:
    """Return the events a column at a time: one by one it would take longer than to store them."""
    example = ReadingsRecorded(
        message_id="",
        source="head-end",
        source_at=delivery.source_at,
        source_sequence=0,
        ean=Ean("541448800000000017"),
        meter_id="",
        meter_kind="DIGITAL",
        channel=delivery.channel,
        day=FIRST_DAY,
        first_slice=0,
        values=b"",
        quality=(delivery.quality, SLICES),
        gas_factor=(),
        withdraws=False,
    )
    whole = codec.encode(example)
    header = SINGLE_OBJECT + registry.published().newest("ReadingsRecorded").fingerprint
    before_ean, after_ean = whole.removeprefix(header + b"\0").split(b"\x24541448800000000017")
    day = longs(np.array([(FIRST_DAY - _EPOCH).days])).to_pylist()[0]
    kinds, tail = after_ean.split(day + b"\0\0", 1)
    rows = joined(
        header,
        strings(unpack_ids(pl.Series(ids, dtype=pl.Binary)).to_arrow()),
        before_ean,
        strings(pa.array(eans, pa.binary())),
        kinds,
        longs(np.asarray(days, dtype=np.int64)),
        b"\0",
        strings(from_matrix(values.astype("<i4")).to_arrow()),
        tail,
    )
    made: list[bytes] = rows.to_pylist()
    return made


def _eans(numbers: Any) -> list[bytes]:
    digits = (54144880 * 10**9 + numbers.astype(np.int64))[:, None] // 10 ** np.arange(16, -1, -1) % 10
    check = -(digits @ np.array([3, 1] * 8 + [3])) % 10
    return from_matrix((np.column_stack([digits, check]) + ord("0")).astype(np.uint8)).to_list()


async def make_topic(bootstrap: str, name: str) -> None:
    """Make a topic like `meter-readings`."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        settings = {"message.timestamp.type": "LogAppendTime"}
        await admin.create_topics([NewTopic(name, PARTITIONS, 1, topic_configs=settings)])
    finally:
        await admin.close()


async def publish(bootstrap: str, topic: str, *sent: Iterable[Message]) -> None:
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
        for key, value in chain(*sent):
            waiting.append(await producer.send(topic, value, key=key))
            if len(waiting) >= BATCH:
                await asyncio.gather(*waiting)
                waiting.clear()
        await asyncio.gather(*waiting)
