"""What export publishes: the ledger of everything that left, or was refused, and the credentials of holders."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from eventlog.events.event import Event
from market.ean import Ean


@dataclass(frozen=True, slots=True, kw_only=True)
class DataDelivered(Event):
    """Informative data of one point left, or an empty answer did; one entry of the point's ledger.

    `channel` says the way out (`operator`, `api`, `portal`, `file`); `recipient` is the id of who got it, never a
    name: of a holder its KBO number. `first_day` and `last_day` (inclusive, local days; gas: gas days) are what was
    asked for; `value_count` is how many values left (0: an empty answer). `delivered_at` is UTC. `previous_hash` and
    `hash` (hex SHA-256) chain the entries of one ledger: `hash` covers all other fields; the first entry's
    `previous_hash` is 64 zeros. `mandate_ids` are the mandates it left under; none for an operator and for a net
    user's own readings.
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
    mandate_ids: tuple[UUID, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DataRefused(Event):
    """A holder asked for readings of a point that it has no mandate for; one entry of the holder's own ledger.

    The stream is `holder:<holder_kbo>`. `ean` is what was asked for, whether or not there is such a point; the other
    fields are as those of `DataDelivered`, and the hashes chain the entries of the holder.
    """

    exchange_id: UUID
    holder_kbo: str
    ean: str
    channel: str
    granularity: str
    first_day: date
    last_day: date
    refused_at: datetime
    previous_hash: str
    hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HolderCredentialIssued(Event):
    """A client of a data access holder may ask for tokens. The stream is `credential:<client_id>`.

    `environment` is "live" or "sandbox". The HMACs (hex SHA-256 under a key of export) are of secrets of at least 128
    random bits, which are kept nowhere; `thumbprint` is the SHA-1 of the client's certificate, hex; both are empty
    where there is none.
    """

    client_id: str
    holder_kbo: str
    contract_number: str
    environment: str
    secret_hmac: str
    subscription_key_hmac: str
    thumbprint: str
    issued_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class HolderCredentialRevoked(Event):
    """The client is refused from `revoked_at` (UTC) on, also with a token that still lives."""

    client_id: str
    revoked_at: datetime
