"""Every SQL statement of register: the read model beside the events."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection, Table, exists, func, insert, select, update
from sqlalchemy.dialects import postgresql

from eventlog.events import (
    AccessPointClosed,
    AccessPointRegistered,
    AllocationPointAdded,
    Event,
    MeterInstalled,
    MeterRemoved,
    NetUserMovedIn,
    NetUserMovedOut,
    SubHeadPointAdded,
)
from market.ean import Ean
from services.register.domain.point import Occupancy
from services.register.tables import (
    access_point,
    allocation_point,
    measured_point,
    meter,
    net_user,
    occupancy,
    sub_head_point,
)

_PARTS: Final[dict[str, tuple[Table, str]]] = {
    "allocation_points": (allocation_point, "allocation_point_id"),
    "sub_head_points": (sub_head_point, "sequence_number"),
    "meters": (meter, "sequence_number"),
    "occupancies": (occupancy, "first_on"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """How a net user is found: the keyed hash of a person's reference, or an enterprise number; one of the two."""

    person_ref_hmac: bytes | None = None
    kbo: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownNetUser:
    """A net user as the table has it; `key` opens the personal data in the events."""

    net_user_id: UUID
    is_household: bool
    key: bytes

    def __repr__(self) -> str:
        return f"KnownNetUser({self.net_user_id})"


def claim_ean(tx: Connection, ean: Ean, head_ean: Ean) -> Ean | None:
    """Give `ean` out to a point behind `head_ean`, and return None; or return the head point that has it already."""
    claim = postgresql.insert(measured_point).values(ean=ean, head_ean=head_ean).on_conflict_do_nothing()
    if tx.execute(claim.returning(measured_point.c.ean)).one_or_none() is not None:
        return None
    return Ean(tx.execute(select(measured_point.c.head_ean).where(measured_point.c.ean == ean)).scalar_one())


def write(tx: Connection, events: Sequence[Event]) -> None:
    """Bring the read model up to `events` of one point, which were just appended."""
    for event in events:
        _write(tx, event)


def _write(tx: Connection, event: Event) -> None:
    match event:
        case AccessPointRegistered():
            tx.execute(insert(access_point).values(_columns(access_point, event)))
        case AllocationPointAdded():
            tx.execute(insert(allocation_point).values(_columns(allocation_point, event)))
        case SubHeadPointAdded():
            tx.execute(insert(sub_head_point).values(_columns(sub_head_point, event)))
        case MeterInstalled():
            tx.execute(insert(meter).values(_columns(meter, event)))
            _update_point(tx, event.ean, meter_kind=event.meter_kind)
        case MeterRemoved():
            is_it = (meter.c.ean == event.ean) & (meter.c.meter_id == event.meter_id)
            tx.execute(update(meter).where(is_it).values(removed_at=event.removed_at))
        case NetUserMovedIn():
            tx.execute(insert(occupancy).values(**_columns(occupancy, event), first_on=event.moved_in_on))
        case NetUserMovedOut():
            _end_occupancy(tx, event)
        case AccessPointClosed():
            _update_point(tx, event.ean, last_on=event.last_on, replaced_by=event.replaced_by)
        case _:
            raise TypeError(f"{type(event).__name__} is not an event of a point")


def _columns(table: Table, event: Event) -> dict[str, Any]:
    return {name: getattr(event, name) for name in event.__dataclass_fields__ if name in table.c}


def _update_point(tx: Connection, ean: Ean, **values: object) -> None:
    tx.execute(update(access_point).where(access_point.c.ean == ean).values(**values))


def _end_occupancy(tx: Connection, event: NetUserMovedOut) -> None:
    """The newest occupancy of the allocation point is the one that ends: the domain says so."""
    is_there = (occupancy.c.ean == event.ean) & (occupancy.c.allocation_point_id == event.allocation_point_id)
    newest = select(func.max(occupancy.c.first_on)).where(is_there).scalar_subquery()
    tx.execute(update(occupancy).where(is_there, occupancy.c.first_on == newest).values(last_on=event.last_on))


def find_point(tx: Connection, ean: Ean) -> dict[str, Any] | None:
    """Return everything about one point, its parts as lists in their order; None where it is unknown."""
    row = tx.execute(select(access_point).where(access_point.c.ean == ean)).mappings().one_or_none()
    if row is None:
        return None
    found = dict(row)
    for name, (table, order) in _PARTS.items():
        columns = [column for column in table.c if column.name != "ean"]
        parts = tx.execute(select(*columns).where(table.c.ean == ean).order_by(table.c[order])).mappings()
        found[name] = [dict(part) for part in parts]
    return found


def add_net_user(tx: Connection, net_user_id: UUID, reference: Reference, *, is_household: bool, key: bytes) -> bool:
    """Take a net user in; False where somebody with the same reference is there."""
    row = postgresql.insert(net_user).values(
        net_user_id=net_user_id,
        person_ref_hmac=reference.person_ref_hmac,
        kbo=reference.kbo or None,
        is_household=is_household,
        key=key,
    )
    return tx.execute(row.on_conflict_do_nothing().returning(net_user.c.net_user_id)).one_or_none() is not None


def find_net_user(tx: Connection, reference: Reference) -> KnownNetUser | None:
    """Return the net user with this reference."""
    if reference.person_ref_hmac is not None:
        is_it = net_user.c.person_ref_hmac == reference.person_ref_hmac
    else:
        is_it = net_user.c.kbo == reference.kbo
    columns = (net_user.c.net_user_id, net_user.c.is_household, net_user.c.key)
    row = tx.execute(select(*columns).where(is_it)).mappings().one_or_none()
    return None if row is None else KnownNetUser(**row)


def has_net_user(tx: Connection, net_user_id: UUID) -> bool:
    """Whether the register knows the net user."""
    return bool(tx.execute(select(exists().where(net_user.c.net_user_id == net_user_id))).scalar_one())


def occupancies_of(tx: Connection, net_user_id: UUID) -> list[tuple[Ean, Occupancy]]:
    """Return where the net user is, was or will be."""
    columns = [column for column in occupancy.c if column.name != "ean"]
    rows = tx.execute(select(occupancy.c.ean, *columns).where(occupancy.c.net_user_id == net_user_id)).mappings()
    return [(row["ean"], Occupancy(**{column.name: row[column.name] for column in columns})) for row in rows]


def allocation_points_of(tx: Connection, eans: Sequence[Ean]) -> dict[Ean, list[str]]:
    """Return the allocation points of each of `eans`."""
    found: defaultdict[Ean, list[str]] = defaultdict(list)
    names = (allocation_point.c.ean, allocation_point.c.allocation_point_id)
    for ean, name in tx.execute(select(*names).where(allocation_point.c.ean.in_(eans)).order_by(*names)):
        found[ean].append(name)
    return dict(found)


def kinds_of(tx: Connection, eans: Sequence[Ean]) -> dict[Ean, tuple[str, str]]:
    """Return the energy and the kind of meter of each of `eans`."""
    columns = (access_point.c.ean, access_point.c.energy, access_point.c.meter_kind)
    rows = tx.execute(select(*columns).where(access_point.c.ean.in_(eans)))
    return {ean: (energy, meter_kind) for ean, energy, meter_kind in rows}
