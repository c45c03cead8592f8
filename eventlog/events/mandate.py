"""What the mandate service publishes.

The key of everything about a mandate is the EAN of its head point; a contract's own events are keyed by its number, a
session's by its stream. Instants are UTC, days are local days (gas: gas days).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from eventlog.events.event import Event
from market.ean import Ean


@dataclass(frozen=True, slots=True, kw_only=True)
class DataAccessContractSigned(Event):
    """A data access holder may from now on ask for mandates.

    `contract_number` has ten digits; `holder_kbo` is the holder's KBO number (ten digits); `valid_from` is the first
    local day of the contract. `holder_name` is the enterprise's public name, which customers are shown: 1 to 120
    printable characters, or empty where it was not given.
    """

    contract_number: str
    holder_kbo: str
    valid_from: date
    holder_name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DataAccessContractEnded(Event):
    """The contract is over; `ended_on` is the first local day without it. Its mandates end in the same append."""

    contract_number: str
    ended_on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnRootRegistered(Event):
    """The holder may send customers back to addresses that begin with `root`, which ends in "/"."""

    contract_number: str
    root: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentSessionOpened(Event):
    """A holder asks a customer for mandates. The stream is `session:<session_id>`.

    `session_id` is at least 22 random characters of `A-Z a-z 0-9 - _`, the short identifier in the link. `flow` is
    "B2C" or "B2B". `services` is JSON text: a list of {"type", "from", "to"} with `from` and `to` the first and last
    local day of the data period (inclusive), or null. At most `number_of_eans` points may be chosen. The return
    addresses are both empty or both set; `enterprise_number` is the customer's, or empty. The link is good until
    `valid_to` (exclusive).
    """

    session_id: str
    contract_number: str
    holder_kbo: str
    reference_number: str
    flow: str
    services: str
    number_of_eans: int
    return_url_success: str
    return_url_failed: str
    enterprise_number: str
    valid_to: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentSessionUsed(Event):
    """The customer consented; the link opens nothing more."""

    session_id: str
    used_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class MandateGranted(Event):
    """The net user of the point lets a holder read one data service of it. The stream is `point:<ean>`.

    `data_service_type` is "VH_onbepaald", "VH_kwartier_uur", "VH_dag" or "IG"; `data_period_from` and
    `data_period_to` are the first and last day that may be read (both inclusive), None where the period has no such
    bound. `net_user_id` is who consented, and what may be read is cut by its occupancy; `occupied_from` is the first
    day of that on every allocation point of the access point, as the register knew it then. Access is given in
    [`granted_at`, `expires_at`).
    """

    ean: Ean
    mandate_id: UUID
    session_id: str
    contract_number: str
    holder_kbo: str
    reference_number: str
    data_service_type: str
    data_period_from: date | None
    data_period_to: date | None
    net_user_id: UUID
    occupied_from: date
    granted_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class MandateToBeRenewed(Event):
    """Less than three calendar months are left; the mandate still gives access."""

    ean: Ean
    mandate_id: UUID
    signalled_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class MandateExpired(Event):
    """The mandate's time is over. It gave access until its `expires_at`, whenever this was written."""

    ean: Ean
    mandate_id: UUID
    expired_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class MandateWithdrawn(Event):
    """The net user took the mandate back; it gives nothing from `withdrawn_at` on."""

    ean: Ean
    mandate_id: UUID
    withdrawn_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class MandateEnded(Event):
    """The mandate ended, or ends, for a reason outside it.

    `reason` is "CUSTOMER_SWITCH", "POINT_CLOSED" or "CONTRACT_ENDED". `ends_on` is the first local day (gas: gas day)
    without access; it may lie ahead of `ended_at`, when this was decided, or behind it. A later one about the same
    mandate is never later: it names an earlier day, or a closer reason for the same day. A correction of its cause
    revives nothing.
    """

    ean: Ean
    mandate_id: UUID
    reason: str
    ends_on: date
    ended_at: datetime
