"""A relay in a process of its own that gets into trouble at one point, and what an event table and a topic hold.

python -m tests.faults.relay DATABASE_URL BOOTSTRAP TOPIC TROUBLE
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, date, datetime
from itertools import groupby
from typing import Any
from uuid import UUID

from aiokafka import ConsumerRecord
from sqlalchemy import Column, Connection, Engine, Integer, MetaData, String, Table, func, insert, select

from eventlog import event_store
from eventlog import relay as module
from eventlog.database import create_engine
from eventlog.envelope import Envelope, from_record
from eventlog.event_store import StreamChanged, event
from eventlog.events import AccessPointRegistered
from eventlog.kafka import KafkaAccess
from eventlog.projection import EventProjection, Run
from market.ean import Ean
from tests.topics import read_all

PARTITIONS = 8
EANS = ("541448800000000017", "541448800000000024", "541448800000000031", "541448800000000048")
STREAMS = tuple(f"point:{ean}" for ean in EANS)
REQUEST = UUID("00000000-0000-4000-8000-000000000001")
NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)

own = MetaData()
seen = Table("seen", own, Column("stream_id", String), Column("stream_version", Integer))


def registered(stream_id: str, day: int = 1) -> AccessPointRegistered:
    ean = Ean(stream_id.removeprefix("point:") if stream_id in STREAMS else EANS[0])
    return AccessPointRegistered(ean=ean, energy="E", meter_kind="DIGITAL", registered_on=date(2026, 1, day))


def write(tx: Connection, stream_id: str, *, version: int, count: int = 1) -> None:
    """Append `count` events to a stream that has `version`."""
    events = [registered(stream_id, 1 + number % 28) for number in range(count)]
    event_store.append(tx, stream_id, events, expected_version=version, correlation_id=REQUEST, recorded_at=NOW)


def append(engine: Engine, stream_id: str, count: int = 1) -> None:
    """Append as a command does: load, decide, append, and again when another came in between."""
    while True:
        with suppress(StreamChanged), engine.begin() as tx:
            _, version = event_store.load(tx, stream_id)
            write(tx, stream_id, version=version, count=count)
            return


def write_at_once(engine: Engine, appends: int) -> None:
    """Four writers, each appending one to three events at a time to streams it picks: all theirs, and one its own."""

    def work(seed: int) -> None:
        choice = random.Random(seed)
        for _ in range(appends):
            append(engine, choice.choice((*STREAMS, f"connection:{seed}")), choice.randint(1, 3))

    with ThreadPoolExecutor(4) as pool:
        for each in [pool.submit(work, seed) for seed in range(4)]:
            each.result()


def written(engine: Engine) -> dict[str, list[int]]:
    """The versions of each stream in the event table."""
    with engine.begin() as tx:
        rows = tx.execute(select(event.c.stream_id, func.count()).group_by(event.c.stream_id))
        return {stream_id: list(range(1, count + 1)) for stream_id, count in rows}


def versions(records: Sequence[ConsumerRecord]) -> dict[str, list[int]]:
    """The versions of each stream in the order of the topic."""
    found: dict[str, list[int]] = {}
    for record in records:
        envelope = from_record(record)
        found.setdefault(envelope.stream_id, []).append(envelope.stream_version)
    return found


def first_sights(found: dict[str, list[int]]) -> dict[str, list[int]]:
    """What a reader applies: each version that is higher than all before it in its stream."""
    return {
        stream_id: [number for place, number in enumerate(numbers) if number > max(numbers[:place], default=0)]
        for stream_id, numbers in found.items()
    }


async def applied(engine: Engine, bootstrap: str, topic: str) -> dict[str, list[int]]:
    """Apply what is on `topic` as a projection does, and return the versions that took effect, in their order."""
    projection = EventProjection(
        name="seen", topic=topic, engine=engine, project=_note, partition_count=PARTITIONS, halts=True
    )
    for partition, found in groupby(await read_all(bootstrap, topic), key=lambda record: record.partition):
        records = list(found)
        claim = projection.claim(partition, "test")
        run = Run(topic=topic, partition=partition, first_offset=0, next_offset=len(records), records=records)
        projection.apply(claim, run)
    effects: dict[str, list[int]] = {}
    with engine.begin() as tx:
        for stream_id, version in tx.execute(select(seen)):
            effects.setdefault(stream_id, []).append(version)
    return effects


def _note(tx: Connection, envelope: Envelope) -> None:
    tx.execute(insert(seen).values(stream_id=envelope.stream_id, stream_version=envelope.stream_version))


class TroubledRelay(module._Relay):
    """Says where it is at the point of its trouble, and stops there for ever or until it is told to go on."""

    trouble = ""

    async def _send(self, producer: Any, rows: Any) -> None:
        self._at("send")
        await super()._send(producer, rows)

    def _mark(self, connection: Connection, positions: list[int]) -> None:
        self._at("mark")
        super()._mark(connection, positions)

    def _at(self, point: str) -> None:
        if self.trouble == f"dies-before-{point}":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.trouble == f"waits-before-{point}":
            sys.stdout.write("here\n")
            sys.stdout.flush()
            sys.stdin.readline()


def main(database_url: str, bootstrap: str, topic: str, trouble: str) -> None:
    TroubledRelay.trouble = trouble
    module._Relay = TroubledRelay  # type: ignore[misc]
    engine = create_engine(database_url, application_name="relay-under-test")
    asyncio.run(module.relay(engine, topic=topic, source="register", kafka=KafkaAccess(bootstrap), batch_size=5))


if __name__ == "__main__":
    main(*sys.argv[1:])
