"""What became of a published reading, and waiting until the store has come as far as the topic."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import dataclass
from functools import partial
from typing import Final

from sqlalchemy import Engine

from eventlog import checkpoint
from services.metering import store
from services.metering.store import ReceiptState
from services.metering.topic_ends import TopicEnds

_POLL_SECONDS: Final = 0.05


class StoreBehind(Exception):
    """The store did not come as far as the topic in time; try again."""


@dataclass(frozen=True, slots=True)
class Receipts:
    """Looks at the checkpoints of `projection` and at the ends of its topic."""

    engine: Engine
    ends: TopicEnds
    projection: str = store.PROJECTION
    topic: str = store.TOPIC

    async def state(self, partition: int, offset: int) -> ReceiptState | None:
        """Return what became of the record at `offset`; None when the topic does not reach that far.

        Raises:
            KafkaAway: Kafka does not say where the topic ends.
        """
        find = partial(store.receipt_state, projection=self.projection, topic=self.topic)
        state = await asyncio.to_thread(find, self.engine, partition, offset)
        if state is not ReceiptState.WAITING:
            return state
        ends = await self.ends.end_offsets([partition])
        return state if offset < ends.get(partition, 0) else None

    async def catch_up(self, partitions: Collection[int], *, timeout_seconds: float) -> None:
        """Wait until the store has passed what lies on `partitions` now.

        Raises:
            StoreBehind: not within `timeout_seconds`.
            KafkaAway: Kafka does not say where the topic ends.
        """
        ends = await self.ends.end_offsets(partitions)
        try:
            async with asyncio.timeout(timeout_seconds):
                while not await asyncio.to_thread(self._has_passed, ends):
                    await asyncio.sleep(_POLL_SECONDS)
        except TimeoutError:
            raise StoreBehind from None

    def _has_passed(self, ends: dict[int, int]) -> bool:
        with self.engine.connect() as connection:
            passed = checkpoint.read(connection, projection=self.projection, topic=self.topic)
        return all(passed.get(partition, 0) >= end for partition, end in ends.items())
