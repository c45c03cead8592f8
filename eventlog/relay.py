"""From the event table to Kafka: rows that are not published yet, in the order of their positions."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from sqlalchemy import Connection, Engine, Row, func, select, text, update

from eventlog import metrics
from eventlog.backlog import Backlog, count_unpublished, measure_backlog, read_backlog
from eventlog.closing import close_producer
from eventlog.database import is_outage
from eventlog.envelope import to_headers
from eventlog.framing import outgoing
from eventlog.kafka import KafkaAccess
from eventlog.tables import event
from eventlog.wakeup import Wakeup

__all__ = ["PRODUCER_SETTINGS", "Backlog", "count_unpublished", "read_backlog", "relay"]

PRODUCER_SETTINGS: Final[dict[str, Any]] = {
    "acks": "all",
    "enable_idempotence": True,
    "compression_type": "lz4",
    "linger_ms": 0,  # rows come in batches anyway, and one alone is waited for
    "request_timeout_ms": 20_000,
    "metadata_max_age_ms": 10_000,
    "retry_backoff_ms": 500,
}
_SEND_SECONDS: Final = 30.0
_RETRY_SECONDS: Final = 1.0
_IDLE_SECONDS: Final = 5.0
_FROZEN_SECONDS: Final = 60

# A session-level lock: it lives as long as the connection that reads and marks, and nobody else relays meanwhile.
_LOCK: Final = text("select pg_try_advisory_lock(hashtextextended('relay of ' || current_schema(), 0))")
# The relay asks the database every few seconds; one that said nothing for longer than it may wait for Kafka is
# frozen. What it sends when it wakes up are re-sends, behind what was sent meanwhile.
_EVICT: Final = text(
    "select pg_terminate_backend(a.pid) from pg_locks l join pg_stat_activity a on a.pid = l.pid "
    "where l.locktype = 'advisory' and l.granted and a.usename = current_user and a.pid <> pg_backend_pid() "
    "and a.datname = current_database() "
    "and ((l.classid::bigint << 32) | l.objid::bigint) = hashtextextended('relay of ' || current_schema(), 0) "
    "and a.state_change < clock_timestamp() - make_interval(secs => :seconds)"
)
_log = logging.getLogger(__name__)


async def relay(
    engine: Engine,
    *,
    topic: str,
    source: str,
    kafka: KafkaAccess,
    batch_size: int = 500,
    idle_seconds: float = _IDLE_SECONDS,
    frozen_seconds: int = _FROZEN_SECONDS,
) -> None:
    """Publish the events of this database to `topic` until cancelled, one relay at a time; others wait their turn.

    `source` is the service's name (ce_source). Every row is acknowledged by Kafka before it is marked; after any error
    the same rows go again through a new producer, and readers know a re-send by its stream version. It is woken by the
    commit of an event; every `idle_seconds` it looks for itself, in case that was not heard.
    """
    worker = _Relay(engine, topic, source, kafka, batch_size, idle_seconds, frozen_seconds)
    try:
        async with asyncio.TaskGroup() as both:
            both.create_task(_publish(worker, topic))
            both.create_task(measure_backlog(engine, topic=topic))
    finally:
        worker.close()


async def _publish(worker: _Relay, topic: str) -> None:
    while True:
        try:
            await worker.run()
        except Exception as error:
            if not (isinstance(error, (KafkaError, TimeoutError)) or is_outage(error)):
                raise
            metrics.RELAY_FAILURES.labels(topic).inc()
            _log.warning("the relay to %s begins again: %s", topic, type(error).__name__)
        await asyncio.sleep(_RETRY_SECONDS)


class _Relay:
    def __init__(
        self,
        engine: Engine,
        topic: str,
        source: str,
        kafka: KafkaAccess,
        batch_size: int,
        idle_seconds: float,
        frozen_seconds: int,
    ) -> None:
        self._engine = engine
        self._topic = topic
        self._source = source
        self._kafka = kafka
        self._batch_size = batch_size
        self._idle_seconds = idle_seconds
        self._frozen_seconds = frozen_seconds
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="relay")

    def close(self) -> None:
        self._thread.shutdown(wait=False)

    async def run(self) -> None:
        """Take the lock, and publish until something fails."""
        async with self._connection() as connection:
            while not await self._in_thread(self._lock, connection):
                await asyncio.sleep(_RETRY_SECONDS)
            wakeup = await self._in_thread(Wakeup, connection)
            async with self._producer() as producer:
                while True:
                    await self._in_thread(wakeup.clear)
                    rows = await self._in_thread(self._read, connection)
                    if rows:
                        async with asyncio.timeout(_SEND_SECONDS):
                            await self._send(producer, rows)
                        await self._in_thread(self._mark, connection, [row.position for row in rows])
                    if len(rows) < self._batch_size:
                        await wakeup.wait(self._idle_seconds)

    @contextlib.asynccontextmanager
    async def _connection(self) -> AsyncIterator[Connection]:
        autocommit = self._engine.execution_options(isolation_level="AUTOCOMMIT")
        connection = await self._in_thread(autocommit.connect)
        try:
            yield connection
        finally:
            # Ended, not given back: the lock must not stay with a pooled session.
            connection.invalidate()
            connection.close()

    @contextlib.asynccontextmanager
    async def _producer(self) -> AsyncIterator[AIOKafkaProducer]:
        producer = AIOKafkaProducer(
            **self._kafka.client_arguments(), client_id=f"{self._source}-relay", **PRODUCER_SETTINGS
        )
        try:
            await producer.start()
            yield producer
        finally:
            await close_producer(producer)

    def _lock(self, connection: Connection) -> bool:
        if connection.execute(_LOCK).scalar_one():
            return True
        if connection.execute(_EVICT, {"seconds": self._frozen_seconds}).all():
            _log.warning("ended the database session of a frozen relay to %s", self._topic)
        return False

    def _read(self, connection: Connection) -> Sequence[Row[Any]]:
        unpublished = select(event).where(event.c.published_at.is_(None))
        return connection.execute(unpublished.order_by(event.c.position).limit(self._batch_size)).all()

    async def _send(self, producer: AIOKafkaProducer, rows: Sequence[Row[Any]]) -> None:
        """Send `rows` in order, and wait until the broker has acknowledged them all."""
        acknowledged: list[asyncio.Future[Any]] = []
        try:
            for row in rows:
                value, headers = outgoing(row.payload), self._headers(row)
                acknowledged.append(await producer.send(self._topic, value=value, key=row.key, headers=headers))
            await asyncio.gather(*acknowledged)
        finally:
            for each in acknowledged:  # those that are left when it fails: nobody waits for them any more
                each.cancel()
        metrics.PUBLISHED.labels(self._topic).inc(len(rows))

    def _headers(self, row: Row[Any]) -> list[tuple[str, bytes]]:
        return to_headers(
            event_id=row.event_id,
            event_type=row.event_type,
            source=self._source,
            stream_id=row.stream_id,
            stream_version=row.stream_version,
            recorded_at=row.recorded_at,
            correlation_id=row.correlation_id,
            causation_id=row.causation_id,
            traceparent=row.traceparent,
        )

    def _mark(self, connection: Connection, positions: list[int]) -> None:
        connection.execute(
            update(event).where(event.c.position.in_(positions)).values(published_at=func.clock_timestamp())
        )

    async def _in_thread(self, function: Any, *arguments: object) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._thread, function, *arguments)
