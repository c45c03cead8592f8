"""What the access register publishes.

The key of everything about a point is the EAN of its head point; a net user's own events are keyed by their stream.
Days are local days (gas: gas days) and both ends of a period in days are inclusive; instants are UTC.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from eventlog.events.event import Event
from market.ean import Ean


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessPointRegistered(Event):
    """A dwelling or business unit got its access point.

    `energy` is "E" or "G", `meter_kind` a name of `market.channel.MeterKind`; `registered_on` is the first local day
    (gas: gas day) on which the point exists.
    """

    ean: Ean
    energy: str
    meter_kind: str
    registered_on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class AllocationPointAdded(Event):
    """Volumes of the point can be attributed to a party here; every point gets "1" when it is registered.

    `direction` is "OFFTAKE", "INJECTION" or "BOTH"; `added_on` the first day.
    Source: technical regulation, article 4.1.2.
    """

    ean: Ean
    allocation_point_id: str
    direction: str
    added_on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class SubHeadPointAdded(Event):
    """A measurement of its own EAN behind the AMR head point `ean`.

    `kind` is "OFFTAKE", "PRODUCTION" or "AUXILIARY"; `sequence_number` counts from 1 within the head point;
    `installation_id` and `production_type` say what produces, and are empty elsewhere; `added_on` is the first day.
    """

    ean: Ean
    sub_ean: Ean
    kind: str
    sequence_number: int
    installation_id: str
    production_type: str
    added_on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterInstalled(Event):
    """The meter `meter_id` measures from `installed_at` (inclusive) on; `sequence_number` counts the point's meters
    from 1. A swap is the removal of one and the installation of the next at the same instant."""

    ean: Ean
    meter_id: str
    meter_kind: str
    sequence_number: int
    installed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterRemoved(Event):
    """The meter `meter_id` measured until `removed_at` (exclusive)."""

    ean: Ean
    meter_id: str
    removed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class NetUserMovedIn(Event):
    """`net_user_id` uses the network here from `moved_in_on` (first day, inclusive) on."""

    ean: Ean
    allocation_point_id: str
    net_user_id: UUID
    moved_in_on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class NetUserMovedOut(Event):
    """`net_user_id` used the network here until `last_on` (last day, inclusive).

    A later one about the same occupancy corrects an earlier one: its `last_on` is then the earlier of the two.
    """

    ean: Ean
    allocation_point_id: str
    net_user_id: UUID
    last_on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessPointClosed(Event):
    """The point exists until `last_on` (last day, inclusive); its occupancies and meters ended before it, in the same
    append. `replaced_by` is the EAN to use instead where the point was registered twice, else empty; no reading and no
    mandate moves to it."""

    ean: Ean
    last_on: date
    replaced_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NetUserRegistered(Event):
    """Somebody who may use the network. The stream is `net-user:<net_user_id>`.

    `personal_data` is ciphertext (AES-256-GCM, a key of this net user alone that never leaves register): name and
    contact data. `kbo` is an enterprise number, empty for who has none.
    """

    net_user_id: UUID
    is_household: bool
    kbo: str
    personal_data: bytes
    registered_at: datetime
