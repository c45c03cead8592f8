"""Indexes and period volumes from a body to their topic: read, check, publish, and say what became of each line."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from eventlog.codec import encode
from eventlog.envelope import to_headers
from eventlog.framing import outgoing
from eventlog.tracing import current_traceparent
from services.metering import ingest_metrics as metrics
from services.metering.block_input import Refusal
from services.metering.body import check_lines
from services.metering.draft import NothingRead, Sender
from services.metering.forms import Limits
from services.metering.index_lines import IndexDraft, read_lines
from services.metering.index_rows import IndexEvent
from services.metering.index_rules import check_indexes
from services.metering.ingest import Outcome
from services.metering.publisher import Message, Publisher
from services.metering.receipts import Receipts
from services.metering.rules import Bounds


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexIngest:
    """Takes bodies of indexes in; `publisher` and `receipts` are those of their topic."""

    publisher: Publisher
    receipts: Receipts
    limits: Limits
    bounds: Bounds

    def read(self, body: bytes, sender: Sender, now: datetime) -> tuple[list[IndexDraft], list[Refusal]]:
        """Return what passes every rule, and the refusals by line.

        Raises:
            NothingRead, BodyTooLarge: the body as a whole is refused.
        """
        if not body:
            raise NothingRead("the body is empty")
        check_lines(body, max_count=self.limits.max_line_count, max_length=self.limits.max_line_bytes)
        drafts, unread = read_lines(body, default_source=sender.client_id)
        passed, refused = check_indexes(drafts, sender, now=now, bounds=self.bounds)
        return passed, sorted([*unread, *refused], key=lambda refusal: refusal.line)

    async def take(self, body: bytes, sender: Sender, *, now: datetime, correlation_id: UUID) -> Outcome:
        """Publish what passes every rule.

        Raises:
            NothingRead, BodyTooLarge: as `read`; nothing is published.
            NotAcknowledged: Kafka did not acknowledge everything in time; sending again is safe.
        """
        drafts, refusals = await asyncio.to_thread(self.read, body, sender, now)
        messages = await asyncio.to_thread(_messages, drafts, now, correlation_id, current_traceparent())
        positions = await self.publisher.publish(messages) if messages else []
        metrics.INDEXES.labels("accepted").inc(len(positions))
        metrics.INDEXES.labels("refused").inc(len(refusals))
        return Outcome(receipts=positions, unchanged_count=0, refusals=refusals)


def _messages(
    drafts: Sequence[IndexDraft], now: datetime, correlation_id: UUID, traceparent: str | None
) -> list[Message]:
    return [_message(draft.event, now, correlation_id, traceparent) for draft in drafts]


def _message(event: IndexEvent, now: datetime, correlation_id: UUID, traceparent: str | None) -> Message:
    return Message(
        key=event.ean.encode("ascii"),
        value=outgoing(encode(event)),
        headers=to_headers(
            event_id=UUID(event.message_id),
            event_type=type(event).__name__,
            source="metering",
            stream_id=f"point:{event.ean}",
            stream_version=0,
            recorded_at=now,
            correlation_id=correlation_id,
            traceparent=traceparent,
        ),
    )
