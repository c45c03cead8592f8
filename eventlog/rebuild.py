"""A projection brought from where it stands to given offsets, and no further: beside the live one, in no group.

Nothing is published by it: it is a projection on tables that nobody reads yet, and its events stay where they are.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError, OffsetOutOfRangeError

from eventlog.checkpoint import Claim, Fenced
from eventlog.envelope import Record
from eventlog.kafka import KafkaAccess
from eventlog.projection import Projection, Run

_POLL_MILLISECONDS: Final = 500
_SILENCE_SECONDS: Final = 60.0
_RUNS_AHEAD: Final = 2  # of one partition: one being applied, one waiting behind it
_ANSWER_BYTES: Final = 16 * 2**20  # of all partitions together: what one answer of the broker takes in memory
_OWNER: Final = "rebuild"

Note = Callable[[int], None]


class RebuildStopped(Exception):
    """It cannot go on: the message says why, in one line."""


@dataclass(slots=True, eq=False)
class _Held:
    """A partition: the claim as of the last commit, and the offset that is fetched next."""

    claim: Claim
    fetched_offset: int
    run_count: int = 0
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


class Rebuild:
    """The writer of one projection; another one that begins fences it. Use it as an asynchronous context.

    While runs are applied, `concurrent_run_count` at a time and each partition in its order, the next ones are
    fetched, few of them, so that memory stays flat; `fetch_bytes` is what the broker sends of a partition at once.
    `applied_count` records were applied in `seconds`.
    """

    def __init__(
        self,
        projection: Projection,
        *,
        kafka: KafkaAccess,
        partition_count: int,
        max_run_records: int,
        concurrent_run_count: int,
        fetch_bytes: int,
    ) -> None:
        self._projection = projection
        self._kafka = kafka
        self._partition_count = partition_count
        self._max_run_records = max_run_records
        self._fetch_bytes = fetch_bytes
        self._runs_at_most = concurrent_run_count + _RUNS_AHEAD  # in memory, of all partitions
        self._threads = ThreadPoolExecutor(concurrent_run_count, thread_name_prefix=f"rebuild-{projection.name}")
        self._held: dict[TopicPartition, _Held] = {}
        self._applying: set[asyncio.Task[None]] = set()
        self._consumer: Any = None
        self.applied_count = 0
        self.seconds = 0.0

    async def __aenter__(self) -> Rebuild:
        for number in range(self._partition_count):
            claim = await asyncio.to_thread(self._projection.claim, number, _OWNER)
            self._held[TopicPartition(self._projection.topic, number)] = _Held(claim, claim.next_offset)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._threads.shutdown()
        if self._consumer is not None:
            await self._consumer.stop()

    @property
    def next_offsets(self) -> dict[int, int]:
        """How far each partition is applied."""
        return {place.partition: held.claim.next_offset for place, held in self._held.items()}

    async def reach(self, ends: Mapping[int, int], *, note: Note = lambda _: None) -> None:
        """Apply the records of each partition in `ends` up to its offset (exclusive); what is past it stays.

        `note` is told after each run how many records were applied since the rebuild began.

        Raises:
            RebuildStopped: the log does not hold an offset (any more), Kafka does not deliver, or we are fenced.
        """
        short = {place: ends.get(place.partition, 0) for place in self._held if self._is_short(place, ends)}
        if not short:
            return
        began = time.monotonic()
        try:
            await self._start(short)
            began = time.monotonic()
            await self._read(short, note)
        except OffsetOutOfRangeError as error:
            places = ", ".join(f"{tp.topic}/{tp.partition} at {offset}" for tp, offset in error.args[0].items())
            message = f"the log does not hold what it began with ({places}): restore the topic"
            raise RebuildStopped(message) from error
        except KafkaError as error:
            where = self._kafka.bootstrap
            raise RebuildStopped(f"Kafka at {where} does not answer ({type(error).__name__}): start it") from error
        except Fenced as error:
            raise RebuildStopped("another rebuild of it has begun: leave it to that one") from error
        finally:
            await asyncio.gather(*self._applying, return_exceptions=True)
            self._applying.clear()
            self.seconds += time.monotonic() - began

    def _is_short(self, place: TopicPartition, ends: Mapping[int, int]) -> bool:
        return self._held[place].claim.next_offset < ends.get(place.partition, 0)

    async def _start(self, short: Mapping[TopicPartition, int]) -> None:
        if self._consumer is None:
            consumer = AIOKafkaConsumer(
                **self._kafka.client_arguments(),
                client_id=f"rebuild-{self._projection.name}",
                enable_auto_commit=False,
                auto_offset_reset="none",
                max_partition_fetch_bytes=self._fetch_bytes,
                fetch_max_bytes=max(_ANSWER_BYTES, self._fetch_bytes),
            )
            self._consumer = consumer
            await consumer.start()
        self._consumer.assign(list(short))
        for place in short:
            held = self._held[place]
            held.fetched_offset = held.claim.next_offset
            self._consumer.seek(place, held.fetched_offset)

    async def _read(self, short: Mapping[TopicPartition, int], note: Note) -> None:
        heard_at = time.monotonic()
        while unread := [place for place, end in short.items() if self._held[place].fetched_offset < end]:
            wanted = [place for place in unread if self._held[place].run_count < _RUNS_AHEAD]
            if not wanted or len(self._applying) >= self._runs_at_most:
                await self._collect(asyncio.FIRST_COMPLETED)
                heard_at = time.monotonic()
                continue
            fetched = await self._consumer.getmany(
                *wanted, timeout_ms=_POLL_MILLISECONDS, max_records=self._max_run_records
            )
            for place, records in fetched.items():
                self._take(place, records, short[place], note)
                heard_at = time.monotonic()
            if time.monotonic() - heard_at > _SILENCE_SECONDS:
                raise RebuildStopped(f"Kafka delivered nothing for {_SILENCE_SECONDS:.0f} s: ask how it does")
            await self._collect(None)
        await self._collect(asyncio.ALL_COMPLETED)

    def _take(self, place: TopicPartition, records: Sequence[Record], end: int, note: Note) -> None:
        """Let what came be applied, up to `end`; nothing may be missing in it."""
        held = self._held[place]
        first, after = held.fetched_offset, min(held.fetched_offset + len(records), end)
        wanted = records[: after - first]
        if [record.offset for record in wanted] != list(range(first, after)):
            where = f"{place.topic}/{place.partition}"
            raise RebuildStopped(f"the log has a hole in {where} after {first}: restore the topic")
        held.fetched_offset = after
        held.run_count += 1
        run = Run(topic=place.topic, partition=place.partition, first_offset=first, next_offset=after, records=wanted)
        self._applying.add(asyncio.create_task(self._apply(held, run, note)))

    async def _apply(self, held: _Held, run: Run, note: Note) -> None:
        async with held.turn:
            if held.claim.next_offset != run.first_offset:
                return  # the run before it failed, and says so itself
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(self._threads, self._projection.apply, held.claim, run)
            held.claim = replace(held.claim, next_offset=run.next_offset)
            held.run_count -= 1
            self.applied_count += len(run.records)
            note(self.applied_count)

    async def _collect(self, until: str | None) -> None:
        """Wait for runs (`until` says for which; None: for none), and raise what went wrong in one."""
        if until is not None and self._applying:
            await asyncio.wait(self._applying, return_when=until)
        done = {task for task in self._applying if task.done()}
        self._applying -= done
        for task in done:
            task.result()
