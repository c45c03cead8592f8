"""Where topics differ from topics.toml, it is said topic by topic, and nothing is changed."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from eventlog.kafka import KafkaAccess
from eventlog.topic_drift import Drift, find_drift
from eventlog.topics import Topic, load_topics

pytestmark = pytest.mark.integration


@pytest.fixture
async def admin(kafka_bootstrap: str) -> AsyncIterator[AIOKafkaAdminClient]:
    client = AIOKafkaAdminClient(bootstrap_servers=kafka_bootstrap)
    await client.start()
    yield client
    await client.close()


def wanted() -> Topic:
    """A topic of this test alone, to be kept for two weeks."""
    return replace(load_topics("local")["metering-events"], name=f"drift-{secrets.token_hex(4)}")


async def make(admin: AIOKafkaAdminClient, topic: Topic, **changes: str) -> None:
    config = {**topic.config, **{name.replace("_", "."): value for name, value in changes.items()}}
    await admin.create_topics([NewTopic(topic.name, topic.partitions, topic.replication, topic_configs=config)])


async def found(kafka_bootstrap: str, topic: Topic) -> list[Drift]:
    return await find_drift(KafkaAccess(kafka_bootstrap), {topic.name: topic})


async def test_a_topic_that_is_as_the_file_says_is_not_spoken_of(
    kafka_bootstrap: str, admin: AIOKafkaAdminClient
) -> None:
    topic = wanted()
    await make(admin, topic)
    assert await found(kafka_bootstrap, topic) == []


async def test_a_topic_that_is_missing_is_named_and_not_made(kafka_bootstrap: str, admin: AIOKafkaAdminClient) -> None:
    topic = wanted()
    assert [str(each) for each in await found(kafka_bootstrap, topic)] == [
        f"topic {topic.name}: it is missing, should be there: kwartier topics create"
    ]
    assert topic.name not in await admin.list_topics()


async def test_every_difference_says_what_is_what_should_be_and_what_to_do(
    kafka_bootstrap: str, admin: AIOKafkaAdminClient
) -> None:
    topic = wanted()
    await make(admin, replace(topic, partitions=3), retention_ms="3600000", cleanup_policy="compact")
    should = replace(topic, replication=3, min_insync_replicas=2)
    drifts = await found(kafka_bootstrap, should)
    assert [(each.setting, each.has, each.should) for each in drifts] == [
        ("partitions", "3", "8"),
        ("replication", "1", "3"),
        ("cleanup.policy", "compact", "delete"),
        ("min.insync.replicas", "1", "2"),
        ("retention.ms", "3600000", "1209600000"),
    ]
    assert drifts[-1].advice == (
        f"kafka-configs.sh --alter --entity-type topics --entity-name {topic.name} --add-config retention.ms=1209600000"
    )
    assert await found(kafka_bootstrap, should) == drifts


def topics(kafka_bootstrap: str, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("KAFKA_")}
    return subprocess.run(
        [sys.executable, "-m", "stack.cli", "topics", *arguments],
        env={**environment, "KAFKA_BOOTSTRAP": kafka_bootstrap, **more},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_command_makes_what_is_missing_and_says_what_differs(kafka_bootstrap: str) -> None:
    made = topics(kafka_bootstrap, "create")
    assert (made.returncode, made.stdout) == (
        0,
        f"{len(load_topics('local'))} topics, all as topics.toml (local) says\n",
    )
    checked = topics(kafka_bootstrap, "check", "--profile", "production", "--json")
    drifts = json.loads(checked.stdout)["drift"]
    assert checked.returncode == 1
    assert {each["setting"] for each in drifts} == {"partitions", "replication", "min.insync.replicas"}
    assert len(drifts) == 3 * len(load_topics("production"))
    refused = topics(kafka_bootstrap, "create", "--profile", "production")
    assert refused.returncode == 1
    assert "partitions and topics.toml (production) says 48" in refused.stderr


def test_the_command_says_which_setting_of_kafka_is_missing() -> None:
    done = topics("127.0.0.1:1", "check", KAFKA_SECURITY_PROTOCOL="SASL_SSL")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "kwartier: set in the environment: KAFKA_SECURITY_PROTOCOL=SASL_SSL needs KAFKA_SASL_MECHANISM and "
        "KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD\n"
    )
