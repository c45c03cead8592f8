"""From the event table to the topic: at once, nothing lost, order of each stream kept, and quiet where nothing is."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator

import adbc_driver_postgresql.dbapi as adbc
import pytest
from prometheus_client import REGISTRY
from sqlalchemy import Engine, event, select, text

from eventlog import event_store
from eventlog.database import create_engine, create_tables, libpq_uri
from eventlog.envelope import from_record
from eventlog.event_store import event as events
from eventlog.kafka import KafkaAccess
from eventlog.relay import count_unpublished, read_backlog, relay
from eventlog.tracing import traced
from tests.faults.relay import (
    EANS,
    NOW,
    PARTITIONS,
    REQUEST,
    STREAMS,
    append,
    registered,
    versions,
    write,
    write_at_once,
    written,
)
from tests.topics import make_topic, new_name, read_all, until

pytestmark = pytest.mark.integration

FOR_EVER = 600.0


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = create_engine(database_url, application_name="test")
    create_tables(engine)
    yield engine
    engine.dispose()


@contextlib.asynccontextmanager
async def relaying(
    engine: Engine, topic: str, bootstrap: str, *, batch_size: int = 500, idle_seconds: float = FOR_EVER
) -> AsyncIterator[asyncio.Task[None]]:
    """A relay that does not look by itself, unless `idle_seconds` says so."""
    access = KafkaAccess(bootstrap)
    task = asyncio.create_task(
        relay(engine, topic=topic, source="r", kafka=access, batch_size=batch_size, idle_seconds=idle_seconds)
    )
    try:
        yield task
        assert task.cancelled() or not task.done(), task.exception()
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def drained(engine: Engine) -> None:
    await until(lambda: count_unpublished(engine) == 0, seconds=20)


async def test_an_event_arrives_with_all_that_is_known_of_it(engine: Engine, kafka_bootstrap: str) -> None:
    topic = await make_topic(kafka_bootstrap, PARTITIONS)
    with traced("a request", parent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"):
        append(engine, STREAMS[0])
    append(engine, STREAMS[0])
    async with relaying(engine, topic, kafka_bootstrap):
        await drained(engine)
    envelope, untraced = map(from_record, await read_all(kafka_bootstrap, topic))
    assert envelope.event == registered(STREAMS[0], 1)
    assert (envelope.source, envelope.stream_id, envelope.stream_version) == ("r", STREAMS[0], 1)
    assert (envelope.key, envelope.correlation_id, envelope.causation_id) == (EANS[0].encode(), REQUEST, None)
    assert envelope.recorded_at == NOW
    assert envelope.traceparent == "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    assert untraced.traceparent is None
    with engine.begin() as tx:
        first = tx.execute(select(events.c.event_id).order_by(events.c.position).limit(1))
        assert envelope.event_id == first.scalar_one()


async def test_writers_at_once_come_out_in_the_order_of_each_stream(engine: Engine, kafka_bootstrap: str) -> None:
    topic = await make_topic(kafka_bootstrap, PARTITIONS)
    async with relaying(engine, topic, kafka_bootstrap, batch_size=7):
        await asyncio.to_thread(write_at_once, engine, 60)
        await drained(engine)
    assert versions(await read_all(kafka_bootstrap, topic)) == written(engine)


async def test_a_position_that_becomes_visible_late_is_not_stepped_over(engine: Engine, kafka_bootstrap: str) -> None:
    topic = await make_topic(kafka_bootstrap, PARTITIONS)
    async with relaying(engine, topic, kafka_bootstrap):
        with engine.begin() as slow:
            write(slow, STREAMS[0], version=0)
            append(engine, STREAMS[1])
            await drained(engine)  # the later position is out, the earlier not visible
        await drained(engine)
    assert versions(await read_all(kafka_bootstrap, topic)) == {STREAMS[0]: [1], STREAMS[1]: [1]}


async def test_one_relay_works_and_the_next_one_waits(engine: Engine, kafka_bootstrap: str) -> None:
    topic = await make_topic(kafka_bootstrap, PARTITIONS)
    async with relaying(engine, topic, kafka_bootstrap) as first, relaying(engine, topic, kafka_bootstrap):
        await asyncio.to_thread(write_at_once, engine, 20)
        await drained(engine)
        first.cancel()
        await asyncio.to_thread(write_at_once, engine, 20)
        await drained(engine)
    assert versions(await read_all(kafka_bootstrap, topic)) == written(engine)


def by_adbc(database_url: str) -> None:
    with (
        adbc.connect(libpq_uri(database_url, application_name="test")) as connection,
        connection.cursor() as cursor,
    ):
        found = [registered(STREAMS[0])]
        event_store.append_adbc(cursor, STREAMS[0], found, correlation_id=REQUEST, recorded_at=NOW)
        connection.commit()


async def test_a_relay_that_never_looks_by_itself_is_woken_by_every_commit(
    engine: Engine, kafka_bootstrap: str, database_url: str
) -> None:
    topic = await make_topic(kafka_bootstrap, PARTITIONS)
    async with relaying(engine, topic, kafka_bootstrap):
        for _ in range(3):
            append(engine, STREAMS[1])
            await drained(engine)
            by_adbc(database_url)
            await drained(engine)
    assert versions(await read_all(kafka_bootstrap, topic)) == {STREAMS[0]: [1, 2, 3], STREAMS[1]: [1, 2, 3]}


async def test_an_event_table_from_before_announces_its_events_after_the_next_start(
    engine: Engine, kafka_bootstrap: str
) -> None:
    with engine.begin() as tx:
        tx.execute(text("drop trigger event_announced on event"))
        tx.execute(text("drop function announce_event"))
        tx.execute(text("alter table event drop column traceparent"))
    create_tables(engine)
    topic = await make_topic(kafka_bootstrap, PARTITIONS)
    async with relaying(engine, topic, kafka_bootstrap):
        append(engine, STREAMS[0])
        await drained(engine)
        append(engine, STREAMS[0])
        await drained(engine)


async def test_what_was_not_heard_is_found_a_little_later(engine: Engine, kafka_bootstrap: str) -> None:
    with engine.begin() as tx:
        tx.execute(text("alter table event disable trigger event_announced"))
    topic = await make_topic(kafka_bootstrap, PARTITIONS)
    async with relaying(engine, topic, kafka_bootstrap, idle_seconds=0.2):
        append(engine, STREAMS[0])
        await drained(engine)
        append(engine, STREAMS[0])
        await drained(engine)


async def test_a_relay_without_work_asks_the_database_next_to_nothing(engine: Engine, kafka_bootstrap: str) -> None:
    topic = await make_topic(kafka_bootstrap, PARTITIONS)
    async with relaying(engine, topic, kafka_bootstrap, idle_seconds=5.0):
        append(engine, STREAMS[0])
        await drained(engine)
        asked: list[str] = []
        event.listen(engine, "before_cursor_execute", lambda *given: asked.append(given[2]))
        await asyncio.sleep(2.5)
    assert len(asked) <= 4  # what is marked, a look after it; the backlog once; a look in case something was not heard


def test_the_backlog_says_how_many_and_how_old(engine: Engine) -> None:
    append(engine, STREAMS[0], 3)
    with engine.begin() as tx:
        backlog = read_backlog(tx)
    assert backlog.event_count == 3
    assert backlog.oldest_seconds >= 0


async def test_the_backlog_is_measured_also_while_the_relay_waits_for_kafka(engine: Engine) -> None:
    def measured(name: str) -> float:
        return REGISTRY.get_sample_value(name, {"topic": topic}) or 0.0

    topic, nowhere = new_name(), "127.0.0.1:1"
    append(engine, STREAMS[0], 3)
    async with relaying(engine, topic, nowhere):
        await until(lambda: measured("relay_unpublished_events") == 3)
    with engine.begin() as tx:
        assert measured("relay_oldest_unpublished_seconds") <= read_backlog(tx).oldest_seconds
