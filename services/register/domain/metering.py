"""Meters of a point: one at a time, each with its half-open period; a swap may be inside a day."""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise

from eventlog.events import AccessPointRegistered, Event, MeterInstalled, MeterRemoved
from market.channel import Energy, MeterKind
from market.ean import Ean
from market.local_time import day_start
from services.register.domain.commands import InstallMeter, SwapMeter
from services.register.domain.point import AccessPoint
from services.register.domain.refusals import RegistrationRefused


def install(command: InstallMeter, state: AccessPoint, registration: AccessPointRegistered) -> list[Event]:
    """A first meter, or one after a time without."""
    wished = (command.meter_id, command.meter_kind.name, command.installed_at)
    if any((each.meter_id, each.meter_kind, each.installed_at) == wished for each in state.meters):
        return []
    _check(state, command.meter_id, command.meter_kind)
    newest = state.meters[-1] if state.meters else None
    if newest is not None and newest.removed_at is None:
        raise RegistrationRefused("another meter measures here; swap it")
    if newest is not None and newest.removed_at is not None and command.installed_at < newest.removed_at:
        raise RegistrationRefused("another meter measured here at that instant")
    if command.installed_at < day_start(Energy(registration.energy), registration.registered_on):
        raise RegistrationRefused("the point does not exist yet at that instant")
    return [_installed(command.ean, state, command.meter_id, command.meter_kind, command.installed_at)]


def swap(command: SwapMeter, state: AccessPoint) -> list[Event]:
    """One meter goes and the next comes at the same instant."""
    if _is_swapped(command, state):
        return []
    _check(state, command.meter_id, command.meter_kind)
    newest = state.meters[-1] if state.meters else None
    if newest is None or newest.removed_at is not None:
        raise RegistrationRefused("no meter measures here; install one")
    if command.removed_meter_id not in {"", newest.meter_id}:
        raise RegistrationRefused("another meter than the one to be removed measures here")
    if command.swapped_at <= newest.installed_at:
        raise RegistrationRefused("the meter that measures here was installed at that instant or after it")
    return [
        MeterRemoved(ean=command.ean, meter_id=newest.meter_id, removed_at=command.swapped_at),
        _installed(command.ean, state, command.meter_id, command.meter_kind, command.swapped_at),
    ]


def _is_swapped(command: SwapMeter, state: AccessPoint) -> bool:
    return any(
        (after.meter_id, after.meter_kind) == (command.meter_id, command.meter_kind.name)
        and after.installed_at == before.removed_at == command.swapped_at
        and command.removed_meter_id in {"", before.meter_id}
        for before, after in pairwise(state.meters)
    )


def _check(state: AccessPoint, meter_id: str, meter_kind: MeterKind) -> None:
    if meter_kind is MeterKind.UNKNOWN:
        raise RegistrationRefused("the kind of meter must be known when it is installed")
    if state.closure is not None:
        raise RegistrationRefused("the point is closed; its meters stay as they were")
    if any(each.meter_id == meter_id for each in state.meters):
        raise RegistrationRefused("a meter of this number has measured here before")


def _installed(
    ean: Ean, state: AccessPoint, meter_id: str, meter_kind: MeterKind, installed_at: datetime
) -> MeterInstalled:
    return MeterInstalled(
        ean=ean,
        meter_id=meter_id,
        meter_kind=meter_kind.name,
        sequence_number=len(state.meters) + 1,
        installed_at=installed_at,
    )
