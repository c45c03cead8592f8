"""The topics, and which partition a key belongs to.

`schemas/avro/topics.toml` says what there is; `create_topics` makes it so and never changes what exists.
"""

from __future__ import annotations

import asyncio
import time
import tomllib
from dataclasses import dataclass
from typing import Any, Final

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaTimeoutError, TopicAlreadyExistsError, for_code

from eventlog.kafka import KafkaAccess
from eventlog.registry import SCHEMA_DIR

_HOUR_MS: Final = 3_600_000
_VISIBLE_WITHIN_SECONDS: Final = 30.0
_POLL_SECONDS: Final = 0.1
_WORD: Final = 0xFFFFFFFF


class TopicDiffers(RuntimeError):
    """A topic exists with another shape than topics.toml says; a human has to choose."""


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic as a profile has it. `retention_hours` is None for ever. `events` are the event types on it.

    Of the services, those that `owner` names write it and `readers` read it, and no others.
    """

    name: str
    owner: str
    readers: tuple[str, ...]
    key: str
    partitions: int
    replication: int
    min_insync_replicas: int
    retention_hours: int | None
    events: tuple[str, ...]

    @property
    def writers(self) -> tuple[str, ...]:
        """The services that write it."""
        return tuple(self.owner.split(", "))

    @property
    def config(self) -> dict[str, str]:
        """The topic's settings, as Kafka names them."""
        retention_ms = -1 if self.retention_hours is None else self.retention_hours * _HOUR_MS
        # Only whole segments are deleted, so what is kept by time is cut into four.
        segments = {} if self.retention_hours is None else {"segment.ms": str(retention_ms // 4)}
        return {
            "cleanup.policy": "delete",
            "message.timestamp.type": "LogAppendTime",
            "min.insync.replicas": str(self.min_insync_replicas),
            "retention.bytes": "-1",
            "retention.ms": str(retention_ms),
            **segments,
        }


def load_topics(profile: str) -> dict[str, Topic]:
    """Return the topics by name, as `profile` ("local" or "production") has them.

    Raises:
        KeyError: there is no such profile.
    """
    document = tomllib.loads((SCHEMA_DIR / "topics.toml").read_text(encoding="utf-8"))
    shape = document["profile"][profile]
    return {name: _topic(name, entry, shape) for name, entry in document["topic"].items()}


def _topic(name: str, entry: dict[str, Any], shape: dict[str, int]) -> Topic:
    if entry["retention"] not in {"forever", "time"}:
        raise ValueError(f"topics.toml: retention of {name} is forever or time")
    return Topic(
        name=name,
        owner=entry["owner"],
        readers=tuple(entry["readers"]),
        key=entry["key"],
        partitions=shape["partitions"],
        replication=shape["replication"],
        min_insync_replicas=shape["min_insync_replicas"],
        retention_hours=entry["retention_hours"] if entry["retention"] == "time" else None,
        events=tuple(entry["events"]),
    )


async def create_topics(kafka: KafkaAccess, profile: str) -> None:
    """Create the topics of `profile` that the broker does not have; return when it shows them. Nothing else changes.

    Raises:
        TopicDiffers: a topic exists with another number of partitions.
        KafkaError: the broker refused, or cannot be reached.
    """
    topics = load_topics(profile)
    admin = AIOKafkaAdminClient(**kafka.client_arguments(), client_id="kwartier-topics")
    await admin.start()
    try:
        existing = await _partition_counts(admin)
        missing = [topic for topic in topics.values() if topic.name not in existing]
        if missing:
            await _create(admin, missing)
            existing = await _when_visible(admin, set(topics))
    finally:
        await admin.close()
    for topic in topics.values():
        count = existing[topic.name]
        if count != topic.partitions:
            raise TopicDiffers(
                f"topic {topic.name} has {count} partitions and topics.toml ({profile}) says {topic.partitions}: "
                "start with the profile the topic was made with; the count of a live topic never changes"
            )


async def _partition_counts(admin: AIOKafkaAdminClient) -> dict[str, int]:
    return {entry["topic"]: len(entry["partitions"]) for entry in await admin.describe_topics()}


async def _when_visible(admin: AIOKafkaAdminClient, names: set[str]) -> dict[str, int]:
    """Return the partition counts once the brokers show all of `names`: a consumer of an unseen topic gets nothing."""
    deadline = time.monotonic() + _VISIBLE_WITHIN_SECONDS
    while True:
        counts = await _partition_counts(admin)
        if names <= counts.keys():
            return counts
        if time.monotonic() > deadline:
            raise KafkaTimeoutError(f"created, but not shown by the broker: {', '.join(sorted(names - counts.keys()))}")
        await asyncio.sleep(_POLL_SECONDS)


async def _create(admin: AIOKafkaAdminClient, topics: list[Topic]) -> None:
    new = [NewTopic(each.name, each.partitions, each.replication, topic_configs=each.config) for each in topics]
    response = await admin.create_topics(new)
    for name, code, *message in response.topic_errors:
        error = for_code(code)
        if code and error is not TopicAlreadyExistsError:
            raise error(f"topic {name}: {message[0] if message else 'refused'}")


def partition_of(key: bytes, count: int) -> int:
    """Return the partition of `key` among `count`, as the Java client and aiokafka choose it (murmur2)."""
    return (_murmur2(key) & 0x7FFFFFFF) % count


def _murmur2(data: bytes) -> int:
    """Return the 32-bit hash of `data`, unsigned.

    Source: org.apache.kafka.common.utils.Utils.murmur2 (MurmurHash2 by Austin Appleby, seed 0x9747b28c).
    """
    length, factor = len(data), 0x5BD1E995
    whole = length & ~3
    state = 0x9747B28C ^ length
    for place in range(0, whole, 4):
        word = int.from_bytes(data[place : place + 4], "little") * factor & _WORD
        word = (word ^ word >> 24) * factor & _WORD
        state = state * factor & _WORD ^ word
    if whole < length:
        state = (state ^ int.from_bytes(data[whole:], "little")) * factor & _WORD
    state = (state ^ state >> 13) * factor & _WORD
    return state ^ state >> 15
