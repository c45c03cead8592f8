"""What the access register decides: one stream per access point, `point:<EAN>`. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from functools import reduce
from typing import Final

from eventlog.events import AccessPointRegistered, Event
from market.channel import Energy, MeterKind
from market.ean import Ean


class RegistrationRefused(Exception):
    """A rule forbids the command; the message says which, without naming the point."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterAccessPoint:
    """Take a dwelling or business unit into the register.

    `registered_on` is the first local day (gas: gas day) on which the point exists.
    """

    ean: Ean
    energy: Energy
    meter_kind: MeterKind
    registered_on: date


@dataclass(frozen=True, slots=True)
class AccessPoint:
    """The state of one point; `registration` is None as long as the register does not know it."""

    registration: AccessPointRegistered | None = None


UNKNOWN_POINT: Final = AccessPoint()


def stream_of(ean: Ean) -> str:
    """The stream that holds all events of the point."""
    return f"point:{ean}"


def decide(command: RegisterAccessPoint, state: AccessPoint) -> list[Event]:
    """Return the events that follow from `command`; an empty list when the point is already registered just so.

    Raises:
        RegistrationRefused: a rule forbids the command.
    """
    if command.meter_kind is MeterKind.UNKNOWN:
        raise RegistrationRefused("the kind of meter must be known when a point is registered")
    wished = AccessPointRegistered(
        ean=command.ean,
        energy=command.energy.value,
        meter_kind=command.meter_kind.name,
        registered_on=command.registered_on,
    )
    if state.registration is None:
        return [wished]
    if state.registration == wished:
        return []
    raise RegistrationRefused(f"the point is already registered with another {_difference(state.registration, wished)}")


def evolve(state: AccessPoint, event: Event) -> AccessPoint:
    """Return the state after `event`."""
    if isinstance(event, AccessPointRegistered):
        return AccessPoint(registration=event)
    return state


def fold(events: Iterable[Event]) -> AccessPoint:
    """Return the state after all `events` of one stream, in order."""
    return reduce(evolve, events, UNKNOWN_POINT)


def _difference(known: AccessPointRegistered, wished: AccessPointRegistered) -> str:
    if known.energy != wished.energy:
        return "energy"
    if known.meter_kind != wished.meter_kind:
        return "kind of meter"
    return "first day"
