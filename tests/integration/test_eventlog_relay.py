"""From the event table to the topic: nothing lost, what is doubled recognisable, order of each stream kept."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from pathlib import Path
from uuid import UUID

import pytest
from aiokafka import ConsumerRecord
from sqlalchemy import Engine, func, select

from eventlog import event_store
from eventlog.database import create_engine, create_tables
from eventlog.envelope import from_record
from eventlog.event_store import StreamChanged, event
from eventlog.events import AccessPointRegistered
from eventlog.kafka import KafkaAccess
from eventlog.relay import count_unpublished, read_backlog, relay
from market.ean import Ean
from tests.topics import make_topic, read_all, until

pytestmark = pytest.mark.integration

EANS = ("541448800000000017", "541448800000000024", "541448800000000031", "541448800000000048")
STREAMS = tuple(f"point:{ean}" for ean in EANS)
REQUEST = UUID("00000000-0000-4000-8000-000000000001")
NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
ROOT = Path(__file__).parents[2]


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = create_engine(database_url, application_name="test")
    create_tables(engine)
    yield engine
    engine.dispose()


@contextlib.asynccontextmanager
async def relaying(engine: Engine, topic: str, bootstrap: str, **options: int) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(relay(engine, topic=topic, source="register", kafka=KafkaAccess(bootstrap), **options))
    try:
        yield task
        assert task.cancelled() or not task.done(), task.exception()
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def registered(stream_id: str, day: int) -> AccessPointRegistered:
    ean = Ean(stream_id.removeprefix("point:"))
    return AccessPointRegistered(ean=ean, energy="E", meter_kind="DIGITAL", registered_on=date(2026, 1, day))


def append(engine: Engine, stream_id: str, count: int = 1) -> None:
    """Append as a command does: load, decide, append, and again when another came in between."""
    while True:
        with contextlib.suppress(StreamChanged), engine.begin() as tx:
            _, version = event_store.load(tx, stream_id)
            events = [registered(stream_id, 1 + number % 28) for number in range(count)]
            event_store.append(tx, stream_id, events, expected_version=version, correlation_id=REQUEST, recorded_at=NOW)
            return


def write_at_once(engine: Engine, appends: int) -> None:
    """Four writers, each appending one to three events at a time to streams it picks."""

    def write(seed: int) -> None:
        choice = random.Random(seed)
        for _ in range(appends):
            append(engine, choice.choice(STREAMS), choice.randint(1, 3))

    with ThreadPoolExecutor(4) as pool:
        for each in [pool.submit(write, seed) for seed in range(4)]:
            each.result()


def versions(records: list[ConsumerRecord]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for record in records:
        envelope = from_record(record)
        found.setdefault(envelope.stream_id, []).append(envelope.stream_version)
    return found


def first_sights(numbers: list[int]) -> list[int]:
    """What a reader applies: each version that is higher than all before it."""
    return [number for place, number in enumerate(numbers) if number > max(numbers[:place], default=0)]


def written(engine: Engine) -> dict[str, list[int]]:
    with engine.begin() as tx:
        rows = tx.execute(select(event.c.stream_id, func.count()).group_by(event.c.stream_id))
        return {stream_id: list(range(1, count + 1)) for stream_id, count in rows}


async def test_an_event_arrives_with_all_that_is_known_of_it(engine: Engine, kafka_bootstrap: str) -> None:
    topic = await make_topic(kafka_bootstrap, 8)
    append(engine, STREAMS[0])
    async with relaying(engine, topic, kafka_bootstrap):
        await until(lambda: count_unpublished(engine) == 0)
    (record,) = await read_all(kafka_bootstrap, topic)
    envelope = from_record(record)
    assert envelope.event == registered(STREAMS[0], 1)
    assert (envelope.source, envelope.stream_id, envelope.stream_version) == ("register", STREAMS[0], 1)
    assert (envelope.key, envelope.correlation_id, envelope.causation_id) == (EANS[0].encode(), REQUEST, None)
    assert envelope.recorded_at == NOW
    with engine.begin() as tx:
        assert envelope.event_id == tx.execute(select(event.c.event_id)).scalar_one()


async def test_writers_at_once_come_out_in_the_order_of_each_stream(engine: Engine, kafka_bootstrap: str) -> None:
    topic = await make_topic(kafka_bootstrap, 8)
    async with relaying(engine, topic, kafka_bootstrap, batch_size=7):
        await asyncio.to_thread(write_at_once, engine, 60)
        await until(lambda: count_unpublished(engine) == 0)
    assert versions(await read_all(kafka_bootstrap, topic)) == written(engine)


async def test_a_position_that_becomes_visible_late_is_not_stepped_over(engine: Engine, kafka_bootstrap: str) -> None:
    topic = await make_topic(kafka_bootstrap, 8)
    async with relaying(engine, topic, kafka_bootstrap):
        with engine.begin() as slow:
            event_store.append(
                slow,
                STREAMS[0],
                [registered(STREAMS[0], 1)],
                expected_version=0,
                correlation_id=REQUEST,
                recorded_at=NOW,
            )
            append(engine, STREAMS[1])
            await until(lambda: count_unpublished(engine) == 0)  # the later position is out, the earlier not visible
        await until(lambda: count_unpublished(engine) == 0)
    assert versions(await read_all(kafka_bootstrap, topic)) == {STREAMS[0]: [1], STREAMS[1]: [1]}


async def test_one_relay_works_and_the_next_one_waits(engine: Engine, kafka_bootstrap: str) -> None:
    topic = await make_topic(kafka_bootstrap, 8)
    async with relaying(engine, topic, kafka_bootstrap) as first, relaying(engine, topic, kafka_bootstrap):
        await asyncio.to_thread(write_at_once, engine, 20)
        await until(lambda: count_unpublished(engine) == 0)
        first.cancel()
        await asyncio.to_thread(write_at_once, engine, 20)
        await until(lambda: count_unpublished(engine) == 0)
    assert versions(await read_all(kafka_bootstrap, topic)) == written(engine)


def test_the_backlog_says_how_many_and_how_old(engine: Engine) -> None:
    append(engine, STREAMS[0], 3)
    with engine.begin() as tx:
        backlog = read_backlog(tx)
    assert backlog.event_count == 3
    assert backlog.oldest_seconds >= 0


RELAY_PROCESS = """
import asyncio, os, signal, sys
from eventlog import relay as module
from eventlog.database import create_engine
from eventlog.kafka import KafkaAccess

