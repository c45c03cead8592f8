"""The end of a point: who uses it and what measures there ends with it."""

from __future__ import annotations

from datetime import timedelta

from eventlog.events import AccessPointClosed, AccessPointRegistered, Event, MeterRemoved, NetUserMovedOut
from market.channel import Energy
from market.local_time import day_start
from services.register.domain.commands import CloseAccessPoint
from services.register.domain.point import AccessPoint
from services.register.domain.refusals import RegistrationRefused


def close(command: CloseAccessPoint, state: AccessPoint, registration: AccessPointRegistered) -> list[Event]:
    """End the point after `last_on`, occupancies and meters first."""
    wished = AccessPointClosed(ean=command.ean, last_on=command.last_on, replaced_by=command.replaced_by)
    if state.closure == wished:
        return []
    if state.closure is not None:
        raise RegistrationRefused("the point is closed already, otherwise")
    if command.last_on < registration.registered_on:
        raise RegistrationRefused("the point does not exist yet on that day")
    if command.replaced_by == command.ean:
        raise RegistrationRefused("a point does not replace itself")
    return [*_departures(command, state), *_removals(command, state, Energy(registration.energy)), wished]


def check_replacement(state: AccessPoint, replacement: AccessPoint) -> None:
    """The point `replacement` may stand for the closed one `state`.

    Raises:
        RegistrationRefused: it is not registered, closed itself, or of the other energy.
    """
    if replacement.registration is None:
        raise RegistrationRefused("the register does not know the point that is to replace this one")
    if replacement.closure is not None:
        raise RegistrationRefused("the point that is to replace this one is closed itself")
    if state.registration is not None and state.registration.energy != replacement.registration.energy:
        raise RegistrationRefused("the point that is to replace this one is of the other energy")


def _departures(command: CloseAccessPoint, state: AccessPoint) -> list[Event]:
    if any(each.first_on > command.last_on for each in state.occupancies):
        raise RegistrationRefused("somebody moves in after that day")
    return [
        NetUserMovedOut(
            ean=command.ean,
            allocation_point_id=each.allocation_point_id,
            net_user_id=each.net_user_id,
            last_on=command.last_on,
        )
        for each in state.occupancies
        if each.last_on is None or each.last_on > command.last_on
    ]


def _removals(command: CloseAccessPoint, state: AccessPoint, energy: Energy) -> list[Event]:
    end = day_start(energy, command.last_on + timedelta(days=1))
    if any(each.installed_at >= end for each in state.meters):
        raise RegistrationRefused("a meter is installed after that day")
    return [
        MeterRemoved(ean=command.ean, meter_id=each.meter_id, removed_at=end)
        for each in state.meters
        if each.removed_at is None or each.removed_at > end
    ]
