"""Net users come and go: one at a time at each allocation point, in whole days.

An end that is known may still become earlier, never later, and nothing that began is undone: what was cut stays cut
(`last_on` of the newest event counts). A correction that would do so is refused.
"""

from __future__ import annotations

from datetime import timedelta

from eventlog.events import AccessPointRegistered, Event, NetUserMovedIn, NetUserMovedOut
from services.register.domain.commands import MoveIn, MoveOut
from services.register.domain.point import AccessPoint, Occupancy, newest_occupancy
from services.register.domain.refusals import RegistrationRefused


def move_in(command: MoveIn, state: AccessPoint, registration: AccessPointRegistered) -> list[Event]:
    """A net user comes; who was there until then goes the day before."""
    coming = [place for place in _places(command, state) if not _has_come(command, place, state)]
    if coming and state.closure is not None:
        raise RegistrationRefused("the point is closed; nobody moves in")
    if command.moved_in_on < registration.registered_on:
        raise RegistrationRefused("the point does not exist yet on that day")
    return [event for place in coming for event in _come(command, place, state)]


def move_out(command: MoveOut, state: AccessPoint) -> list[Event]:
    """A net user goes."""
    places = _places(command, state)
    ended = [each for each in state.occupancies if each.allocation_point_id in places and _has_gone(command, each)]
    newest = [newest_occupancy(state.occupancies, place) for place in places]
    theirs = [each for each in newest if each is not None and each.net_user_id == command.net_user_id]
    if not theirs and not ended:
        raise RegistrationRefused("this net user is not here, or another came since")
    return [event for each in theirs if each not in ended for event in _go(command, each)]


def _places(command: MoveIn | MoveOut, state: AccessPoint) -> list[str]:
    known = [each.allocation_point_id for each in state.allocation_points]
    if command.allocation_point_id is None:
        return known
    if command.allocation_point_id not in known:
        raise RegistrationRefused("the point has no such allocation point")
    return [command.allocation_point_id]


def _has_come(command: MoveIn, place: str, state: AccessPoint) -> bool:
    wished = (place, command.net_user_id, command.moved_in_on)
    return any((each.allocation_point_id, each.net_user_id, each.first_on) == wished for each in state.occupancies)


def _has_gone(command: MoveOut, occupancy: Occupancy) -> bool:
    return (occupancy.net_user_id, occupancy.last_on) == (command.net_user_id, command.last_on)


def _come(command: MoveIn, place: str, state: AccessPoint) -> list[Event]:
    newest = newest_occupancy(state.occupancies, place)
    added_on = {each.allocation_point_id: each.added_on for each in state.allocation_points}
    if command.moved_in_on < added_on[place]:
        raise RegistrationRefused("the allocation point does not exist yet on that day")
    arrival = NetUserMovedIn(
        ean=command.ean,
        allocation_point_id=place,
        net_user_id=command.net_user_id,
        moved_in_on=command.moved_in_on,
    )
    if newest is None or (newest.last_on is not None and newest.last_on < command.moved_in_on):
        return [arrival]
    if command.moved_in_on <= newest.first_on:
        raise RegistrationRefused("somebody moved in on that day or after it; a move-in is not put before another")
    if newest.net_user_id == command.net_user_id:
        raise RegistrationRefused("this net user is here since an earlier day")
    return [_departure(command, newest), arrival]


def _departure(command: MoveIn, newest: Occupancy) -> NetUserMovedOut:
    return NetUserMovedOut(
        ean=command.ean,
        allocation_point_id=newest.allocation_point_id,
        net_user_id=newest.net_user_id,
        last_on=command.moved_in_on - timedelta(days=1),
    )


def _go(command: MoveOut, occupancy: Occupancy) -> list[Event]:
    if command.last_on < occupancy.first_on:
        raise RegistrationRefused("this net user moved in after that day")
    if occupancy.last_on is not None and occupancy.last_on < command.last_on:
        raise RegistrationRefused("this net user moved out on an earlier day; an end does not become later")
    return [
        NetUserMovedOut(
            ean=command.ean,
            allocation_point_id=occupancy.allocation_point_id,
            net_user_id=command.net_user_id,
            last_on=command.last_on,
        )
    ]
