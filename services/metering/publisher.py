"""Readings onto the topic, acknowledged by all in-sync replicas before anybody is told so, within our own deadline.

An idempotent producer never gives up a batch by itself, so the deadline is ours; whoever is told "not acknowledged" may
send again, because the same message on the topic twice takes effect once.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, KafkaTimeoutError

from eventlog.closing import close_producer
from eventlog.kafka import KafkaAccess

_BATCH_BYTES: Final = 262_144
_LINGER_MS: Final = 2
_SENT_AT_ONCE: Final = 200
_log = logging.getLogger(__name__)


class NotAcknowledged(Exception):
    """Not every message was acknowledged in time; some may still arrive. Sending all of them again is safe."""


@dataclass(frozen=True, slots=True)
class Message:
    """One record to publish. The key decides the partition (murmur2)."""

    key: bytes
    value: bytes
    headers: Sequence[tuple[str, bytes]]


@dataclass(frozen=True, slots=True)
class Position:
    """Where a record stands on the topic: the receipt of who sent it."""

    partition: int
    offset: int


class Publisher:
    """One producer for all requests of this process, started at the first one and replaced when it is broken."""

    def __init__(self, *, kafka: KafkaAccess, topic: str, deadline_seconds: float) -> None:
        self._kafka = kafka
        self._topic = topic
        self._deadline_seconds = deadline_seconds
        self._producer: Any = None
        self._starting = asyncio.Lock()

    async def publish(self, messages: Sequence[Message]) -> list[Position]:
        """Return where each of `messages` stands, in their order, once all in-sync replicas have all of them.

        Raises:
            NotAcknowledged: the deadline passed, or Kafka refused.
        """
        futures: list[asyncio.Future[Any]] = []
        producer: Any = None
        try:
            async with asyncio.timeout(self._deadline_seconds):
                producer = await self._started()
                for number, each in enumerate(messages, 1):
                    if number % _SENT_AT_ONCE == 0:
                        await asyncio.sleep(0)  # a large body lets other requests in between
                    futures.append(
                        await producer.send(self._topic, each.value, key=each.key, headers=list(each.headers))
                    )
                return [_position(metadata) for metadata in await asyncio.gather(*futures)]
        except (TimeoutError, KafkaTimeoutError):
            _log.warning("Kafka did not acknowledge within %s s", self._deadline_seconds)
            raise NotAcknowledged from None
        except KafkaError as error:
            _log.warning("Kafka refused: %s; a new producer will be made", type(error).__name__)
            await self._discard(producer)
            raise NotAcknowledged from None
        finally:
            await _settle(futures)

    async def stop(self) -> None:
        """Close the producer; what is not acknowledged by then was promised to nobody."""
        await self._discard(self._producer)

    async def _started(self) -> Any:
        async with self._starting:
            if self._producer is None:
                self._producer = await _start(self._kafka)
            return self._producer

    async def _discard(self, producer: Any) -> None:
        if producer is not None:
            if producer is self._producer:
                self._producer = None
            await close_producer(producer)


async def _start(kafka: KafkaAccess) -> Any:
    producer = AIOKafkaProducer(
        **kafka.client_arguments(),
        client_id="metering-ingest",
        acks="all",
        enable_idempotence=True,
        compression_type="lz4",
        max_batch_size=_BATCH_BYTES,
        linger_ms=_LINGER_MS,
        request_timeout_ms=20_000,
        retry_backoff_ms=500,
        metadata_max_age_ms=10_000,
    )
    try:
        await producer.start()
    except BaseException:
        await close_producer(producer)
        raise
    return producer


async def _settle(futures: Sequence[asyncio.Future[Any]]) -> None:
    """Cancel what is not done; what failed was reported with the first of them."""
    for future in futures:
        future.cancel()
    await asyncio.gather(*futures, return_exceptions=True)


def _position(metadata: Any) -> Position:
    if metadata.offset < 0:
        raise KafkaTimeoutError("acknowledged without an offset")
    return Position(metadata.partition, metadata.offset)
