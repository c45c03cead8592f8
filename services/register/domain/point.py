"""The state of one access point, as its events make it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import reduce
from typing import Final
from uuid import UUID

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Meter:
    """A meter and its period [installed_at, removed_at) in UTC; `removed_at` is None while it measures."""

    meter_id: str
    meter_kind: str
    installed_at: datetime
    removed_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Occupancy:
    """A net user at one allocation point, both days inclusive; `last_on` is None while no end is known."""

    allocation_point_id: str
    net_user_id: UUID
    first_on: date
    last_on: date | None = None


@dataclass(frozen=True, slots=True)
class AccessPoint:
    """One point; `registration` is None as long as the register does not know it. Tuples are in order of time."""

    registration: AccessPointRegistered | None = None
    allocation_points: tuple[AllocationPointAdded, ...] = ()
    sub_head_points: tuple[SubHeadPointAdded, ...] = ()
    meters: tuple[Meter, ...] = ()
    occupancies: tuple[Occupancy, ...] = ()
    closure: AccessPointClosed | None = None


UNKNOWN_POINT: Final = AccessPoint()


def stream_of(ean: Ean) -> str:
    """The stream that holds all events of the point."""
    return f"point:{ean}"


def evolve(state: AccessPoint, event: Event) -> AccessPoint:
    """Return the state after `event`."""
    match event:
        case AccessPointRegistered():
            return replace(state, registration=event)
        case AllocationPointAdded():
            return replace(state, allocation_points=(*state.allocation_points, event))
        case SubHeadPointAdded():
            return replace(state, sub_head_points=(*state.sub_head_points, event))
        case MeterInstalled() | MeterRemoved():
            return replace(state, meters=_with_meter(state.meters, event))
        case NetUserMovedIn() | NetUserMovedOut():
            return replace(state, occupancies=_with_occupancy(state.occupancies, event))
        case AccessPointClosed():
            return replace(state, closure=event)
        case _:
            return state


def fold(events: Iterable[Event]) -> AccessPoint:
    """Return the state after all `events` of one stream, in order."""
    return reduce(evolve, events, UNKNOWN_POINT)


def _with_meter(meters: tuple[Meter, ...], event: MeterInstalled | MeterRemoved) -> tuple[Meter, ...]:
    if isinstance(event, MeterInstalled):
        new = Meter(meter_id=event.meter_id, meter_kind=event.meter_kind, installed_at=event.installed_at)
        return (*meters, new)
    return tuple(
        replace(each, removed_at=event.removed_at) if each.meter_id == event.meter_id else each for each in meters
    )


def _with_occupancy(
    occupancies: tuple[Occupancy, ...], event: NetUserMovedIn | NetUserMovedOut
) -> tuple[Occupancy, ...]:
    if isinstance(event, NetUserMovedIn):
        new = Occupancy(
            allocation_point_id=event.allocation_point_id,
            net_user_id=event.net_user_id,
            first_on=event.moved_in_on,
        )
        return (*occupancies, new)
    newest = newest_occupancy(occupancies, event.allocation_point_id)
    return tuple(replace(each, last_on=event.last_on) if each is newest else each for each in occupancies)


def newest_occupancy(occupancies: Iterable[Occupancy], allocation_point_id: str) -> Occupancy | None:
    """Return who came last to the allocation point, there still or not; None where nobody ever did."""
    there = [each for each in occupancies if each.allocation_point_id == allocation_point_id]
    return there[-1] if there else None
