"""What export publishes: the ledger of everything that left."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from eventlog.events.event import Event
from market.ean import Ean


@dataclass(frozen=True, slots=True, kw_only=True)
class DataDelivered(Event):
    """Informative data of one point left, or an empty answer did; one entry of the point's ledger.

    `channel` says the way out (`operator`, later `api`, `portal`, `file`); `recipient` is the id of who got it, never a
    name. `first_day` and `last_day` (inclusive, local days; gas: gas days) are what was asked for; `value_count` is how
    many values left (0: an empty answer). `delivered_at` is UTC. `previous_hash` and `hash` (hex SHA-256) chain the
    entries of one ledger: `hash` covers all other fields; the first entry's `previous_hash` is 64 zeros.
    """

    exchange_id: UUID
    ean: Ean
    channel: str
    recipient: str
    granularity: str
    first_day: date
    last_day: date
    value_count: int
    delivered_at: datetime
    previous_hash: str
    hash: str
