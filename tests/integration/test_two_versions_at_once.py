"""RunApplied in two versions on one topic: old and new producers write, old and new consumers read, all at once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from io import BytesIO
from typing import Any

import avro.io
import avro.schema
import fastavro
import pytest
from aiokafka import AIOKafkaProducer, ConsumerRecord

from eventlog import registry
from eventlog.codec import decode, encode
from eventlog.events import RunApplied
from eventlog.framing import HEADER_LENGTH, SINGLE_OBJECT
from tests.contract.golden import GOLDEN
from tests.topics import make_topic, read_all

OLD = registry.published().by_version["RunApplied", 1]
NEW = registry.published().by_version["RunApplied", 2]
EVENT = GOLDEN["RunApplied", 2]
COUNT = 60


def run(number: int) -> RunApplied:
    """Run `number` as a new producer tells it."""
    assert isinstance(EVENT, RunApplied)
    return replace(EVENT, first_offset=number, next_offset=number + 1)


def by_old_producer(number: int) -> bytes:
    """Run `number` as a producer writes it that knows version 1 alone: its schema, its fields, another library."""
    schema = avro.schema.parse(OLD.text)
    event = run(number)
    datum = {field.name: getattr(event, field.name) for field in schema.fields}
    out = BytesIO()
    avro.io.DatumWriter(schema).write(datum, avro.io.BinaryEncoder(out))
    return SINGLE_OBJECT + OLD.fingerprint + out.getvalue()


def as_old_consumer(value: bytes) -> dict[str, Any]:
    """What a consumer sees that decodes into version 1; it has the writer's schema from its registry or our files."""
    writer = {OLD.fingerprint: OLD, NEW.fingerprint: NEW}[value[2:HEADER_LENGTH]]
    datum: Any = fastavro.schemaless_reader(BytesIO(value[HEADER_LENGTH:]), writer.parsed, OLD.parsed)
    return dict(datum)


def test_the_reference_library_reads_what_we_write_now_with_the_old_schema() -> None:
    reader = avro.io.DatumReader(avro.schema.parse(NEW.text), avro.schema.parse(OLD.text))
    value = encode(run(7))
    datum: Any = reader.read(avro.io.BinaryDecoder(BytesIO(value[HEADER_LENGTH:])))
    assert list(datum) == [each["name"] for each in json.loads(OLD.text)["fields"]]
    assert (datum["first_offset"], datum["new_count"], datum["revised_count"]) == (7, 3, 1)


def test_what_an_old_producer_writes_is_the_newest_event_without_the_counts_it_did_not_know() -> None:
    assert decode(by_old_producer(7)) == replace(run(7), arrivals=())


@pytest.mark.integration
async def test_two_producers_and_two_consumers_of_different_versions_share_a_topic(kafka_bootstrap: str) -> None:
    topic = await make_topic(kafka_bootstrap, 1)
    await asyncio.gather(
        send(kafka_bootstrap, topic, [by_old_producer(number) for number in range(0, COUNT, 2)]),
        send(kafka_bootstrap, topic, [encode(run(number)) for number in range(1, COUNT, 2)]),
    )
    for_new, for_old = await asyncio.gather(read_all(kafka_bootstrap, topic), read_all(kafka_bootstrap, topic))
    heads = [record.value[2:HEADER_LENGTH] for record in for_new]
    assert heads not in (sorted(heads), sorted(heads, reverse=True))  # they wrote in turns

    events = sorted((decode(record.value) for record in for_new), key=lambda event: event.first_offset)  # type: ignore[attr-defined]
    expected = [run(number) if number % 2 else replace(run(number), arrivals=()) for number in range(COUNT)]
    assert events == expected
    assert seen_by_old(for_old) == [
        {name: getattr(event, name) for name in (each["name"] for each in json.loads(OLD.text)["fields"])}
        for event in expected
    ]


async def send(bootstrap: str, topic: str, values: Sequence[bytes]) -> None:
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, enable_idempotence=True) as producer:
        for value in values:
            await producer.send_and_wait(topic, value)


def seen_by_old(records: Sequence[ConsumerRecord]) -> list[dict[str, Any]]:
    return sorted((as_old_consumer(record.value) for record in records), key=lambda datum: datum["first_offset"])
