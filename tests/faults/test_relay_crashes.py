"""A relay killed or frozen at the worst points: what it sends twice is recognised, and each event takes effect once."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from eventlog.database import create_engine, create_tables
from eventlog.kafka import KafkaAccess
from eventlog.relay import count_unpublished, relay
from tests.faults.relay import PARTITIONS, applied, first_sights, own, versions, write_at_once, written
from tests.topics import make_topic, read_all, until

pytestmark = [pytest.mark.integration, pytest.mark.fault]

ROOT = Path(__file__).parents[2]
BATCH = 5


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = create_engine(database_url, application_name="test")
    create_tables(engine, own)
    yield engine
    engine.dispose()


@contextlib.asynccontextmanager
async def relaying(engine: Engine, topic: str, bootstrap: str, *, frozen_seconds: int = 60) -> AsyncIterator[None]:
    task = asyncio.create_task(
        relay(engine, topic=topic, source="register", kafka=KafkaAccess(bootstrap), frozen_seconds=frozen_seconds)
    )
    try:
        yield
        assert not task.done()
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


@contextlib.contextmanager
def troubled(database_url: str, topic: str, bootstrap: str, trouble: str) -> Iterator[subprocess.Popen[str]]:
    program = [sys.executable, "-m", "tests.faults.relay", database_url, bootstrap, topic, trouble]
    with subprocess.Popen(program, cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.kill()


async def test_killed_between_sending_and_marking(engine: Engine, kafka_bootstrap: str, database_url: str) -> None:
    topic = await make_topic(kafka_bootstrap, PARTITIONS)
    await asyncio.to_thread(write_at_once, engine, 5)
    for _ in range(3):
        with troubled(database_url, topic, kafka_bootstrap, "dies-before-mark") as process:
            assert await asyncio.to_thread(process.wait, 60) == -signal.SIGKILL
    async with relaying(engine, topic, kafka_bootstrap):
        await until(lambda: count_unpublished(engine) == 0)
    found, expected = versions(await read_all(kafka_bootstrap, topic)), written(engine)
    assert sum(map(len, found.values())) == sum(map(len, expected.values())) + 3 * BATCH  # the first rows, three times
    assert first_sights(found) == expected
    assert await applied(engine, kafka_bootstrap, topic) == expected


@pytest.mark.parametrize("point", ["send", "mark"])
async def test_frozen_while_another_takes_over(
    engine: Engine, kafka_bootstrap: str, database_url: str, point: str
) -> None:
    topic = await make_topic(kafka_bootstrap, PARTITIONS)
    await asyncio.to_thread(write_at_once, engine, 5)
    with troubled(database_url, topic, kafka_bootstrap, f"waits-before-{point}") as frozen:
        assert frozen.stdin is not None
        assert frozen.stdout is not None
        assert await asyncio.to_thread(frozen.stdout.readline) == "here\n"
        os.kill(frozen.pid, signal.SIGSTOP)
        async with relaying(engine, topic, kafka_bootstrap, frozen_seconds=2):
            await until(lambda: count_unpublished(engine) == 0)
            behind = sum(map(len, written(engine).values()))
            os.kill(frozen.pid, signal.SIGCONT)
            frozen.stdin.write("go on\n")
            frozen.stdin.flush()
            await asyncio.to_thread(write_at_once, engine, 5)
            await until(lambda: count_unpublished(engine) == 0)

            async def all_is_there() -> bool:  # what the zombie had read comes after what was sent instead of it
                count = len(await read_all(kafka_bootstrap, topic))
                return count == sum(map(len, written(engine).values())) + BATCH

            await until(all_is_there)
    records = await read_all(kafka_bootstrap, topic)
    assert len(records) > behind + BATCH
    found, expected = versions(records), written(engine)
    assert first_sights(found) == expected
    assert await applied(engine, kafka_bootstrap, topic) == expected
