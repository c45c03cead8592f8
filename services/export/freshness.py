"""Whether we know all that mandate and register said until just now: without that, the door is closed."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from eventlog.codec import Undecodable
from eventlog.kafka import KafkaAccess
from eventlog.marks import MARKS_TOPIC, Mark, decode_mark
from eventlog.problems import Problem
from services.export.facts import MANDATE_EVENTS, REGISTER_EVENTS, Checkpoints

TOPICS: Final = (MANDATE_EVENTS, REGISTER_EVENTS)
_KEPT: Final = 120
_BACK_MS: Final = 60_000
_RETRY_SECONDS: Final = 1.0
_POLL_MS: Final = 1_000

_log: Final = logging.getLogger(__name__)


class PermissionsStale(Problem):
    """We do not know what was withdrawn since: 503, and nothing leaves."""

    def __init__(self) -> None:
        message = "permissions are not up to date here; try again"
        super().__init__(503, "PermissionsStale", message, headers={"Retry-After": "5"})


class Freshness:
    """The marks of the last minutes. `watch` keeps them; `covered_until` says what the checkpoints are good for."""

    def __init__(self, *, limit_seconds: float, clock: Callable[[], datetime]) -> None:
        self._limit = timedelta(seconds=limit_seconds)
        self._clock = clock
        self._marks: dict[str, deque[Mark]] = {topic: deque(maxlen=_KEPT) for topic in TOPICS}

    def add(self, mark: Mark, appended_at: datetime) -> None:
        """Note a mark that the broker got at `appended_at` (UTC); topics that decide nothing here are passed over."""
        if mark.topic in self._marks:  # its service's clock may be ahead, and must not hold the door open
            self._marks[mark.topic].append(replace(mark, as_of=min(mark.as_of, appended_at)))

    def covered_until(self, checkpoints: Checkpoints) -> datetime:
        """Return the instant (UTC) before which nothing that was said is missing in what `checkpoints` stand for.

        Raises:
            PermissionsStale: that is longer ago than the limit, or not known.
        """
        until = min(self._covered(topic, checkpoints) for topic in TOPICS)
        if self._clock() - until > self._limit:
            raise PermissionsStale
        return until

    def _covered(self, topic: str, checkpoints: Checkpoints) -> datetime:
        own = checkpoints.get(topic, {})
        found = (mark.as_of for mark in reversed(tuple(self._marks[topic])) if mark.is_covered_by(own))
        return next(found, datetime.min.replace(tzinfo=UTC))

    async def watch(self, kafka: KafkaAccess, *, topic: str = MARKS_TOPIC) -> None:
        """Read marks until cancelled, and wait out outages: old marks close the door by themselves."""
        while True:
            try:
                await self._read(kafka, topic)
            except KafkaError as error:
                _log.warning("the marks of freshness cannot be read: %s", type(error).__name__)
            await asyncio.sleep(_RETRY_SECONDS)

    async def _read(self, kafka: KafkaAccess, topic: str) -> None:
        settings = {**kafka.client_arguments(), "client_id": "export-freshness", "enable_auto_commit": False}
        async with AIOKafkaConsumer(**settings, auto_offset_reset="latest", metadata_max_age_ms=10_000) as consumer:
            partitions = await _partitions(consumer, topic)
            consumer.assign(partitions)
            since = int((self._clock().timestamp()) * 1000) - _BACK_MS
            for place, found in (await consumer.offsets_for_times(dict.fromkeys(partitions, since))).items():
                if found is not None:
                    consumer.seek(place, found.offset)
            while True:
                for records in (await consumer.getmany(timeout_ms=_POLL_MS)).values():
                    for record in records:
                        self._note(record.value, datetime.fromtimestamp(record.timestamp / 1000, UTC))

    def _note(self, value: bytes, appended_at: datetime) -> None:
        try:
            self.add(decode_mark(value), appended_at)
        except Undecodable:
            _log.error("a record among the marks of freshness is not a mark")


async def _partitions(consumer: AIOKafkaConsumer, topic: str) -> list[TopicPartition]:
    known = await consumer._client._wait_on_metadata(topic)
    return [TopicPartition(topic, each) for each in sorted(known)]
