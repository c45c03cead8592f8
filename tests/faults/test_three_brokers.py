"""Three brokers, two of which have to have a record before anybody is told so: killed one by one, and back again."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import logging
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from uuid import UUID

import httpx
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import NodeNotReadyError
from sqlalchemy import Column, Connection, Engine, Integer, MetaData, Table, func, insert, select

from eventlog import event_store
from eventlog.consumer import consume
from eventlog.database import create_engine, create_tables
from eventlog.envelope import Envelope
from eventlog.events import AccessPointRegistered
from eventlog.kafka import KafkaAccess
from eventlog.projection import EventProjection
from eventlog.relay import PRODUCER_SETTINGS, relay
from eventlog.topics import load_topics
from market.ean import Ean
from services.metering import store
from services.metering.publisher import Message, NotAcknowledged, Position, Publisher
from stack.kafka_cluster import KafkaCluster
from tests.metering_room import new_ean, open_room
from tests.topics import read_all, until

pytestmark = [pytest.mark.integration, pytest.mark.fault]

PARTITIONS = 8
EVENTS = "register-events"
UNGUARDED = "min-insync-replicas-1"
REQUEST = UUID("00000000-0000-4000-8000-000000000001")
NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)

own = MetaData()
seen = Table("seen", own, Column("stream_version", Integer))


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaCluster]:
    cluster = KafkaCluster(tmp_path_factory.mktemp("cluster"))
    try:
        cluster.start(logging.getLogger(__name__).info)
        asyncio.run(make_topics(cluster.bootstrap))
        yield cluster
    finally:
        cluster.stop()


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = create_engine(database_url, application_name="test")
    create_tables(engine, own)
    yield engine
    engine.dispose()


async def make_topics(bootstrap: str) -> None:
    """Make topics as production has them, but with fewer partitions, and one that wants a single replica in sync."""
    topics = load_topics("production")
    wanted = [NewTopic(each, PARTITIONS, 3, topic_configs=topics[each].config) for each in (store.TOPIC, EVENTS)]
    unguarded = NewTopic(UNGUARDED, 1, 3, topic_configs={"min.insync.replicas": "1"})
    async with admin(bootstrap) as client:
        await client.create_topics([*wanted, unguarded])


@contextlib.asynccontextmanager
async def admin(bootstrap: str) -> AsyncIterator[AIOKafkaAdminClient]:
    client = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await client.start()
    try:
        yield client
    finally:
        await client.close()


async def in_sync(cluster: KafkaCluster) -> set[int]:
    """How many replicas of the partitions of readings are in sync, each number that there is."""
    async with admin(cluster.bootstrap) as client:
        (found,) = await client.describe_topics([store.TOPIC])
    return {len(each["isr"]) for each in found["partitions"]}


@dataclass
class Sender:
    """Publishes one message after the other, and keeps what it was told."""

    publisher: Publisher
    acknowledged: dict[Position, bytes] = field(default_factory=dict)
    refused_count: int = 0

    async def send_on(self) -> None:
        """Publish until cancelled."""
        for number in itertools.count():
            value = b"%d" % number
            try:
                [position] = await self.publisher.publish([Message(b"key-%d" % (number % 97), value, [])])
            except NotAcknowledged:
                self.refused_count += 1
            else:
                self.acknowledged[position] = value

    async def get_through_everywhere(self) -> None:
        """Return when every partition has acknowledged something more."""
        before = set(self.acknowledged)
        await until(lambda: len({each.partition for each in self.acknowledged.keys() - before}) == PARTITIONS)


def note(tx: Connection, envelope: Envelope) -> None:
    tx.execute(insert(seen).values(stream_version=envelope.stream_version))


def append(engine: Engine, version: int) -> None:
    event = AccessPointRegistered(
        ean=Ean("541448800000000017"), energy="E", meter_kind="DIGITAL", registered_on=date(2026, 1, 1 + version)
    )
    with engine.begin() as tx:
        event_store.append(tx, "point", [event], expected_version=version, correlation_id=REQUEST, recorded_at=NOW)


def noted_count(engine: Engine) -> int:
    with engine.begin() as tx:
        return int(tx.execute(select(func.count()).select_from(seen)).scalar_one())


@contextlib.asynccontextmanager
async def at_work(*works: asyncio.Task[None]) -> AsyncIterator[None]:
    """Let `works` go on; none of them may end by itself."""
    try:
        yield
        assert not [work for work in works if work.done()]
    finally:
        for work in works:
            work.cancel()
        await asyncio.gather(*works, return_exceptions=True)


async def leader_of(cluster: KafkaCluster, partition: int) -> int:
    async with admin(cluster.bootstrap) as client:
        (found,) = await client.describe_topics([store.TOPIC])
    return next(each["leader"] for each in found["partitions"] if each["partition"] == partition)


async def test_a_broker_that_is_killed_costs_nothing_that_was_acknowledged(
    cluster: KafkaCluster, engine: Engine
) -> None:
    kafka = KafkaAccess(cluster.bootstrap)
    sender = Sender(Publisher(kafka=kafka, topic=store.TOPIC, deadline_seconds=20.0))
    points = EventProjection(name="points", topic=EVENTS, engine=engine, project=note, partition_count=PARTITIONS)
    works = [
        asyncio.create_task(sender.send_on()),
        asyncio.create_task(relay(engine, topic=EVENTS, source="register", kafka=kafka)),
        asyncio.create_task(consume(points, service="test", kafka=kafka, replica="0")),
    ]
    append(engine, 0)
    async with at_work(*works):
        await sender.get_through_everywhere()
        await until(lambda: noted_count(engine) == 1)
        killed = await leader_of(cluster, 0)
        cluster.kill(killed)
        append(engine, 1)
        await sender.get_through_everywhere()
        await until(lambda: noted_count(engine) == 2)
    await sender.publisher.stop()
    log = {Position(each.partition, each.offset): each.value for each in await read_all(cluster.bootstrap, store.TOPIC)}
    assert {position: log.get(position) for position in sender.acknowledged} == sender.acknowledged
    await start_again(cluster, killed)


async def test_with_two_brokers_gone_nothing_is_taken_until_one_is_back(
    cluster: KafkaCluster, database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_room(database_url, cluster.bootstrap, publish_seconds=8.0) as room:
        taken = await room.post(line(), "application/x-ndjson")
        assert taken.status_code == 202
        for number in (1, 3):
            cluster.kill(number)
        await until(lambda: is_in_sync(cluster, {1}))
        refused = await room.post(line(), "application/x-ndjson")
        assert (refused.status_code, refused.json()["Code"]) == (503, "KafkaUnavailable")
        assert "NotEnoughReplicas" in caplog.text
        await demand_taken_without_guard(cluster)
        cluster.start_again(1, logging.getLogger(__name__).info)

        async def is_taken() -> bool:
            answer: httpx.Response = await room.post(line(), "application/x-ndjson")
            return answer.status_code == 202

        await until(is_taken)
    await start_again(cluster, 3)


async def is_in_sync(cluster: KafkaCluster, counts: set[int]) -> bool:
    try:
        return await in_sync(cluster) == counts
    except NodeNotReadyError:  # it asked a broker that is gone
        return False


async def demand_taken_without_guard(cluster: KafkaCluster) -> None:
    """The last broker takes the same write where one replica in sync is enough: it is the topic that refuses."""
    async with AIOKafkaProducer(bootstrap_servers=cluster.bootstrap, **PRODUCER_SETTINGS) as producer:
        await asyncio.wait_for(producer.send_and_wait(UNGUARDED, b"a record"), 20)


async def start_again(cluster: KafkaCluster, number: int) -> None:
    cluster.start_again(number, logging.getLogger(__name__).info)
    await until(lambda: is_in_sync(cluster, {3}))


def line() -> str:
    reading = {
        "source_at": "2026-11-20T04:00:00Z",
        "ean": new_ean(),
        "meter_kind": "DIGITAL",
        "channel": "OFFTAKE_ACTIVE_DAILY",
        "day": "2026-11-19",
        "values": [1],
    }
    return json.dumps(reading)
