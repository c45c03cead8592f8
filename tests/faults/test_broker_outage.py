"""The broker is killed and comes back: what was written meanwhile arrives, and each event takes effect once."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from uuid import UUID

import pytest
from aiokafka import AIOKafkaProducer
from sqlalchemy import Column, Connection, Engine, Integer, MetaData, String, Table, insert, select

from eventlog import event_store
from eventlog.closing import close_producer
from eventlog.consumer import Progress, consume
from eventlog.database import create_engine, create_tables
from eventlog.envelope import Envelope
from eventlog.events import AccessPointRegistered
from eventlog.kafka import KafkaAccess
from eventlog.probes import projection_status, unready_projections
from eventlog.projection import EventProjection
from eventlog.relay import PRODUCER_SETTINGS, count_unpublished, relay
from market.ean import Ean
from stack.child import Child
from stack.kafka import KafkaServer
from stack.ports import free_ports
from stack.readiness import wait_until_ready
from tests.topics import make_topic, until

pytestmark = [pytest.mark.integration, pytest.mark.fault]

EANS = ("541448800000000017", "541448800000000024", "541448800000000031", "541448800000000048")
NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
REQUEST = UUID("00000000-0000-4000-8000-000000000001")

own = MetaData()
seen = Table("seen", own, Column("stream_id", String), Column("stream_version", Integer))


@dataclass
class Broker:
    """A broker of this test alone, that can be killed."""

    server: KafkaServer
    child: Child | None = None

    def start(self) -> Child:
        self.child = self.server.start(logging.getLogger(__name__).info)
        return self.child

    def wait(self, child: Child) -> None:
        wait_until_ready(child, self.server.is_ready, timeout_seconds=60)

    def kill(self) -> None:
        if self.child is not None:
            self.child.stop(grace_seconds=0)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    port, controller_port = free_ports(2)
    broker = Broker(KafkaServer(folder=tmp_path, port=port, controller_port=controller_port, log=tmp_path / "log"))
    broker.wait(broker.start())
    yield broker
    broker.kill()


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = create_engine(database_url, application_name="test")
    create_tables(engine, own)
    yield engine
    engine.dispose()


def note(tx: Connection, envelope: Envelope) -> None:
    tx.execute(insert(seen).values(stream_id=envelope.stream_id, stream_version=envelope.stream_version))


def append(engine: Engine, version: int) -> None:
    """Append one event to each of four streams."""
    with engine.begin() as tx:
        for ean in EANS:
            event = AccessPointRegistered(
                ean=Ean(ean), energy="E", meter_kind="DIGITAL", registered_on=date(2026, 1, 1 + version)
            )
            event_store.append(
                tx, f"point:{ean}", [event], expected_version=version, correlation_id=REQUEST, recorded_at=NOW
            )


def noted(engine: Engine) -> list[tuple[str, int]]:
    with engine.begin() as tx:
        rows = tx.execute(select(seen).order_by(seen.c.stream_id, seen.c.stream_version))
        return [(row.stream_id, row.stream_version) for row in rows]


async def test_a_broker_that_is_killed_and_comes_back_costs_nothing(broker: Broker, engine: Engine) -> None:
    bootstrap = broker.server.bootstrap
    topic, progress = await make_topic(bootstrap, 4), Progress()
    points = EventProjection(name="points", topic=topic, engine=engine, project=note, partition_count=4)
    tasks = [
        asyncio.create_task(relay(engine, topic=topic, source="register", kafka=KafkaAccess(bootstrap))),
        asyncio.create_task(
            consume(points, service="test", kafka=KafkaAccess(bootstrap), replica="0", progress=progress)
        ),
    ]
    append(engine, 0)
    await until(lambda: len(noted(engine)) == 4)
    broker.kill()
    append(engine, 1)
    append(engine, 2)
    await until(lambda: count_unpublished(engine) == 8)
    await asyncio.to_thread(broker.wait, broker.start())
    append(engine, 3)
    await until(lambda: len(noted(engine)) == 16, seconds=120)
    await until(lambda: not unready_projections([progress]))
    await until(lambda: projection_status(engine, points, progress).lag == 0)
    assert not [task for task in tasks if task.done()]
    for task in tasks:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    assert noted(engine) == [(f"point:{ean}", version) for ean in sorted(EANS) for version in (1, 2, 3, 4)]


async def test_a_producer_that_is_closed_in_an_outage_goes_on_with_nothing(broker: Broker) -> None:
    """Else each try of the relay in a long outage would leave one behind, and all of them would send when it ends."""
    topic = await make_topic(broker.server.bootstrap, 1)
    others = asyncio.all_tasks()
    producer = AIOKafkaProducer(bootstrap_servers=broker.server.bootstrap, **PRODUCER_SETTINGS)
    await producer.start()
    await producer.send_and_wait(topic, b"before")
    broker.kill()
    waiting = await producer.send(topic, b"never taken")
    began = time.monotonic()
    await close_producer(producer)
    assert time.monotonic() - began < 10
    assert waiting.cancelled()
    await until(lambda: asyncio.all_tasks() == others, seconds=5)
