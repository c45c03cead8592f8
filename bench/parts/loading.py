"""A store filled without Kafka: readings straight through the projector, as if they came from the topic."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from parts.dataset import ESTIMATES, PARTITIONS, World
from sqlalchemy import text

from eventlog.database import create_engine
from eventlog.projection import Run
from eventlog.topics import partition_of
from services.metering.migration import create_store
from services.metering.projector import MAX_RUN_RECORDS, BlockProjection, collect_garbage_rarely
from services.metering.store import TOPIC

_AT_ONCE = 8 * MAX_RUN_RECORDS


@dataclass(frozen=True, slots=True)
class MadeRecord:
    """A record as Kafka would deliver it; `timestamp` is the append time in ms since 1970 (UTC)."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes
    value: bytes
    headers: Sequence[tuple[str, bytes]] = ()


def fill_store(database_url: str, world: World) -> float:
    """Store the estimates of `world` and gather statistics, as a store has them; return the seconds it took."""
    began = time.perf_counter()
    collect_garbage_rarely()
    engine = create_engine(database_url, application_name="bench")
    create_store(engine)
    projection = BlockProjection(engine=engine, database_url=database_url, partition_count=PARTITIONS, publishes=False)
    sent, offsets = world.messages(ESTIMATES), [0] * PARTITIONS
    partitions: dict[bytes, int] = {}
    at = int(ESTIMATES.source_at.timestamp()) * 1000
    while batch := list(islice(sent, _AT_ONCE)):
        runs: defaultdict[int, list[MadeRecord]] = defaultdict(list)
        for key, value in batch:
            partition = partitions.setdefault(key, -1)
            if partition < 0:
                partition = partitions[key] = partition_of(key, PARTITIONS)
            runs[partition].append(MadeRecord(TOPIC, partition, offsets[partition], at, key, value))
            offsets[partition] += 1
        for partition, records in runs.items():
            _apply(projection, partition, records)
    projection.close()
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("set statement_timeout = 0"))
        connection.execute(text("set transaction_timeout = 0"))
        connection.execute(text("vacuum analyze block"))
    engine.dispose()
    return time.perf_counter() - began


def _apply(projection: BlockProjection, partition: int, records: Sequence[MadeRecord]) -> None:
    first, after = records[0].offset, records[-1].offset + 1
    run = Run(topic=TOPIC, partition=partition, first_offset=first, next_offset=after, records=records)
    parked = projection.apply(projection.claim(partition, "bench"), run).parked
    if parked:
        raise RuntimeError(f"the data set is not what the store takes: {dict(parked)}")
