"""A topic written into a store one batch after the other: fetched, decoded, written, nothing of it overlapped.

What each peer is run with, in a process of its own, and ours as well for the ratio on equal footing. Before the clock
one batch is written and forgotten again, so that clients, statements and servers are warm. A peer says how it did in
one line of JSON on standard output.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from typing import Any, Final, Protocol

from aiokafka import AIOKafkaConsumer, TopicPartition
from parts.cpu import cpu_seconds
from parts.dataset import PARTITIONS

from eventlog.envelope import Record

_FETCH_BYTES: Final = 3 * 2**20
_PATIENCE_MS: Final = 1_000
_TRIES: Final = 60


@dataclass(frozen=True, slots=True)
class Task:
    """What to write where. `folder` is empty and the peer's own; `postgres_pid` is for counting processor time."""

    bootstrap: str
    topic: str
    block_count: int
    database_url: str
    postgres_pid: int
    folder: str


@dataclass(frozen=True, slots=True)
class Done:
    """How it went, from the first record in hand until all of them could be queried; processor time of PostgreSQL and
    of the peer with its children; `stored_bytes` are those of table and index."""

    clock_seconds: float
    own_cpu_seconds: float
    postgres_cpu_seconds: float
    stored_bytes: int


class Sink(Protocol):
    """A store with one table. `batch` says how many records it likes at once; a newer message replaces an older."""

    @property
    def batch(self) -> int: ...

    def write(self, records: Sequence[Record]) -> None:
        """Add the readings in `records`; acknowledged as durably as the store does by default."""

    def finish(self) -> None:
        """Return when all that was written can be queried."""

    def clear(self) -> None:
        """Forget everything."""

    def block_count(self) -> int:
        """Return how many blocks are there (a row per value: 96 of them are one)."""

    def stored_bytes(self) -> int:
        """Return the bytes of table and index on disk."""


def run(open_sink: Callable[[Task], AbstractContextManager[Sink]]) -> None:
    """Do the task in the first argument of this process and print what came of it."""
    task = Task(**json.loads(sys.argv[1]))
    with open_sink(task) as sink:
        print(json.dumps(asdict(asyncio.run(_measure(task, sink)))), flush=True)


async def _measure(task: Task, sink: Sink) -> Done:
    consumer = AIOKafkaConsumer(
        bootstrap_servers=task.bootstrap,
        enable_auto_commit=False,
        auto_offset_reset="none",
        max_partition_fetch_bytes=_FETCH_BYTES,
    )
    partitions = [TopicPartition(task.topic, number) for number in range(PARTITIONS)]
    async with consumer:
        consumer.assign(partitions)
        _rewind(consumer, partitions)
        sink.write(await _fetch(consumer, sink.batch))
        sink.finish()
        sink.clear()
        _rewind(consumer, partitions)
        return await _write_all(consumer, task, sink)


async def _write_all(consumer: Any, task: Task, sink: Sink) -> Done:
    records = await _fetch(consumer, sink.batch)
    began = (time.perf_counter(), cpu_seconds(os.getpid()), cpu_seconds(task.postgres_pid))
    done = 0
    while True:
        sink.write(records)
        done += len(records)
        if done >= task.block_count:
            break
        records = await _fetch(consumer, sink.batch)
    sink.finish()
    ended = (time.perf_counter(), cpu_seconds(os.getpid()), cpu_seconds(task.postgres_pid))
    if sink.block_count() != task.block_count:
        raise RuntimeError(f"{sink.block_count()} blocks are there, not {task.block_count}")
    return Done(*(end - begin for end, begin in zip(ended, began, strict=True)), sink.stored_bytes())


def _rewind(consumer: Any, partitions: Sequence[TopicPartition]) -> None:
    for each in partitions:
        consumer.seek(each, 0)


async def _fetch(consumer: Any, count: int) -> list[Record]:
    """Return what is there next, `count` records at most."""
    for _ in range(_TRIES):
        found = await consumer.getmany(timeout_ms=_PATIENCE_MS, max_records=count)
        records = [record for some in found.values() for record in some]
        if records:
            return records
    raise TimeoutError("the topic has fewer records than were asked for")
