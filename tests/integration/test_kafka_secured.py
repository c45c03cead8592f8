"""The platform's clients on a broker that lets in by TLS, name and password; and what is said when it does not."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from uuid import UUID

import httpx
import pytest
from prometheus_client import REGISTRY
from pydantic import SecretStr
from sqlalchemy import Column, Connection, Engine, Integer, MetaData, Table, func, insert, select

from eventlog import event_store
from eventlog.acls import acls_of, apply_acls
from eventlog.consumer import consume
from eventlog.database import create_engine, create_tables
from eventlog.envelope import Envelope
from eventlog.events import AccessPointRegistered
from eventlog.kafka import KafkaAccess
from eventlog.kafka_watch import KafkaWatch, topics_of
from eventlog.projection import EventProjection
from eventlog.relay import relay
from eventlog.topics import create_topics, load_topics
from market.ean import Ean
from services.mandate.app import build
from services.mandate.settings import MandateSettings
from services.metering import store
from services.metering.publisher import Message, Publisher
from services.metering.topic_ends import TopicEnds
from tests.secured_kafka import ADMIN, Authority, SecuredKafka, secured_kafka
from tests.topics import until

pytestmark = pytest.mark.integration

TOPICS = load_topics("local")
REQUEST = UUID("00000000-0000-4000-8000-000000000001")
NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)

own = MetaData()
seen = Table("seen", own, Column("stream_version", Integer))


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredKafka]:
    with secured_kafka(tmp_path_factory.mktemp("secured")) as kafka:
        asyncio.run(apply_acls(kafka.access(ADMIN), acls_of(TOPICS.values())))
        asyncio.run(create_topics(kafka.access("kwartier"), "local"))
        yield kafka


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = create_engine(database_url, application_name="test")
    create_tables(engine, own)
    yield engine
    engine.dispose()


@contextlib.asynccontextmanager
async def at_work(*works: asyncio.Task[None]) -> AsyncIterator[None]:
    try:
        yield
    finally:
        for work in works:
            work.cancel()
        await asyncio.gather(*works, return_exceptions=True)


def note(tx: Connection, envelope: Envelope) -> None:
    tx.execute(insert(seen).values(stream_version=envelope.stream_version))


def noted_count(engine: Engine) -> int:
    with engine.begin() as tx:
        return int(tx.execute(select(func.count()).select_from(seen)).scalar_one())


async def test_an_event_goes_from_one_service_to_another(kafka: SecuredKafka, engine: Engine) -> None:
    points = EventProjection(name="points", topic="register-events", engine=engine, project=note, partition_count=8)
    event = AccessPointRegistered(
        ean=Ean("541448800000000017"), energy="E", meter_kind="DIGITAL", registered_on=date(2026, 1, 1)
    )
    with engine.begin() as tx:
        event_store.append(tx, "point", [event], expected_version=0, correlation_id=REQUEST, recorded_at=NOW)
    publishing = relay(engine, topic="register-events", source="register", kafka=kafka.access("register"))
    reading = consume(points, service="mandate", kafka=kafka.access("mandate"), replica="0")
    async with at_work(asyncio.create_task(publishing), asyncio.create_task(reading)):
        await until(lambda: noted_count(engine) == 1)


async def test_readings_are_acknowledged_and_their_topic_has_an_end(kafka: SecuredKafka) -> None:
    publisher = Publisher(kafka=kafka.access("metering"), topic=store.TOPIC, deadline_seconds=20)
    ends = TopicEnds(kafka=kafka.access("metering"), topic=store.TOPIC, timeout_seconds=20)
    try:
        [position] = await publisher.publish([Message(b"541448800000000017", b"value", [])])
        found = await ends.end_offsets([position.partition])
        assert found == {position.partition: position.offset + 1}
    finally:
        await publisher.stop()
        await ends.stop()


def test_whoever_deploys_compares_topics_with_rights_of_his_own(kafka: SecuredKafka) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "stack.cli", "topics", "check"],
        env={**os.environ, **kafka.access("kwartier").environment()},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == (f"{len(TOPICS)} topics, all as topics.toml (local) says\n", "")


async def faults_of(access: KafkaAccess, service: str) -> list[str]:
    """What the watch of `service` says of Kafka when it has looked."""
    watch = KafkaWatch(access, topics_of(service, TOPICS.values()))
    async with at_work(asyncio.create_task(watch.watch())):
        await until(lambda: bool(watch.unready()), seconds=20)
        return watch.unready()


async def test_a_service_that_is_let_in_has_no_fault(kafka: SecuredKafka) -> None:
    watch = KafkaWatch(kafka.access("export"), topics_of("export", TOPICS.values()))
    assert await watch.look() == []
    expires_at = REGISTRY.get_sample_value("kafka_certificate_expires_timestamp_seconds")
    assert expires_at == pytest.approx(time.time() + 3600, abs=300)


async def test_a_wrong_password_is_one_line_that_says_which_and_the_password_is_not_in_it(
    kafka: SecuredKafka, caplog: pytest.LogCaptureFixture
) -> None:
    watch = KafkaWatch(kafka.with_password("register", "guessed"), topics_of("register", TOPICS.values()))
    line = "Kafka refuses the password of register: set KAFKA_SASL_PASSWORD"
    with caplog.at_level(logging.INFO, "eventlog.kafka_watch"):
        for _ in range(3):
            watch.note(await watch.look())
        assert watch.unready() == [line]
        watch.note([])
    assert [each.getMessage() for each in caplog.records if each.name == "eventlog.kafka_watch"] == [
        line,
        "Kafka lets us work again",
    ]
    assert "guessed" not in caplog.text


async def test_a_broker_that_nobody_vouches_for_is_not_talked_to(kafka: SecuredKafka, tmp_path: Path) -> None:
    other = tmp_path / "other.pem"
    other.write_bytes(Authority.make().certificate_pem)
    access = replace(kafka.access("register"), ca_file=str(other))
    [fault] = await faults_of(access, "register")
    assert fault.startswith(f"the certificate of {kafka.bootstrap} is not trusted (")
    assert fault.endswith("): set KAFKA_CA_FILE, or renew it")


async def test_a_user_without_rules_is_told_which_topic_is_hidden(kafka: SecuredKafka) -> None:
    faults = await faults_of(kafka.access("register"), "metering")
    assert "Kafka does not show meter-readings to this user: give the rules of kwartier topics acls" in faults
    assert not [fault for fault in faults if "register-events" in fault]


async def test_the_probe_is_red_and_says_why(kafka: SecuredKafka, engine: Engine, database_url: str) -> None:
    access = kafka.with_password("mandate", "guessed")
    settings = MandateSettings(
        database_url=SecretStr(database_url),
        port=0,
        kafka_bootstrap=access.bootstrap,
        kafka_security_protocol=access.security_protocol,
        kafka_sasl_mechanism=access.sasl_mechanism,
        kafka_sasl_username=access.sasl_username,
        kafka_sasl_password=access.sasl_password,
        kafka_ca_file=access.ca_file,
    )
    app, [*_, watch] = build(settings, ["relay"], engine)
    transport = httpx.ASGITransport(app)
    async with (
        httpx.AsyncClient(transport=transport, base_url="http://mandate.test") as http,
        at_work(asyncio.ensure_future(watch())),
    ):

        async def is_red() -> bool:
            return (await http.get("/readyz")).status_code == 503

        await until(is_red, seconds=20)
        reasons = (await http.get("/readyz")).json()["reasons"]
    assert reasons == ["Kafka refuses the password of mandate: set KAFKA_SASL_PASSWORD"]
