"""Allocation points and sub head points: what an access point consists of."""

from __future__ import annotations

from typing import Final

from eventlog.events import AccessPointRegistered, AllocationPointAdded, Event, SubHeadPointAdded
from market.channel import MeterKind
from services.register.domain.commands import AddAllocationPoint, AddSubHeadPoint
from services.register.domain.point import AccessPoint
from services.register.domain.refusals import RegistrationRefused

MAX_OFFTAKE_POINTS: Final = 2  # the second is for charging points of vehicles
_TAKES: Final = {"OFFTAKE", "BOTH"}
_INJECTS: Final = {"INJECTION", "BOTH"}


def add_allocation_point(
    command: AddAllocationPoint, state: AccessPoint, registration: AccessPointRegistered
) -> list[Event]:
    """Offtake alone has one allocation point; injection may have its own, and charging points a second offtake.

    Source: technical regulation, article 4.1.2.
    """
    wished = AllocationPointAdded(
        ean=command.ean,
        allocation_point_id=command.allocation_point_id,
        direction=command.direction,
        added_on=command.added_on,
    )
    if wished in state.allocation_points:
        return []
    if state.closure is not None:
        raise RegistrationRefused("the point is closed; nothing is added to it")
    if any(each.allocation_point_id == command.allocation_point_id for each in state.allocation_points):
        raise RegistrationRefused("the point has an allocation point of this number, and it is another")
    if command.added_on < registration.registered_on:
        raise RegistrationRefused("the point does not exist yet on that day")
    directions = [each.direction for each in (*state.allocation_points, wished)]
    if sum(each in _INJECTS for each in directions) > 1:
        raise RegistrationRefused("injection of the point is attributed already")
    if sum(each in _TAKES for each in directions) > MAX_OFFTAKE_POINTS:
        raise RegistrationRefused("a point has at most two allocation points for offtake")
    return [wished]


def add_sub_head_point(
    command: AddSubHeadPoint, state: AccessPoint, registration: AccessPointRegistered
) -> list[Event]:
    """A measurement behind an AMR point; one that produces says what, the others produce nothing."""
    for known in state.sub_head_points:
        if known.sub_ean == command.sub_ean:
            return _unchanged_or_refused(command, known)
    if state.closure is not None:
        raise RegistrationRefused("the point is closed; nothing is added to it")
    if kind_of_point(state, registration) != MeterKind.AMR.name:
        raise RegistrationRefused("only an AMR point has sub head points")
    if command.sub_ean == command.ean:
        raise RegistrationRefused("a sub head point has an EAN of its own")
    if command.added_on < registration.registered_on:
        raise RegistrationRefused("the point does not exist yet on that day")
    if (command.kind == "PRODUCTION") != bool(command.production_type):
        raise RegistrationRefused("a production point says what produces, and no other does")
    return [_added(command, len(state.sub_head_points) + 1)]


def kind_of_point(state: AccessPoint, registration: AccessPointRegistered) -> str:
    """Return the kind of the newest meter, or the registered one where no meter is known."""
    return state.meters[-1].meter_kind if state.meters else registration.meter_kind


def _unchanged_or_refused(command: AddSubHeadPoint, known: SubHeadPointAdded) -> list[Event]:
    if _added(command, known.sequence_number) != known:
        raise RegistrationRefused("the sub head point is there already, and it is another")
    return []


def _added(command: AddSubHeadPoint, sequence_number: int) -> SubHeadPointAdded:
    return SubHeadPointAdded(
        ean=command.ean,
        sub_ean=command.sub_ean,
        kind=command.kind,
        sequence_number=sequence_number,
        installation_id=command.installation_id,
        production_type=command.production_type,
        added_on=command.added_on,
    )
