"""Where the brokers' topics differ from topics.toml: reported, and left for a human to settle. Nothing is changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from eventlog.kafka import KafkaAccess
from eventlog.topics import Topic

_ALTER: Final = "kafka-configs.sh --alter --entity-type topics --entity-name {topic} --add-config {setting}={should}"


@dataclass(frozen=True, slots=True)
class Drift:
    """One setting of one topic as it `has` it and as it `should` be, and what somebody may do about it."""

    topic: str
    setting: str
    has: str
    should: str
    advice: str

    def __str__(self) -> str:
        return f"topic {self.topic}: {self.setting} is {self.has}, should be {self.should}: {self.advice}"


async def find_drift(kafka: KafkaAccess, topics: Mapping[str, Topic]) -> list[Drift]:
    """Return every difference, by topic; topics that are not among `topics` are not ours.

    Raises:
        KafkaError: the brokers cannot be reached.
    """
    admin = AIOKafkaAdminClient(**kafka.client_arguments(), client_id="kwartier-topics")
    try:
        await admin.start()
        shapes = {each["topic"]: each["partitions"] for each in await admin.describe_topics()}
        there = [name for name in topics if name in shapes]
        asked = [ConfigResource(ConfigResourceType.TOPIC, name) for name in there]
        answers = await admin.describe_configs(asked) if asked else []
    finally:
        await admin.close()
    settings = {each[3]: _settings(each) for answer in answers for each in answer.resources}
    return [drift for name, topic in sorted(topics.items()) for drift in _drift(topic, shapes.get(name), settings)]


def _settings(resource: Any) -> dict[str, str] | None:
    """Return a topic's settings by name, None where they are not shown to us."""
    return None if resource[0] else {entry[0]: entry[1] for entry in resource[4]}


def _drift(
    topic: Topic, partitions: list[dict[str, Any]] | None, settings: Mapping[str, dict[str, str] | None]
) -> Iterator[Drift]:
    if partitions is None:
        yield Drift(topic.name, "it", "missing", "there", "kwartier topics create")
        return
    yield from _shape_drift(topic, partitions)
    found = settings.get(topic.name)
    if found is None:
        advice = "give this user DescribeConfigs (kwartier topics acls)"
        yield Drift(topic.name, "its configuration", "hidden from us", "shown", advice)
        return
    for setting, should in topic.config.items():
        has = found.get(setting, "unknown")
        if has != should:
            advice = _ALTER.format(topic=topic.name, setting=setting, should=should)
            yield Drift(topic.name, setting, has, should, advice)


def _shape_drift(topic: Topic, partitions: list[dict[str, Any]]) -> Iterator[Drift]:
    if len(partitions) != topic.partitions:
        advice = "take the profile it was made with; the count of a live topic never changes"
        yield Drift(topic.name, "partitions", str(len(partitions)), str(topic.partitions), advice)
    counts = sorted({len(each["replicas"]) for each in partitions})
    if counts != [topic.replication]:
        has, advice = " and ".join(map(str, counts)), "kafka-reassign-partitions.sh gives it more replicas, or fewer"
        yield Drift(topic.name, "replication", has, str(topic.replication), advice)
