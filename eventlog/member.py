"""One member of a projection's group: claim, fetch, apply in threads.

The broker says which partitions to try; the database says who may write and from where.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Final, TypeVar

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import NoOffsetForPartitionError, OffsetOutOfRangeError

from eventlog import metrics
from eventlog.checkpoint import Fenced
from eventlog.database import is_outage
from eventlog.envelope import Record
from eventlog.halt import Coordinates, Halt, ProjectionStopped
from eventlog.held import Held, Rebalance
from eventlog.hints import Hints
from eventlog.progress import Progress, count_applied
from eventlog.projection import Projection, Run
from eventlog.reason import Reason, Rule
from eventlog.tracing import apply_run

_POLL_SECONDS: Final = 0.5
_CLAIMING_SECONDS: Final = 5.0
_RETRY_SECONDS: Final = 1.0
_RUNS_AHEAD: Final = 2  # of one partition: one being applied, one waiting behind it
_HOLE_LIMIT: Final = 20
_FINISHING_SECONDS: Final = 10.0
_CLOSING_SECONDS: Final = 20.0

_log = logging.getLogger(__name__)
_T = TypeVar("_T")


class Member:
    """Lives once: until it is cancelled, the broker fails, or the projection is at fault."""

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
        self._held: dict[TopicPartition, Held] = {}
        self._not_before: dict[TopicPartition, float] = {}
        self._applying: set[asyncio.Task[None]] = set()
        self._free = asyncio.Semaphore(concurrent_run_count)
        self._runs_at_most = concurrent_run_count + _RUNS_AHEAD  # in memory, of all partitions
        self._threads = ThreadPoolExecutor(concurrent_run_count + 1, thread_name_prefix=projection.name)
        self._labels = (projection.name, projection.topic)
        self._is_leaving = False

    async def live(self, consumer: AIOKafkaConsumer) -> None:
        """Join the group with `consumer`, and keep its partitions up to date; when cancelled, end what was begun.

        Raises:
            KafkaError: the broker, or our place in the group; begin again with another member.
            Exception: a fault of the projection itself.
        """
        self._consumer = consumer
        self._hints = Hints(consumer, projection=self._projection.name, topic=self._projection.topic)
        consumer.subscribe([self._projection.topic], listener=Rebalance(self._held, self._progress))
        try:
            await consumer.start()
            while True:
                await self._claim_missing()
                for tp, (held, records) in (await self._fetch()).items():
                    held.run_count += 1
                    self._applying.add(asyncio.create_task(self._apply(tp, held, records)))
                self._note_progress()
                self._end_applied()
                if self._progress.is_joined:  # in a rebalance aiokafka would join once more after a commit
                    self._hints.tell()
        finally:
            await self._leave()

    async def _leave(self) -> None:
        """Finish the runs that are being applied (10 s at most), begin none, tell the group, and go.

        We stay its member: who comes back under our name within the session's timeout is not missed (ADR 0012).
        """
        self._is_leaving = True
        self._progress.is_joined = False
        finishing = asyncio.gather(*self._applying, return_exceptions=True)
        with contextlib.suppress(TimeoutError):  # which cancels them
            await asyncio.wait_for(finishing, _FINISHING_SECONDS)
        await self._hints.tell_last()
        self._held.clear()
        self._threads.shutdown(wait=False)
        with contextlib.suppress(TimeoutError):  # of connections that are dead anyway
            await asyncio.wait_for(self._consumer.stop(), _CLOSING_SECONDS)

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
            # From here on no await: assigned, sought and held are one moment.
            if self._progress.is_joined and tp in self._unclaimed():
                self._consumer.seek(tp, claim.next_offset)
                self._held[tp] = Held(claim, claim.next_offset)
                await self._demand_position(tp)

    def _unclaimed(self) -> set[TopicPartition]:
        return set(self._consumer.assignment()) - self._held.keys()

    async def _demand_position(self, tp: TopicPartition) -> None:
        position, held = await self._consumer.position(tp), self._held.get(tp)
        if held is not None and position != held.fetched_offset:
            raise RuntimeError(f"{self._labels[0]} went to {position} instead of {held.fetched_offset} in {tp}")

    async def _fetch(self) -> dict[TopicPartition, tuple[Held, Sequence[Record]]]:
        """Return what came for partitions we hold and have time for, each run contiguous with the one before it."""
        wanted = [tp for tp, held in self._held.items() if held.run_count < _RUNS_AHEAD]
        if self._held and (not wanted or len(self._applying) >= self._runs_at_most):
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
        if fetched and not self._held:
            await asyncio.sleep(_POLL_SECONDS)  # of no use before a claim: let not the whole log run by
        return {
            tp: (held, run)
            for tp, records in fetched.items()
            if (held := self._held.get(tp)) is not None and (run := self._contiguous(tp, held, records))
        }

    def _contiguous(self, tp: TopicPartition, held: Held, records: Sequence[Record]) -> Sequence[Record]:
        """Return the records up to the first that is not the next one; then seek back, and never step over a hole."""
        run = held.take_contiguous(records)
        if len(run) < len(records):
            self._consumer.seek(tp, held.fetched_offset)
        if held.hole_count > _HOLE_LIMIT:
            self._halt_without(tp, held, "the broker does not deliver this offset")
            return ()
        return run

    def _demand_known(self, error: OffsetOutOfRangeError) -> None:
        for tp, offset in error.args[0].items():
            held = self._held.get(tp)
            if held is not None and held.fetched_offset == offset:
                self._halt_without(tp, held, "the log does not hold this offset (any more)")

    def _halt_without(self, tp: TopicPartition, held: Held, words: str) -> None:
        self._forget(tp, held)
        place = Coordinates(tp.topic, tp.partition, held.fetched_offset)
        self._halt(tp, Halt(self._projection.name, place, Reason(Rule.MISSING_FROM_LOG, words)))

    def _halt(self, tp: TopicPartition, halt: Halt) -> None:
        """Leave `tp` alone for a minute; the others go on."""
        self._progress.note_halt(halt)
        self._not_before[tp] = time.monotonic() + self._progress.recheck_seconds

    async def _apply(self, tp: TopicPartition, held: Held, records: Sequence[Record]) -> None:
        """Apply one run when the one before it is done, unless the claim was lost meanwhile."""
        try:
            async with held.turn, self._free:
                if self._held.get(tp) is held and not self._is_leaving:
                    await self._apply_claimed(tp, held, records)
        finally:
            held.run_count -= 1

    async def _apply_claimed(self, tp: TopicPartition, held: Held, records: Sequence[Record]) -> None:
        first, after = held.claim.next_offset, held.claim.next_offset + len(records)
        run = Run(topic=tp.topic, partition=tp.partition, first_offset=first, next_offset=after, records=records)
        try:
            with metrics.RUN_SECONDS.labels(*self._labels).time():
                applied = await self._in_thread(apply_run, self._projection, held.claim, run)
        except Exception as error:  # an unknown outcome included: the database is asked again
            self._forget(tp, held)
            self._wait_out(tp, error)
            return
        held.claim = replace(held.claim, next_offset=after)
        self._hints.note(tp, after)
        self._progress.standstill.note_commit()
        self._progress.end_halt(tp.partition)
        count_applied(self._projection, applied, records[-1].timestamp)

    def _forget(self, tp: TopicPartition, held: Held) -> None:
        if self._held.get(tp) is held:
            del self._held[tp]

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
        if isinstance(error, ProjectionStopped):
            self._halt(tp, error.halt)
            return
        if not is_outage(error):
            raise error
        metrics.RUNS.labels(*self._labels, "failed").inc()
        self._progress.standstill.note_outage(time.monotonic())
        _log.warning("%s tries %s/%d again: %s", self._labels[0], *tp, type(error).__name__)
        self._not_before[tp] = time.monotonic() + _RETRY_SECONDS

    def _note_progress(self) -> None:
        held = self._held.items()
        self._progress.note_reading(
            self._projection,
            unclaimed_count=len({tp.partition for tp in self._unclaimed()} - self._progress.halts.keys()),
            ends={tp.partition: self._consumer.highwater(tp) for tp, _ in held},
            nexts={tp.partition: each.claim.next_offset for tp, each in held},
        )

    async def _in_thread(self, function: Callable[..., _T], *arguments: object) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, function, *arguments)
