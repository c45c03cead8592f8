"""How far we are, told to the broker's group for the tools that show lag. A hint decides nothing and may be lost."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from eventlog import metrics

_EVERY_SECONDS: Final = 2.0
_LIMIT_SECONDS: Final = 5.0  # aiokafka tries a commit again for ever
_LAST_LIMIT_SECONDS: Final = 2.0

_log = logging.getLogger(__name__)


class Hints:
    """Commits the next offsets of checkpoints to the group of `consumer`, behind their transactions and beside them.

    Nobody reads them to find out where to go on: that is the checkpoint's to say, whatever the group believes.
    """

    def __init__(self, consumer: AIOKafkaConsumer, *, projection: str, topic: str) -> None:
        self._consumer = consumer
        self._labels = (projection, topic)
        self._news: dict[TopicPartition, int] = {}
        self._telling: asyncio.Task[None] | None = None
        self._told_at = 0.0

    def note(self, tp: TopicPartition, next_offset: int) -> None:
        """Note that everything below `next_offset` is applied."""
        self._news[tp] = next_offset

    def tell(self) -> None:
        """Begin to tell the news, every 2 s at most and one at a time; returns at once."""
        is_busy = self._telling is not None and not self._telling.done()
        if not self._news or is_busy or time.monotonic() - self._told_at < _EVERY_SECONDS:
            return
        self._told_at = time.monotonic()
        self._telling = asyncio.create_task(self._commit(_LIMIT_SECONDS))

    async def tell_last(self) -> None:
        """Tell what is left; takes 2 s at most, and never fails."""
        if self._telling is not None:
            self._telling.cancel()
            await asyncio.gather(self._telling, return_exceptions=True)
        await self._commit(_LAST_LIMIT_SECONDS)

    async def _commit(self, limit_seconds: float) -> None:
        assigned = self._consumer.assignment()
        offsets = {tp: offset for tp, offset in self._news.items() if tp in assigned}
        self._news = {}
        if not offsets:
            return
        try:
            await asyncio.wait_for(self._consumer.commit(offsets), limit_seconds)
        except (KafkaError, TimeoutError) as error:
            metrics.HINT_FAILURES.labels(*self._labels).inc()
            _log.debug("the group of %s was not told: %s", self._labels[0], type(error).__name__)
