"""One member of a projection's group: poll, claim, apply in a thread.

The broker says which partitions to try; the database says who may write and from where.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeVar

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import KafkaError, NoOffsetForPartitionError, OffsetOutOfRangeError

from eventlog import metrics
from eventlog.checkpoint import Claim, Fenced
from eventlog.database import is_outage
from eventlog.envelope import Record
from eventlog.projection import Applied, Projection, ProjectionStopped, Run

MEMBER_SETTINGS: Final[dict[str, Any]] = {
    "auto_offset_reset": "none",
    "enable_auto_commit": False,
    "session_timeout_ms": 6_000,
    "heartbeat_interval_ms": 1_500,
    "rebalance_timeout_ms": 10_000,
    "request_timeout_ms": 20_000,  # above the rebalance timeout, or a JoinGroup times out and a partition stands still
    "max_poll_interval_ms": 30_000,
    "metadata_max_age_ms": 10_000,
    "retry_backoff_ms": 500,
}
_POLL_MS: Final = 500
_CLAIMING_SECONDS: Final = 5.0
_RETRY_SECONDS: Final = 1.0
_HOLE_LIMIT: Final = 20

_log = logging.getLogger(__name__)
_T = TypeVar("_T")


@dataclass(slots=True)
class Progress:
    """What a member knows of its own reading, for probes: shared with them, written by the member alone.

    `end_offsets` has the end of the log of each partition it holds, as far as the broker told it.
    """

    is_joined: bool = False
    unclaimed_count: int = 0
    end_offsets: dict[int, int] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class _Held:
    """A partition we claimed: the claim as of the last commit, and the offset we expect from the broker next."""

    claim: Claim
    fetched_offset: int
    hole_count: int = 0


class _Rebalance(ConsumerRebalanceListener):  # type: ignore[misc]
    """Forgets every claim. No I/O here: aiokafka swallows what a callback raises, and goes on consuming."""

    def __init__(self, held: dict[TopicPartition, _Held]) -> None:
        self._held = held

    def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        self._held.clear()

    def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        self._held.clear()


async def consume(
    projection: Projection,
    *,
    service: str,
    bootstrap: str,
    replica: str,
    max_run_records: int = 2_000,
    concurrent_run_count: int = 1,
    progress: Progress | None = None,
) -> None:
    """Keep `projection` up to date until cancelled; wait out every outage of broker and database.

    `replica` tells members of the group apart and stays the same over a restart. The next runs are fetched while
    the present ones are applied; `concurrent_run_count` partitions are applied at a time.

    Raises:
        ProjectionStopped: a human has to look; records are missing from the log, or a bad one may not be passed over.
        Exception: a fault of the projection itself.
    """
    while True:
        member = _Member(
            projection, f"{service}/{replica}/{os.getpid()}", max_run_records, concurrent_run_count, progress
        )
        try:
            await member.run(_consumer(projection, service, bootstrap, replica))
        except KafkaError as error:
            _log.warning("%s begins again: %s", projection.name, type(error).__name__)
        await asyncio.sleep(_RETRY_SECONDS)


def _consumer(projection: Projection, service: str, bootstrap: str, replica: str) -> AIOKafkaConsumer:
    # The topic too: a static member that comes back is given its old partitions, whatever it subscribes to now.
    group = f"{service}.{projection.name}.{projection.topic}"
    return AIOKafkaConsumer(
        bootstrap_servers=bootstrap,
        client_id=f"{group}-{replica}",
        group_id=group,
        group_instance_id=f"{group}-{replica}",
        **MEMBER_SETTINGS,
    )


class _Member:
    def __init__(
        self, projection: Projection, owner: str, max_run_records: int, concurrency: int, progress: Progress | None
    ) -> None:
        self._projection = projection
        self._owner = owner
        self._max_run_records = max_run_records
        self._progress = progress or Progress()
        self._held: dict[TopicPartition, _Held] = {}
        self._not_before: dict[TopicPartition, float] = {}
        self._free = asyncio.Semaphore(concurrency)
        self._threads = ThreadPoolExecutor(concurrency + 1, thread_name_prefix=projection.name)
        self._labels = (projection.name, projection.topic)

    async def run(self, consumer: AIOKafkaConsumer) -> None:
        """Live as one member of the group until something ends it."""
        applying: asyncio.Task[None] | None = None
        self._consumer = consumer
        consumer.subscribe([self._projection.topic], listener=_Rebalance(self._held))
        try:
            await consumer.start()
            self._progress.is_joined = True
            while True:
                await self._claim_missing()
                runs = await self._fetch()
                self._note_lag()
                if applying is not None:
                    await applying
                applying = asyncio.create_task(self._apply_all(runs)) if runs else None
        finally:
            self._progress.is_joined = False
            self._held.clear()
            if applying is not None:
                applying.cancel()
            self._threads.shutdown(wait=False)
            await consumer.stop()

    async def _claim_missing(self) -> None:
        """Claim what is assigned and unclaimed. Gives up for now after 5 s, so that the group hears from us."""
        began = time.monotonic()
        for tp in sorted(self._consumer.assignment() - self._held.keys()):
            now = time.monotonic()
            if now < self._not_before.get(tp, 0.0) or now - began > _CLAIMING_SECONDS:
                continue
            try:
                claim = await self._in_thread(self._projection.claim, tp.partition, self._owner)
            except Exception as error:
                self._wait_out(tp, error)
                continue
            if tp in self._consumer.assignment():  # from here on no await: assigned, sought and held are one moment
                self._consumer.seek(tp, claim.next_offset)
                self._held[tp] = _Held(claim, claim.next_offset)

    async def _fetch(self) -> dict[TopicPartition, tuple[_Held, Sequence[Record]]]:
        """Return what came for the partitions we hold, each run contiguous with the one before it."""
        try:
            fetched = await self._consumer.getmany(timeout_ms=_POLL_MS, max_records=self._max_run_records)
        except NoOffsetForPartitionError:  # not claimed yet; the claim seeks
            return {}
        except OffsetOutOfRangeError as error:
            self._demand_known(error)
            return {}
        runs = {}
        for tp, records in fetched.items():
            held = self._held.get(tp)
            if held is not None and (run := self._contiguous(tp, held, records)):
                runs[tp] = (held, run)
        return runs

    def _contiguous(self, tp: TopicPartition, held: _Held, records: Sequence[Record]) -> Sequence[Record]:
        expected = held.fetched_offset
        length = next((i for i, each in enumerate(records) if each.offset != expected + i), len(records))
        held.fetched_offset += length
        held.hole_count = 0 if length else held.hole_count + 1
        if length < len(records):
            self._consumer.seek(tp, held.fetched_offset)
        if held.hole_count > _HOLE_LIMIT:
            raise self._stopped(tp.partition, held.fetched_offset, "the broker does not deliver this offset")
        return records[:length]

    def _demand_known(self, error: OffsetOutOfRangeError) -> None:
        for tp, offset in error.args[0].items():
            held = self._held.get(tp)
            if held is not None and held.fetched_offset == offset:
                raise self._stopped(tp.partition, offset, "the log does not hold this offset (any more)")

    def _stopped(self, partition: int, offset: int, reason: str) -> ProjectionStopped:
        name, topic = self._labels
        return ProjectionStopped(
            f"{name} stops at {topic}/{partition}, offset {offset}: {reason}; "
            "restore the topic, or rebuild the projection"
        )

    async def _apply_all(self, runs: dict[TopicPartition, tuple[_Held, Sequence[Record]]]) -> None:
        await asyncio.gather(*(self._apply(tp, held, records) for tp, (held, records) in runs.items()))

    async def _apply(self, tp: TopicPartition, held: _Held, records: Sequence[Record]) -> None:
        async with self._free:
            if self._held.get(tp) is not held:
                return
            first = held.claim.next_offset
            run = Run(
                topic=tp.topic,
                partition=tp.partition,
                first_offset=first,
                next_offset=first + len(records),
                records=records,
            )
            try:
                with metrics.RUN_SECONDS.labels(*self._labels).time():
                    applied = await self._in_thread(self._projection.apply, held.claim, run)
            except Exception as error:  # an unknown outcome included: the database is asked again
                if self._held.get(tp) is held:
                    del self._held[tp]
                self._wait_out(tp, error)
                return
            held.claim = replace(held.claim, next_offset=run.next_offset)
            self._note_applied(applied, records[-1].timestamp)

    def _wait_out(self, tp: TopicPartition, error: Exception) -> None:
        """Let `tp` rest for a while after `error`, or raise it where it is a fault and not an outage."""
        if isinstance(error, Fenced):
            metrics.RUNS.labels(*self._labels, "fenced").inc()
            _log.info("fenced: %s", error)
            self._not_before[tp] = time.monotonic() + random.uniform(1.0, 2.0)  # noqa: S311 - spreads members
            return
        if not is_outage(error):
            raise error
        metrics.RUNS.labels(*self._labels, "failed").inc()
        _log.warning("%s tries %s/%d again: %s", self._labels[0], *tp, type(error).__name__)
        self._not_before[tp] = time.monotonic() + _RETRY_SECONDS

    def _note_applied(self, applied: Applied, newest_ms: int) -> None:
        metrics.RUNS.labels(*self._labels, "committed").inc()
        metrics.RECORDS.labels(*self._labels, "applied").inc(applied.applied_count)
        metrics.RECORDS.labels(*self._labels, "redelivered").inc(applied.redelivered_count)
        metrics.RECORDS.labels(*self._labels, "parked").inc(applied.parked_count)
        metrics.NEWEST_APPLIED.labels(*self._labels).set(newest_ms / 1000)

    def _note_lag(self) -> None:
        ends = {tp.partition: self._consumer.highwater(tp) for tp in self._held}
        known = {partition: end for partition, end in ends.items() if end is not None}
        for partition in self._progress.end_offsets.keys() - known.keys():
            metrics.LAG.remove(*self._labels, str(partition))
        for tp, held in self._held.items():
            if tp.partition in known:
                lag = known[tp.partition] - held.claim.next_offset
                metrics.LAG.labels(*self._labels, str(tp.partition)).set(max(lag, 0))
        self._progress.end_offsets = known
        self._progress.unclaimed_count = len(self._consumer.assignment() - self._held.keys())
        metrics.UNCLAIMED.labels(*self._labels).set(self._progress.unclaimed_count)

    async def _in_thread(self, function: Callable[..., _T], *arguments: object) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, function, *arguments)
