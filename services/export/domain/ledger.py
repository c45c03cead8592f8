"""The ledger of one point: every answer that left, in a chain of hashes that shows any later change. Pure.

`hash` is the hex SHA-256 of the canonical form: a JSON array of strings, ASCII only, no spaces, of all other fields in
the order of the event; days as YYYY-MM-DD, the instant in UTC with six decimals of a second and `Z`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from hashlib import sha256
from typing import Final
from uuid import UUID

from eventlog.events import DataDelivered
from market.ean import Ean

FIRST_PREVIOUS_HASH: Final = "0" * 64


class LedgerBroken(Exception):
    """The chain does not hold; the message names the first entry (counted from 1) that is wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What is about to leave: to whom, by which way out, which days (inclusive) and how many values."""

    exchange_id: UUID
    ean: Ean
    channel: str
    recipient: str
    granularity: str
    first_day: date
    last_day: date
    value_count: int
    delivered_at: datetime


def stream_of(ean: Ean) -> str:
    """The stream that holds the ledger of the point."""
    return f"ledger:{ean}"


def enter(delivery: Delivery, newest: DataDelivered | None) -> DataDelivered:
    """Return the entry that follows `newest`; the first one where there is none."""
    previous_hash = newest.hash if newest else FIRST_PREVIOUS_HASH
    return DataDelivered(
        exchange_id=delivery.exchange_id,
        ean=delivery.ean,
        channel=delivery.channel,
        recipient=delivery.recipient,
        granularity=delivery.granularity,
        first_day=delivery.first_day,
        last_day=delivery.last_day,
        value_count=delivery.value_count,
        delivered_at=delivery.delivered_at,
        previous_hash=previous_hash,
        hash=_hash(delivery, previous_hash),
    )


def verify(entries: Iterable[DataDelivered]) -> int:
    """Check a whole ledger, from its first entry on, and return how many entries it has.

    Raises:
        LedgerBroken: an entry was changed, removed, put in or moved.
    """
    previous_hash, count = FIRST_PREVIOUS_HASH, 0
    for count, entry in enumerate(entries, start=1):
        if entry.previous_hash != previous_hash:
            raise LedgerBroken(f"entry {count} does not follow the one before it")
        if entry.hash != _hash(entry, previous_hash):
            raise LedgerBroken(f"entry {count} is not what was written")
        previous_hash = entry.hash
    return count


def _hash(delivery: Delivery | DataDelivered, previous_hash: str) -> str:
    fields = [
        str(delivery.exchange_id),
        delivery.ean,
        delivery.channel,
        delivery.recipient,
        delivery.granularity,
        delivery.first_day.isoformat(),
        delivery.last_day.isoformat(),
        str(delivery.value_count),
        delivery.delivered_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        previous_hash,
    ]
    return sha256(json.dumps(fields, separators=(",", ":")).encode("ascii")).hexdigest()
