"""Which events follow from a command about an access point."""

from __future__ import annotations

from typing import Literal, assert_never

from eventlog.events import AccessPointRegistered, AllocationPointAdded, Event
from market.channel import MeterKind
from services.register.domain.closing import close
from services.register.domain.commands import (
    AddAllocationPoint,
    AddSubHeadPoint,
    CloseAccessPoint,
    InstallMeter,
    MoveIn,
    MoveOut,
    PointCommand,
    RegisterAccessPoint,
    SwapMeter,
)
from services.register.domain.metering import install, swap
from services.register.domain.moving import move_in, move_out
from services.register.domain.parts import add_allocation_point, add_sub_head_point
from services.register.domain.point import AccessPoint
from services.register.domain.refusals import NoSuchPoint, RegistrationRefused

FIRST_ALLOCATION_POINT = "1"


def decide(command: PointCommand, state: AccessPoint) -> list[Event]:
    """Return the events that follow from `command`; an empty list when it was carried out just so before.

    Raises:
        NoSuchPoint: the point is not registered.
        RegistrationRefused: a rule forbids the command.
    """
    if isinstance(command, RegisterAccessPoint):
        return _register(command, state)
    if state.registration is None:
        raise NoSuchPoint
    match command:
        case AddAllocationPoint():
            return add_allocation_point(command, state, state.registration)
        case AddSubHeadPoint():
            return add_sub_head_point(command, state, state.registration)
        case InstallMeter():
            return install(command, state, state.registration)
        case SwapMeter():
            return swap(command, state)
        case MoveIn():
            return move_in(command, state, state.registration)
        case MoveOut():
            return move_out(command, state)
        case CloseAccessPoint():
            return close(command, state, state.registration)
        case _:
            assert_never(command)


def _register(command: RegisterAccessPoint, state: AccessPoint) -> list[Event]:
    if command.meter_kind is MeterKind.UNKNOWN:
        raise RegistrationRefused("the kind of meter must be known when a point is registered")
    wished = AccessPointRegistered(
        ean=command.ean,
        energy=command.energy.value,
        meter_kind=command.meter_kind.name,
        registered_on=command.registered_on,
    )
    first = AllocationPointAdded(
        ean=command.ean,
        allocation_point_id=FIRST_ALLOCATION_POINT,
        direction=command.direction,
        added_on=command.registered_on,
    )
    if state.registration is None:
        return [wished, first]
    if state.registration == wished and first in state.allocation_points:
        return []
    raise RegistrationRefused(f"the point is already registered with another {_difference(state.registration, wished)}")


def _difference(
    known: AccessPointRegistered, wished: AccessPointRegistered
) -> Literal["energy", "kind of meter", "first day", "direction"]:
    if known.energy != wished.energy:
        return "energy"
    if known.meter_kind != wished.meter_kind:
        return "kind of meter"
    if known.registered_on != wished.registered_on:
        return "first day"
    return "direction"