database_url, topic, bootstrap, deadly = sys.argv[1:]
mark = module._Relay._mark

def mark_or_die(self, connection, positions):
    if deadly == "dies":
        os.kill(os.getpid(), signal.SIGKILL)
    if deadly == "freezes":
        print("sent", flush=True)
        sys.stdin.readline()
    mark(self, connection, positions)

module._Relay._mark = mark_or_die
engine = create_engine(database_url, application_name="relay-under-test")
asyncio.run(module.relay(engine, topic=topic, source="register", kafka=KafkaAccess(bootstrap), batch_size=5))
"""


@contextlib.contextmanager
def relay_process(database_url: str, topic: str, bootstrap: str, deadly: str) -> Iterator[subprocess.Popen[str]]:
    """A relay that after sending and before marking `dies` by SIGKILL, or `freezes` until a line comes in."""
    arguments = [sys.executable, "-c", RELAY_PROCESS, database_url, topic, bootstrap, deadly]
    with subprocess.Popen(arguments, cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.kill()


async def test_a_relay_killed_between_sending_and_marking_sends_again_what_readers_recognise(
    engine: Engine, kafka_bootstrap: str, database_url: str
) -> None:
    topic = await make_topic(kafka_bootstrap, 8)
    await asyncio.to_thread(write_at_once, engine, 5)
    for _ in range(3):
        with relay_process(database_url, topic, kafka_bootstrap, "dies") as process:
            assert await asyncio.to_thread(process.wait, 60) == -signal.SIGKILL
    async with relaying(engine, topic, kafka_bootstrap):
        await until(lambda: count_unpublished(engine) == 0)
    found, expected = versions(await read_all(kafka_bootstrap, topic)), written(engine)
    sent, known = sum(map(len, found.values())), sum(map(len, expected.values()))
    assert sent == known + 3 * 5  # three times the first five rows
    assert {stream_id: first_sights(numbers) for stream_id, numbers in found.items()} == expected


async def test_a_frozen_relay_is_thrown_out_and_what_it_sends_later_is_recognised(
    engine: Engine, kafka_bootstrap: str, database_url: str
) -> None:
    topic = await make_topic(kafka_bootstrap, 8)
    await asyncio.to_thread(write_at_once, engine, 5)
    with relay_process(database_url, topic, kafka_bootstrap, "freezes") as frozen:
        assert frozen.stdin is not None
        assert frozen.stdout is not None
        assert await asyncio.to_thread(frozen.stdout.readline) == "sent\n"
        os.kill(frozen.pid, signal.SIGSTOP)
        async with relaying(engine, topic, kafka_bootstrap, frozen_seconds=2):
            await until(lambda: count_unpublished(engine) == 0)
            os.kill(frozen.pid, signal.SIGCONT)
            frozen.stdin.write("go\n")
            frozen.stdin.flush()
            await asyncio.to_thread(write_at_once, engine, 5)
            await until(lambda: count_unpublished(engine) == 0)
    found = versions(await read_all(kafka_bootstrap, topic))
    assert {stream_id: first_sights(numbers) for stream_id, numbers in found.items()} == written(engine)
