"""Topics of one test: make one, fill it, read it from end to end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from uuid import uuid4

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

DEADLINE_SECONDS = 60.0


def new_name() -> str:
    """A topic name that no other test uses."""
    return f"test-{uuid4().hex[:12]}"


async def make_topic(bootstrap: str, partitions: int, name: str | None = None) -> str:
    """Make a topic and return its name."""
    topic = name or new_name()
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, partitions, 1)])
    finally:
        await admin.close()
    return topic


async def send(bootstrap: str, topic: str, values: Sequence[bytes], *, partition: int | None = None) -> None:
    """Send `values`, spread over the partitions by their own bytes, or all to one."""
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, enable_idempotence=True) as producer:
        await asyncio.gather(*[await producer.send(topic, value, key=value, partition=partition) for value in values])


async def read_all(bootstrap: str, topic: str) -> list[ConsumerRecord]:
    """Return everything on `topic` now, each partition in its order."""
    found: list[ConsumerRecord] = []
    async with AIOKafkaConsumer(topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest") as consumer:
        ends = await consumer.end_offsets(consumer.assignment())
        unread = {tp for tp, end in ends.items() if end}
        while unread:
            for tp, records in (await consumer.getmany(*unread, timeout_ms=500)).items():
                found.extend(records)
                if records[-1].offset >= ends[tp] - 1:  # more may have come since
                    unread.remove(tp)
    return sorted(found, key=lambda record: (record.partition, record.offset))


async def until(question: Callable[[], Awaitable[bool] | bool], *, seconds: float = DEADLINE_SECONDS) -> None:
    """Wait until the answer is yes; fail after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        answer = question()
        if answer if isinstance(answer, bool) else await answer:
            return
        assert time.monotonic() < deadline, "not within the deadline"
        await asyncio.sleep(0.05)
