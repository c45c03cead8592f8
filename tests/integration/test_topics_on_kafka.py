"""Topics are made once as topics.toml says, and an existing topic is never bent into another shape."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from eventlog import topics
from eventlog.kafka import KafkaAccess
from eventlog.topics import Topic, TopicDiffers, create_topics, load_topics, partition_of

pytestmark = pytest.mark.integration


@pytest.fixture
def prefix() -> str:
    """What the topics of one test are called before their real names: a deleted name is seen for a while longer."""
    return f"topics-{secrets.token_hex(4)}-"


@pytest.fixture
async def admin(
    kafka_bootstrap: str, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[AIOKafkaAdminClient]:
    """A client of the broker; the topics have names of this test's own, and are gone after it."""
    real = load_topics

    def renamed(profile: str) -> dict[str, Topic]:
        return {prefix + name: replace(topic, name=prefix + name) for name, topic in real(profile).items()}

    monkeypatch.setattr(topics, "load_topics", renamed)
    client = AIOKafkaAdminClient(bootstrap_servers=kafka_bootstrap)
    await client.start()
    yield client
    made = [name for name in await client.list_topics() if name.startswith(prefix)]
    if made:
        await client.delete_topics(made)
    await client.close()


async def partition_counts(admin: AIOKafkaAdminClient, prefix: str) -> dict[str, int]:
    described = await admin.describe_topics()
    return {
        each["topic"].removeprefix(prefix): len(each["partitions"])
        for each in described
        if each["topic"].startswith(prefix)
    }


async def config_of(admin: AIOKafkaAdminClient, topic: str) -> dict[str, Any]:
    answers = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
    return {entry[0]: entry[1] for entry in answers[0].resources[0][4]}


async def test_topics_are_made_as_the_file_says(kafka_bootstrap: str, prefix: str, admin: AIOKafkaAdminClient) -> None:
    await create_topics(KafkaAccess(kafka_bootstrap), "local")
    assert await partition_counts(admin, prefix) == {
        "export-events": 8,
        "mandate-events": 8,
        "meter-indexes": 8,
        "meter-readings": 8,
        "metering-events": 8,
        "permission-marks": 8,
        "register-events": 8,
    }
    config = await config_of(admin, f"{prefix}metering-events")
    assert config["message.timestamp.type"] == "LogAppendTime"
    assert config["cleanup.policy"] == "delete"
    assert config["retention.ms"] == "1209600000"


async def test_making_them_again_changes_nothing(kafka_bootstrap: str, prefix: str, admin: AIOKafkaAdminClient) -> None:
    await create_topics(KafkaAccess(kafka_bootstrap), "local")
    before = await partition_counts(admin, prefix)
    await create_topics(KafkaAccess(kafka_bootstrap), "local")
    assert await partition_counts(admin, prefix) == before


async def test_a_topic_with_another_number_of_partitions_is_an_error(
    kafka_bootstrap: str, prefix: str, admin: AIOKafkaAdminClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    await create_topics(KafkaAccess(kafka_bootstrap), "local")
    before = topics.load_topics("local")
    grown = {name: replace(topic, partitions=9) for name, topic in before.items() if name.endswith("export-events")}
    monkeypatch.setattr(topics, "load_topics", lambda _: grown)
    with pytest.raises(TopicDiffers, match=f"topic {prefix}export-events has 8 partitions"):
        await create_topics(KafkaAccess(kafka_bootstrap), "local")
    assert (await partition_counts(admin, prefix))["export-events"] == 8


async def test_a_record_lands_where_its_key_says_and_is_stamped_by_the_broker(
    kafka_bootstrap: str, prefix: str, admin: AIOKafkaAdminClient
) -> None:
    await create_topics(KafkaAccess(kafka_bootstrap), "local")
    topic, key = f"{prefix}meter-readings", b"541448800000000017"
    async with AIOKafkaProducer(bootstrap_servers=kafka_bootstrap) as producer:
        sent = await producer.send_and_wait(topic, b"value", key=key, timestamp_ms=1)
    assert sent.partition == partition_of(key, 8)
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka_bootstrap, auto_offset_reset="none")
    await consumer.start()
    place = TopicPartition(topic, sent.partition)
    consumer.assign([place])
    consumer.seek(place, sent.offset)
    record = await consumer.getone()
    await consumer.stop()
    assert record.timestamp > 1_700_000_000_000
