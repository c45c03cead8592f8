"""How far the topic reaches: the offset behind the last record of a partition."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from eventlog.kafka import KafkaAccess


class KafkaAway(Exception):
    """Kafka does not answer in time; try again."""


class TopicEnds:
    """Asks the broker; connected at the first question and again after a failure."""

    def __init__(self, *, kafka: KafkaAccess, topic: str, timeout_seconds: float) -> None:
        self._kafka = kafka
        self._topic = topic
        self._timeout_seconds = timeout_seconds
        self._consumer: Any = None
        self._asking = asyncio.Lock()

    async def partition_count(self) -> int:
        """Return how many partitions the topic has.

        Raises:
            KafkaAway: Kafka does not answer, or has no such topic.
        """
        return (await self._ask(()))[0]

    async def end_offsets(self, partitions: Collection[int]) -> dict[int, int]:
        """Return the end offset of each of `partitions`; those the topic does not have are left out.

        Raises:
            KafkaAway: Kafka does not answer, or has no such topic.
        """
        return (await self._ask(partitions))[1]

    async def stop(self) -> None:
        """Close the connection."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await consumer.stop()

    async def _ask(self, partitions: Collection[int]) -> tuple[int, dict[int, int]]:
        async with self._asking:
            try:
                async with asyncio.timeout(self._timeout_seconds):
                    return await self._answer(partitions)
            except (TimeoutError, KafkaError):
                await self.stop()
                raise KafkaAway from None

    async def _answer(self, partitions: Collection[int]) -> tuple[int, dict[int, int]]:
        if self._consumer is None:
            self._consumer = await _start(self._kafka)
        known = await self._consumer._client._wait_on_metadata(self._topic)
        asked = [TopicPartition(self._topic, partition) for partition in sorted(set(partitions) & known)]
        ends = await self._consumer.end_offsets(asked) if asked else {}
        return len(known), {place.partition: end for place, end in ends.items()}


async def _start(kafka: KafkaAccess) -> Any:
    consumer = AIOKafkaConsumer(
        **kafka.client_arguments(), client_id="metering-ends", enable_auto_commit=False, metadata_max_age_ms=10_000
    )
    try:
        await consumer.start()
    except BaseException:
        await consumer.stop()
        raise
    return consumer
