"""One member of a projection's group: claim, fetch, apply in threads.

The broker says which partitions to try; the database says who may write and from where.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Final, TypeVar

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import NoOffsetForPartitionError, OffsetOutOfRangeError

from eventlog import metrics
from eventlog.checkpoint import Claim, Fenced
from eventlog.database import is_outage
from eventlog.envelope import Record
from eventlog.progress import Progress, count_applied
from eventlog.projection import Projection, ProjectionStopped, Run

_POLL_SECONDS: Final = 0.5
_CLAIMING_SECONDS: Final = 5.0
_RETRY_SECONDS: Final = 1.0
_RUNS_AHEAD: Final = 2  # of one partition: one being applied, one waiting behind it
_HOLE_LIMIT: Final = 20

_log = logging.getLogger(__name__)
_T = TypeVar("_T")


@dataclass(slots=True, eq=False)
class _Held:
    """A partition we claimed: the claim as of the last commit, and the offset we expect from the broker next."""

    claim: Claim
    fetched_offset: int
    run_count: int = 0
    hole_count: int = 0
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


class _Rebalance(ConsumerRebalanceListener):  # type: ignore[misc]
    """Forgets every claim. No I/O here: aiokafka swallows what a callback raises, and goes on consuming."""

    def __init__(self, held: dict[TopicPartition, _Held], progress: Progress) -> None:
        self._held = held
        self._progress = progress

    def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        self._held.clear()
        self._progress.is_joined = False

    def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        self._held.clear()
        self._progress.unclaimed_count = len(assigned)
        self._progress.is_joined = True


class Member:
    """Lives once: until it is cancelled, the broker fails, or the projection has to stop."""

    def __init__(
        self,
        projection: Projection,
        *,
        owner: str,
        max_run_records: int,
        concurrent_run_count: int,
        progress: Progress,
    ) -> None:
        self._projection = projection
        self._owner = owner
        self._max_run_records = max_run_records
        self._progress = progress
        self._held: dict[TopicPartition, _Held] = {}
        self._not_before: dict[TopicPartition, float] = {}
        self._applying: set[asyncio.Task[None]] = set()
        self._free = asyncio.Semaphore(concurrent_run_count)
        self._threads = ThreadPoolExecutor(concurrent_run_count + 1, thread_name_prefix=projection.name)
        self._labels = (projection.name, projection.topic)

    async def live(self, consumer: AIOKafkaConsumer) -> None:
        """Join the group with `consumer`, and keep its partitions up to date.

        Raises:
            KafkaError: the broker, or our place in the group; begin again with another member.
            ProjectionStopped: a human has to look.
        """
        self._consumer = consumer
        consumer.subscribe([self._projection.topic], listener=_Rebalance(self._held, self._progress))
        try:
            await consumer.start()
            while True:
                await self._claim_missing()
                for tp, (held, records) in (await self._fetch()).items():
                    held.run_count += 1
                    self._applying.add(asyncio.create_task(self._apply(tp, held, records)))
                self._note_progress()
                self._end_applied()
        finally:
            self._progress.is_joined = False
            self._held.clear()
            for task in self._applying:
                task.cancel()
            await asyncio.gather(*self._applying, return_exceptions=True)
            self._threads.shutdown(wait=False)
            await consumer.stop()

    async def _claim_missing(self) -> None:
        """Claim what is assigned and unclaimed. Gives up for now after 5 s, so that the group hears from us."""
        if not self._progress.is_joined:  # in a rebalance the consumer still names the old assignment
            return
        began = time.monotonic()
        for tp in sorted(self._unclaimed()):
            now = time.monotonic()
            if now < self._not_before.get(tp, 0.0) or now - began > _CLAIMING_SECONDS:
                continue
            try:
                claim = await self._in_thread(self._projection.claim, tp.partition, self._owner)
            except Exception as error:
                self._wait_out(tp, error)
                continue
            if (
                self._progress.is_joined and tp in self._unclaimed()
            ):  # from here on no await: assigned, sought and held are one moment
                self._consumer.seek(tp, claim.next_offset)
                self._held[tp] = _Held(claim, claim.next_offset)
                await self._demand_position(tp)

    def _unclaimed(self) -> set[TopicPartition]:
        assigned: set[TopicPartition] = set(self._consumer.assignment())
        return assigned - self._held.keys()

    async def _demand_position(self, tp: TopicPartition) -> None:
        position, held = await self._consumer.position(tp), self._held.get(tp)
        if held is not None and position != held.fetched_offset:
            raise self._stopped(tp, held.fetched_offset, f"the consumer went to {position} instead")

    async def _fetch(self) -> dict[TopicPartition, tuple[_Held, Sequence[Record]]]:
        """Return what came for partitions we hold and have time for, each run contiguous with the one before it."""
        wanted = [tp for tp, held in self._held.items() if held.run_count < _RUNS_AHEAD]
        if self._held and not wanted:
            await asyncio.wait(self._applying, timeout=_POLL_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            return {}
        try:
            fetched = await self._consumer.getmany(
                *wanted, timeout_ms=int(_POLL_SECONDS * 1000), max_records=self._max_run_records
            )
        except NoOffsetForPartitionError:  # from before the claim, which seeks
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
        """Return the records up to the first that is not the next one; then seek back, and never step over a hole."""
        expected = held.fetched_offset
        length = next((i for i, each in enumerate(records) if each.offset != expected + i), len(records))
        held.fetched_offset += length
        held.hole_count = 0 if length else held.hole_count + 1
        if length < len(records):
            self._consumer.seek(tp, held.fetched_offset)
        if held.hole_count > _HOLE_LIMIT:
            raise self._stopped(tp, held.fetched_offset, "the broker does not deliver this offset")
        return records[:length]

    def _demand_known(self, error: OffsetOutOfRangeError) -> None:
        for tp, offset in error.args[0].items():
            held = self._held.get(tp)
            if held is not None and held.fetched_offset == offset:
                raise self._stopped(tp, offset, "the log does not hold this offset (any more)")

    def _stopped(self, tp: TopicPartition, offset: int, reason: str) -> ProjectionStopped:
        where = f"{tp.topic}/{tp.partition}, offset {offset}"
        return ProjectionStopped(
            f"{self._projection.name} stops at {where}: {reason}; restore the topic, or rebuild the projection"
        )

    async def _apply(self, tp: TopicPartition, held: _Held, records: Sequence[Record]) -> None:
        """Apply one run when the one before it is done, unless the claim was lost meanwhile."""
        try:
            async with held.turn, self._free:
                if self._held.get(tp) is held:
                    await self._apply_claimed(tp, held, records)
        finally:
            held.run_count -= 1

    async def _apply_claimed(self, tp: TopicPartition, held: _Held, records: Sequence[Record]) -> None:
        first, after = held.claim.next_offset, held.claim.next_offset + len(records)
        run = Run(topic=tp.topic, partition=tp.partition, first_offset=first, next_offset=after, records=records)
        try:
            with metrics.RUN_SECONDS.labels(*self._labels).time():
                applied = await self._in_thread(self._projection.apply, held.claim, run)
        except Exception as error:  # an unknown outcome included: the database is asked again
            if self._held.get(tp) is held:
                del self._held[tp]
            self._wait_out(tp, error)
            return
        held.claim = replace(held.claim, next_offset=after)
        count_applied(self._projection, applied, records[-1].timestamp)

    def _end_applied(self) -> None:
        """Let go of what is applied; raises what is our own fault."""
        done = {task for task in self._applying if task.done()}
        self._applying -= done
        for task in done:
            task.result()

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

    def _note_progress(self) -> None:
        held = self._held.items()
        self._progress.note_reading(
            self._projection,
            unclaimed_count=len(self._unclaimed()),
            ends={tp.partition: self._consumer.highwater(tp) for tp, _ in held},
            nexts={tp.partition: each.claim.next_offset for tp, each in held},
        )

    async def _in_thread(self, function: Callable[..., _T], *arguments: object) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, function, *arguments)
