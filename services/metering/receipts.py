"""What became of a published reading, and waiting until the store has come as far as the topic."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Final, Literal

from sqlalchemy import Connection, Engine, select

from eventlog import checkpoint
from eventlog.tables import dead_letter
from services.metering.topic_ends import TopicEnds

State = Literal["waiting", "stored", "parked"]

_POLL_SECONDS: Final = 0.05


class StoreBehind(Exception):
    """The store did not come as far as the topic in time; try again."""


class Receipts:
    """Looks at the checkpoints of `projection` (the quarter-hour store) and at the ends of `topic`."""

    def __init__(self, *, engine: Engine, ends: TopicEnds, projection: str, topic: str) -> None:
        self._engine = engine
        self._ends = ends
        self._projection = projection
        self._topic = topic

    async def state(self, partition: int, offset: int) -> State | None:
        """Return what became of the record at `offset`; None when the topic does not reach that far.

        Raises:
            KafkaAway: Kafka does not say where the topic ends.
        """
        passed = await asyncio.to_thread(self._read_state, partition, offset)
        if passed is not None:
            return passed
        ends = await self._ends.end_offsets([partition])
        return "waiting" if offset < ends.get(partition, 0) else None

    async def catch_up(self, partitions: Collection[int], *, timeout_seconds: float) -> None:
        """Wait until the store has passed what lies on `partitions` now.

        Raises:
            StoreBehind: not within `timeout_seconds`.
            KafkaAway: Kafka does not say where the topic ends.
        """
        ends = await self._ends.end_offsets(partitions)
        try:
            async with asyncio.timeout(timeout_seconds):
                while not await asyncio.to_thread(self._has_passed, ends):
                    await asyncio.sleep(_POLL_SECONDS)
        except TimeoutError:
            raise StoreBehind from None

    async def partition_count(self) -> int:
        """Return how many partitions the topic has.

        Raises:
            KafkaAway: Kafka does not answer.
        """
        return await self._ends.partition_count()

    def _has_passed(self, ends: dict[int, int]) -> bool:
        with self._engine.connect() as connection:
            passed = self._checkpoints(connection)
        return all(passed.get(partition, 0) >= end for partition, end in ends.items())

    def _read_state(self, partition: int, offset: int) -> State | None:
        with self._engine.connect() as connection:
            if self._checkpoints(connection).get(partition, 0) <= offset:
                return None
            letter = dead_letter.c
            parked = connection.execute(
                select(letter.record_offset).where(
                    letter.projection == self._projection,
                    letter.topic == self._topic,
                    letter.partition == partition,
                    letter.record_offset == offset,
                    letter.replayed_at.is_(None),
                )
            ).first()
        return "parked" if parked is not None else "stored"

    def _checkpoints(self, connection: Connection) -> dict[int, int]:
        return checkpoint.read(connection, projection=self._projection, topic=self._topic)
