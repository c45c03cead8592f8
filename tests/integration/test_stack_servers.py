"""The embedded servers start, answer, and start again at once after SIGKILL."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from stack.child import Child
from stack.kafka import KafkaServer
from stack.ports import free_ports
from stack.postgres import PostgresServer
from stack.readiness import wait_until_ready

pytestmark = pytest.mark.integration


def _silent(line: str) -> None:
    """Take a line of progress that nobody reads."""


@pytest.fixture
def children() -> Iterator[list[Child]]:
    started: list[Child] = []
    yield started
    for child in started:
        child.stop(grace_seconds=0)


async def _send(bootstrap: str, value: bytes) -> None:
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, enable_idempotence=True) as producer:
        await producer.send_and_wait("thing", value)


async def _read(bootstrap: str, count: int) -> list[bytes]:
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    async with consumer:
        consumer.assign([TopicPartition("thing", 0)])
        return [(await consumer.getone()).value for _ in range(count)]


async def test_a_killed_kafka_starts_again_and_lost_nothing(tmp_path: Path, children: list[Child]) -> None:
    port, controller_port = free_ports(2)
    server = KafkaServer(folder=tmp_path, port=port, controller_port=controller_port, log=tmp_path / "kafka.log")
    children.append(server.start(_silent))
    wait_until_ready(children[-1], server.is_ready, timeout_seconds=60)
    admin = AIOKafkaAdminClient(bootstrap_servers=server.bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic("thing", num_partitions=1, replication_factor=1)])
    await admin.close()
    await _send(server.bootstrap, b"before")
    children[-1].process.kill()
    children[-1].process.wait()

    children.append(server.start(_silent))
    wait_until_ready(children[-1], server.is_ready, timeout_seconds=60)
    await _send(server.bootstrap, b"after")

    assert await _read(server.bootstrap, 2) == [b"before", b"after"]


def test_a_killed_postgres_starts_again_at_once(tmp_path: Path, children: list[Child]) -> None:
    server = PostgresServer(
        folder=tmp_path, port=free_ports(1)[0], password=secrets.token_urlsafe(16), log=tmp_path / "postgres.log"
    )
    children.append(server.start(_silent))
    wait_until_ready(children[-1], server.is_ready, timeout_seconds=30)
    with psycopg.connect(server.admin_url) as connection:
        connection.execute("create table thing as select 1 as number")
    children[-1].process.kill()  # not waited for: its remains lie in the process table as a zombie

    children.append(server.start(_silent))
    wait_until_ready(children[-1], server.is_ready, timeout_seconds=30)

    with psycopg.connect(server.admin_url) as connection:
        assert connection.execute("select number from thing").fetchall() == [(1,)]


def test_a_service_role_owns_its_schema_and_nothing_else(postgres_admin_url: str, database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("create table thing (number int)")
        connection.execute("create temporary table staged (number int)")
        owned = connection.execute(
            "select tableowner = current_user from pg_tables where tablename = 'thing'"
        ).fetchone()
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("create schema another")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("create table public.thing (number int)")
    assert owned == (True,)
