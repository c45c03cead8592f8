"""A projection brought from where it stands to given offsets, and no further: beside the live one, in no group."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError, OffsetOutOfRangeError

from eventlog.checkpoint import Claim
from eventlog.envelope import Record
from eventlog.kafka import KafkaAccess
from eventlog.projection import Projection, Run

_POLL_MILLISECONDS: Final = 500
_SILENCE_SECONDS: Final = 60.0
_OWNER: Final = "rebuild"

Note = Callable[[int], None]


class RebuildStopped(Exception):
    """It cannot go on: the message says why, in one line."""


async def apply_until(
    projection: Projection, *, kafka: KafkaAccess, ends: Mapping[int, int], max_run_records: int, note: Note
) -> None:
    """Apply the records of each partition in `ends` up to its offset (exclusive), from the projection's checkpoint on.

    `note` is told after each run how many records were applied so far.

    Raises:
        RebuildStopped: the log does not hold an offset (any more), or Kafka does not deliver.
    """
    claims = {partition: projection.claim(partition, _OWNER) for partition in sorted(ends)}
    if all(claims[partition].next_offset >= end for partition, end in ends.items()):
        return
    consumer = AIOKafkaConsumer(
        **kafka.client_arguments(),
        client_id=f"rebuild-{projection.name}",
        enable_auto_commit=False,
        auto_offset_reset="none",
    )
    try:
        await consumer.start()
        await _Rebuild(projection, consumer, claims, ends, max_run_records, note).run()
    except OffsetOutOfRangeError as error:
        places = ", ".join(f"{place.topic}/{place.partition} at {offset}" for place, offset in error.args[0].items())
        raise RebuildStopped(f"the log does not hold what it began with ({places}): restore the topic") from error
    except KafkaError as error:
        raise RebuildStopped(
            f"Kafka at {kafka.bootstrap} does not answer ({type(error).__name__}): start it"
        ) from error
    finally:
        await consumer.stop()


class _Rebuild:
    def __init__(
        self,
        projection: Projection,
        consumer: Any,
        claims: dict[int, Claim],
        ends: Mapping[int, int],
        max_run_records: int,
        note: Note,
    ) -> None:
        self._projection = projection
        self._consumer = consumer
        self._claims = claims
        self._ends = ends
        self._max_run_records = max_run_records
        self._note = note
        self._applied_count = 0

    async def run(self) -> None:
        """Apply until every partition is where it is to be."""
        waiting = self._waiting()
        self._consumer.assign(waiting)
        for place in waiting:
            self._consumer.seek(place, self._claims[place.partition].next_offset)
        heard_at = time.monotonic()
        while waiting := self._waiting():
            fetched = await self._consumer.getmany(
                *waiting, timeout_ms=_POLL_MILLISECONDS, max_records=self._max_run_records
            )
            for place, records in fetched.items():
                await self._apply(place, records)
            if fetched:
                heard_at = time.monotonic()
            elif time.monotonic() - heard_at > _SILENCE_SECONDS:
                raise RebuildStopped(f"Kafka delivered nothing for {_SILENCE_SECONDS:.0f} s: ask how it does")

    def _waiting(self) -> list[TopicPartition]:
        topic = self._projection.topic
        return [
            TopicPartition(topic, number)
            for number, claim in self._claims.items()
            if claim.next_offset < self._end(claim)
        ]

    def _end(self, claim: Claim) -> int:
        return self._ends[claim.partition]

    async def _apply(self, place: TopicPartition, records: Sequence[Record]) -> None:
        claim = self._claims[place.partition]
        first, after = claim.next_offset, min(claim.next_offset + len(records), self._end(claim))
        wanted = records[: after - first]
        if [record.offset for record in wanted] != list(range(first, after)):
            raise RebuildStopped(
                f"the log has a hole in {place.topic}/{place.partition} after {first}: restore the topic"
            )
        run = Run(topic=place.topic, partition=place.partition, first_offset=first, next_offset=after, records=wanted)
        await asyncio.to_thread(self._projection.apply, claim, run)
        self._claims[place.partition] = Claim(claim.projection, claim.topic, claim.partition, claim.epoch, after)
        self._applied_count += len(wanted)
        self._note(self._applied_count)
