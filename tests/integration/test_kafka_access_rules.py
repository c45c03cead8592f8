"""TLS, names and passwords, and the rules of `eventlog/acls.py` on a real broker: who gets in, and what he may do."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    TopicAuthorizationFailedError,
    for_code,
)

from eventlog.acls import DEPLOYER, Acl, acls_of, apply_acls
from eventlog.consumer import MEMBER_SETTINGS
from eventlog.kafka import KafkaAccess
from eventlog.relay import PRODUCER_SETTINGS
from eventlog.topics import create_topics, load_topics
from tests.secured_kafka import ADMIN, SecuredKafka, secured_kafka

pytestmark = pytest.mark.integration

TOPICS = load_topics("local")
SERVICES = ("register", "mandate", "metering", "export")

# By hand, after the table of who owns what.
WRITES = {
    "register": {"register-events", "permission-marks"},
    "mandate": {"mandate-events", "permission-marks"},
    "metering": {"meter-indexes", "meter-readings", "metering-events"},
    "export": {"export-events"},
}
READS = {
    "register": set[str](),
    "mandate": {"register-events"},
    "metering": {"meter-indexes", "meter-readings", "metering-events", "register-events"},
    "export": {"mandate-events", "register-events", "permission-marks"},
}


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredKafka]:
    with secured_kafka(tmp_path_factory.mktemp("secured")) as kafka:
        asyncio.run(apply_acls(kafka.access(ADMIN), acls_of(TOPICS.values())))
        asyncio.run(create_topics(kafka.access("kwartier"), "local"))
        asyncio.run(fill(kafka.access(ADMIN)))
        yield kafka


async def fill(access: KafkaAccess) -> None:
    async with AIOKafkaProducer(**access.client_arguments()) as producer:
        for topic in TOPICS:
            await producer.send_and_wait(topic, b"a record", partition=0)


async def join(access: KafkaAccess, group: str, topic: str) -> None:
    """Be in `group` until it gives a record of `topic`."""
    settings = {**MEMBER_SETTINGS, "auto_offset_reset": "earliest"}
    consumer = AIOKafkaConsumer(topic, **access.client_arguments(), group_id=group, **settings)
    try:
        await consumer.start()
        await asyncio.wait_for(consumer.getone(), 30)
    finally:
        await consumer.stop()


async def may_write(kafka: SecuredKafka, user: str) -> set[str]:
    """The topics that take a record of `user`."""
    taken = set()
    for topic in TOPICS:
        async with AIOKafkaProducer(**kafka.access(user).client_arguments(), **PRODUCER_SETTINGS) as producer:
            try:
                await producer.send_and_wait(topic, b"a record")
                taken.add(topic)
            except TopicAuthorizationFailedError:
                continue
    return taken


async def may_read(kafka: SecuredKafka, user: str) -> set[str]:
    """The topics that give `user` the record that an administrator put there."""
    shown = [topic for topic in TOPICS if await is_shown(kafka, user, topic)]
    return {topic for topic in shown if await gives_a_record(kafka, user, topic)}


async def gives_a_record(kafka: SecuredKafka, user: str, topic: str) -> bool:
    consumer = AIOKafkaConsumer(**kafka.access(user).client_arguments(), auto_offset_reset="none")
    await consumer.start()
    try:
        consumer.assign([TopicPartition(topic, 0)])
        consumer.seek(TopicPartition(topic, 0), 0)
        await asyncio.wait_for(consumer.getone(), 20)
    except TopicAuthorizationFailedError:
        return False
    finally:
        await consumer.stop()
    return True


async def is_shown(kafka: SecuredKafka, user: str, topic: str) -> bool:
    """Whether `user` learns that there is such a topic; a consumer that does not waits for it."""
    admin = AIOKafkaAdminClient(**kafka.access(user).client_arguments())
    await admin.start()
    try:
        (found,) = await admin.describe_topics([topic])
    finally:
        await admin.close()
    return for_code(found["error_code"]) is not TopicAuthorizationFailedError


@pytest.mark.parametrize("user", SERVICES)
async def test_a_service_writes_its_own_topics_and_no_others(kafka: SecuredKafka, user: str) -> None:
    assert await may_write(kafka, user) == WRITES[user]


@pytest.mark.parametrize("user", SERVICES)
async def test_a_service_reads_what_it_lives_on_and_nothing_else(kafka: SecuredKafka, user: str) -> None:
    assert await may_read(kafka, user) == READS[user]


async def test_a_service_is_in_groups_of_its_own_name_alone(kafka: SecuredKafka) -> None:
    await join(kafka.access("mandate"), "mandate.policy.register-events", "register-events")
    with pytest.raises(GroupAuthorizationFailedError):
        await join(kafka.access("mandate"), "export.occupancy.register-events", "register-events")


async def test_nobody_but_an_administrator_gives_rights(kafka: SecuredKafka) -> None:
    for user in (*SERVICES, DEPLOYER):
        with pytest.raises(ClusterAuthorizationFailedError):
            await apply_acls(kafka.access(user), [Acl(user, "topic", "mandate-events", "literal", ("Write",))])


async def test_a_service_makes_no_topics(kafka: SecuredKafka) -> None:
    admin = AIOKafkaAdminClient(**kafka.access("register").client_arguments())
    await admin.start()
    try:
        answer = await admin.create_topics([NewTopic("register-more", 1, 1)])
    finally:
        await admin.close()
    assert [for_code(code) for _, code, *_ in answer.topic_errors] == [TopicAuthorizationFailedError]
