"""From a body to the topic: read, check, leave out what is not new, publish, and say what became of each line."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from eventlog.codec import encode
from eventlog.envelope import to_headers
from eventlog.events import ReadingsRecorded
from eventlog.framing import outgoing
from eventlog.topics import partition_of
from services.metering import ingest_metrics as metrics
from services.metering.block_input import Refusal
from services.metering.draft import Draft, body_id, message_id
from services.metering.forms import Delivery, Limits, read_delivery
from services.metering.publisher import Message, Position, Publisher
from services.metering.receipts import Receipts
from services.metering.rules import Bounds, check_all
from services.metering.unchanged import BlockKey, currents_of, is_unchanged, key_of

ReadCurrent = Callable[[Collection[BlockKey]], Any]

_COMPARED_AT_ONCE: Final = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a body: where the accepted readings stand, how many were not new, and the refusals by line."""

    receipts: list[Position]
    unchanged_count: int
    refusals: list[Refusal]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ingest:
    """Takes bodies in. `read_current(keys)` gives the current blocks (pyarrow); called in a thread."""

    publisher: Publisher
    receipts: Receipts
    read_current: ReadCurrent
    limits: Limits
    bounds: Bounds
    catch_up_seconds: float

    async def take(
        self,
        delivery: Delivery,
        *,
        skip_unchanged: bool,
        now: datetime,
        correlation_id: UUID,
        traceparent: str | None,
    ) -> Outcome:
        """Publish the readings of a body that pass every rule. With `skip_unchanged` only those that say anything new.

        Raises:
            NothingRead, BodyTooLarge: the body as a whole is refused; nothing is published.
            StoreBehind, KafkaAway: what is current cannot be known now; nothing is published.
            NotAcknowledged: Kafka did not acknowledge everything in time; sending again is safe.
        """
        drafts, refusals = await asyncio.to_thread(self._read, delivery, now)
        new = await self._leave_out_unchanged(drafts) if skip_unchanged and drafts else drafts
        began = time.perf_counter()
        messages = await asyncio.to_thread(_messages, new, now, correlation_id, traceparent)
        positions = await self.publisher.publish(messages) if messages else []
        if messages:
            metrics.PUBLISH_SECONDS.observe(time.perf_counter() - began)
        outcome = Outcome(receipts=positions, unchanged_count=len(drafts) - len(new), refusals=refusals)
        _count(delivery, outcome)
        return outcome

    def _read(self, delivery: Delivery, now: datetime) -> tuple[list[Draft], list[Refusal]]:
        found = read_delivery(delivery, self.limits)
        metrics.TARIFF_MISMATCHES.inc(found.tariff_mismatch_count)
        drafts, refusals = check_all(found.drafts, delivery.sender, now=now, bounds=self.bounds)
        named = _identify(drafts, body_id(delivery.body))
        return named, sorted([*found.refusals, *refusals], key=lambda refusal: refusal.line)

    async def _leave_out_unchanged(self, drafts: Sequence[Draft]) -> list[Draft]:
        count = await self.receipts.ends.partition_count()
        partitions = {partition_of(draft.event.ean.encode(), count) for draft in drafts}
        await self.receipts.catch_up(partitions, timeout_seconds=self.catch_up_seconds)
        return await asyncio.to_thread(self._compare, drafts)

    def _compare(self, drafts: Sequence[Draft]) -> list[Draft]:
        new: list[Draft] = []
        for start in range(0, len(drafts), _COMPARED_AT_ONCE):
            some = drafts[start : start + _COMPARED_AT_ONCE]
            currents = currents_of(self.read_current({key_of(draft.event) for draft in some}))
            new += [draft for draft in some if not is_unchanged(draft.event, currents)]
        return new


def _identify(drafts: Sequence[Draft], body_hash: str) -> list[Draft]:
    """Return `drafts` with an id each: the sender's, in lower case, or one made from the body."""
    return [
        replace(
            draft,
            event=replace(
                draft.event,
                message_id=draft.event.message_id.lower() if draft.has_own_id else message_id(body_hash, draft.event),
            ),
        )
        for draft in drafts
    ]


def _messages(drafts: Collection[Draft], now: datetime, correlation_id: UUID, traceparent: str | None) -> list[Message]:
    return [
        Message(
            key=draft.event.ean.encode("ascii"),
            value=outgoing(encode(draft.event)),
            headers=to_headers(
                event_id=UUID(draft.event.message_id),
                event_type=ReadingsRecorded.__name__,
                source="metering",
                stream_id=f"point:{draft.event.ean}",
                stream_version=0,
                recorded_at=now,
                correlation_id=correlation_id,
                traceparent=traceparent,
            ),
        )
        for draft in drafts
    ]


def _count(delivery: Delivery, outcome: Outcome) -> None:
    kind = delivery.media_type
    metrics.READINGS.labels(kind, "accepted").inc(len(outcome.receipts))
    metrics.READINGS.labels(kind, "unchanged").inc(outcome.unchanged_count)
    metrics.READINGS.labels(kind, "refused").inc(len(outcome.refusals))
