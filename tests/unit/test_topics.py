"""The partition of a key is the one that the Java client chooses, and topics.toml says what the design says."""

from __future__ import annotations

import pytest
from aiokafka.partitioner import DefaultPartitioner
from hypothesis import given
from hypothesis import strategies as st

from eventlog.topics import _murmur2, load_topics, partition_of

NAMES = {
    "export-events",
    "mandate-events",
    "meter-indexes",
    "meter-readings",
    "metering-events",
    "permission-marks",
    "register-events",
}


@pytest.mark.parametrize(
    ("key", "signed_hash"),
    [
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_the_hash_is_that_of_the_java_client(key: bytes, signed_hash: int) -> None:
    """Source: the vectors of UtilsTest.testMurmur2 in Apache Kafka."""
    assert _murmur2(key) == signed_hash % 2**32


def test_a_negative_hash_loses_its_sign_bit_before_the_division() -> None:
    """ "foobar": -790332482 is d0e477be hex... without its sign bit 1357151166, which leaves 6 of 8."""
    assert partition_of(b"foobar", 8) == 1357151166 % 8 == 6


@given(st.binary(max_size=60), st.sampled_from([1, 8, 48]))
def test_a_key_goes_where_aiokafka_sends_it(key: bytes, count: int) -> None:
    partitions = list(range(count))
    assert partition_of(key, count) == DefaultPartitioner()(key, partitions, partitions)


@pytest.mark.parametrize(("profile", "count", "replication"), [("local", 8, 1), ("production", 48, 3)])
def test_every_topic_has_the_same_number_of_partitions(profile: str, count: int, replication: int) -> None:
    topics = load_topics(profile)
    assert set(topics) == NAMES
    assert {(topic.partitions, topic.replication) for topic in topics.values()} == {(count, replication)}


def test_readings_are_kept_for_ever_and_stamped_by_the_broker() -> None:
    assert load_topics("production")["meter-readings"].config == {
        "cleanup.policy": "delete",
        "message.timestamp.type": "LogAppendTime",
        "min.insync.replicas": "2",
        "retention.bytes": "-1",
        "retention.ms": "-1",
    }


def test_only_what_metering_did_and_marks_are_kept_by_time_fourteen_days_and_an_hour() -> None:
    kept = {name: topic.config["retention.ms"] for name, topic in load_topics("local").items()}
    assert {name: ms for name, ms in kept.items() if ms != "-1"} == {
        "metering-events": "1209600000",
        "permission-marks": "3600000",
    }


def test_what_is_kept_by_time_lies_in_segments_that_can_be_deleted_in_time() -> None:
    assert load_topics("local")["permission-marks"].config["segment.ms"] == "900000"


def test_an_unknown_profile_is_an_error() -> None:
    with pytest.raises(KeyError, match="staging"):
        load_topics("staging")
