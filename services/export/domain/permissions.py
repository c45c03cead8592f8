"""What access is decided by, as the events of mandate and register said it. Pure.

Days are local days (gas: gas days) and both ends of a period in days are inside; instants are UTC.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from market.channel import Energy
from market.ean import Ean


@dataclass(frozen=True, slots=True, kw_only=True)
class Mandate:
    """One data service of one point for one holder. It gives access in [granted_at, expires_at).

    `is_over` once a withdrawal or its expiry was told; `ends_on` is the first day without access where an end was told.
    `data_service_type` is the wire's name; any other name opens nothing.
    """

    mandate_id: UUID
    ean: Ean
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
    is_over: bool = False
    ends_on: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """A data access contract from `valid_from` on; `ended_on` is the first day without it."""

    contract_number: str
    holder_kbo: str
    valid_from: date
    ended_on: date | None = None

    def is_in_force(self, today: date) -> bool:
        """Whether it holds on the local day `today`."""
        return self.valid_from <= today and (self.ended_on is None or today < self.ended_on)


@dataclass(frozen=True, slots=True, kw_only=True)
class AllocationPoint:
    """A part of the access point that has a net user of its own, from `added_on` on."""

    allocation_point_id: str
    added_on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Occupancy:
    """A net user on an allocation point; `last_on` is None while nobody said that it ends."""

    allocation_point_id: str
    net_user_id: UUID
    first_on: date
    last_on: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterPeriod:
    """A meter of the point in [installed_at, removed_at); None while it measures. `sequence_number` counts from 1."""

    meter_id: str
    sequence_number: int
    installed_at: datetime
    removed_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SubHeadPoint:
    """A measurement of its own EAN behind an AMR head point; `kind` is OFFTAKE, PRODUCTION or AUXILIARY."""

    ean: Ean
    kind: str
    sequence_number: int
    installation_id: str
    production_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PointFacts:
    """All that is known of one access point: from register what it is and who uses it, from mandate who may read it."""

    ean: Ean
    energy: Energy
    allocation_points: tuple[AllocationPoint, ...] = ()
    occupancies: tuple[Occupancy, ...] = ()
    meters: tuple[MeterPeriod, ...] = ()
    sub_head_points: tuple[SubHeadPoint, ...] = ()
    mandates: tuple[Mandate, ...] = ()
    contracts: tuple[Contract, ...] = ()
