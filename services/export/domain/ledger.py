"""The ledgers of points and of holders: every answer in a chain of hashes that shows any later change. Pure.

What left, or was empty, is in the ledger of its point; a holder that had no right to ask is in its own.

`hash` is the hex SHA-256 of the canonical form: a JSON array of strings, ASCII only, no spaces, of all other fields in
the order of the event; days as YYYY-MM-DD, the instant in UTC with six decimals of a second and `Z`. Mandates, where
there are any, stand behind them: their ids with commas between.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from hashlib import sha256
from typing import Final
from uuid import UUID

from eventlog.events import DataDelivered, DataRefused
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
    mandate_ids: tuple[UUID, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A holder that asked for what it has no mandate for; `ean` need not be a point's. Days are inclusive."""

    exchange_id: UUID
    holder_kbo: str
    ean: str
    channel: str
    granularity: str
    first_day: date
    last_day: date
    refused_at: datetime


def stream_of(ean: Ean) -> str:
    """The stream that holds the ledger of the point."""
    return f"ledger:{ean}"


def holder_stream_of(kbo: str) -> str:
    """The stream that holds the ledger of the holder itself."""
    return f"holder:{kbo}"


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
        mandate_ids=delivery.mandate_ids,
    )


def refuse(refusal: Refusal, newest: DataRefused | None) -> DataRefused:
    """Return the entry that follows `newest` in the holder's ledger; the first one where there is none."""
    previous_hash = newest.hash if newest else FIRST_PREVIOUS_HASH
    return DataRefused(
        exchange_id=refusal.exchange_id,
        holder_kbo=refusal.holder_kbo,
        ean=refusal.ean,
        channel=refusal.channel,
        granularity=refusal.granularity,
        first_day=refusal.first_day,
        last_day=refusal.last_day,
        refused_at=refusal.refused_at,
        previous_hash=previous_hash,
        hash=_hash(refusal, previous_hash),
    )


def verify(entries: Iterable[DataDelivered | DataRefused]) -> int:
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


def _hash(entry: Delivery | DataDelivered | Refusal | DataRefused, previous_hash: str) -> str:
    match entry:
        case Delivery() | DataDelivered():
            fields = _delivered(entry)
        case Refusal() | DataRefused():
            fields = _refused(entry)
    text = json.dumps([*fields[0], previous_hash, *fields[1]], separators=(",", ":"))
    return sha256(text.encode("ascii")).hexdigest()


def _delivered(entry: Delivery | DataDelivered) -> tuple[list[str], list[str]]:
    fields = [
        str(entry.exchange_id),
        entry.ean,
        entry.channel,
        entry.recipient,
        entry.granularity,
        entry.first_day.isoformat(),
        entry.last_day.isoformat(),
        str(entry.value_count),
        _instant(entry.delivered_at),
    ]
    return fields, [",".join(map(str, entry.mandate_ids))] if entry.mandate_ids else []


def _refused(entry: Refusal | DataRefused) -> tuple[list[str], list[str]]:
    fields = [
        str(entry.exchange_id),
        entry.holder_kbo,
        entry.ean,
        entry.channel,
        entry.granularity,
        entry.first_day.isoformat(),
        entry.last_day.isoformat(),
        _instant(entry.refused_at),
    ]
    return fields, []


def _instant(instant: datetime) -> str:
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
