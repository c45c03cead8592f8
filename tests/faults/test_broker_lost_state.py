"""A broker comes back as it was some time ago: the relay's producer is refused and replaced, and what was lost goes
again from the event table."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import REGISTRY
from sqlalchemy import Engine, text

from eventlog.database import create_engine, create_tables
from eventlog.kafka import KafkaAccess
from eventlog.relay import count_unpublished, relay
from stack.child import Child
from stack.kafka import QUICK_START, KafkaServer
from stack.ports import free_ports
from stack.readiness import wait_until_ready
from tests.faults.relay import PARTITIONS, STREAMS, append, versions, written
from tests.topics import make_topic, read_all, until

pytestmark = [pytest.mark.integration, pytest.mark.fault]


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = create_engine(database_url, application_name="test")
    create_tables(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def server(tmp_path: Path) -> KafkaServer:
    port, controller_port = free_ports(2)
    return KafkaServer(
        folder=tmp_path,
        port=port,
        controller_port=controller_port,
        log=tmp_path / "log",
        java_options=QUICK_START,
    )


async def start(server: KafkaServer) -> Child:
    child = server.start(logging.getLogger(__name__).info)
    await asyncio.to_thread(wait_until_ready, child, server.is_ready, timeout_seconds=60)
    return child


async def test_a_broker_restored_from_yesterday(
    engine: Engine, server: KafkaServer, caplog: pytest.LogCaptureFixture
) -> None:
    data, copy = server.folder / "data", server.folder / "copy"
    broker = await start(server)
    topic = await make_topic(server.bootstrap, PARTITIONS)
    relaying = asyncio.create_task(
        relay(engine, topic=topic, source="register", kafka=KafkaAccess(server.bootstrap), idle_seconds=0.5)
    )

    async def grow() -> None:
        for stream_id in STREAMS:
            append(engine, stream_id)
        await until(lambda: count_unpublished(engine) == 0)

    def failures() -> float:
        return REGISTRY.get_sample_value("relay_failures_total", {"topic": topic}) or 0.0

    try:
        await grow()
        await asyncio.to_thread(broker.stop, grace_seconds=20)
        await asyncio.to_thread(shutil.copytree, data, copy)
        broker = await start(server)
        await grow()
        await grow()
        assert failures() == 0  # the same producer all the time
        await asyncio.to_thread(broker.stop, grace_seconds=0)
        await asyncio.to_thread(shutil.rmtree, data)
        await asyncio.to_thread(copy.rename, data)
        broker = await start(server)
        assert {len(found) for found in versions(await read_all(server.bootstrap, topic)).values()} == {1}

        with engine.begin() as tx:  # as docs/operations.md says
            tx.execute(text("update event set published_at = null where stream_version > 1"))
        await until(lambda: count_unpublished(engine) == 0)
        assert f"the relay to {topic} begins again: OutOfOrderSequenceNumber" in caplog.messages
        await grow()
        assert versions(await read_all(server.bootstrap, topic)) == written(engine)
        assert not relaying.done()
    finally:
        relaying.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await relaying
        await asyncio.to_thread(broker.stop, grace_seconds=0)
