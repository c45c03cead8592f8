"""The state of a point's mandates, out of its events.

One stream per access point, `point:<EAN>`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import reduce
from uuid import UUID

from eventlog.events import (
    Event,
    MandateEnded,
    MandateExpired,
    MandateGranted,
    MandateToBeRenewed,
    MandateWithdrawn,
)
from services.mandate.domain.validity import local_day


@dataclass(frozen=True, slots=True, kw_only=True)
class Mandate:
    """The state of one mandate. `end` is the earliest known end from outside, ahead or behind."""

    granted: MandateGranted
    end: MandateEnded | None = None
    is_to_be_renewed: bool = False
    is_withdrawn: bool = False
    is_expired: bool = False

    @property
    def is_over(self) -> bool:
        """Whether the net user or the calendar has ended it."""
        return self.is_withdrawn or self.is_expired

    def has_ended(self, now: datetime) -> bool:
        """Whether it is over at `now` (UTC), or its end has come."""
        return self.is_over or (self.end is not None and self.end.ends_on <= local_day(now))


@dataclass(frozen=True, slots=True)
class Mandates:
    """All mandates of one point, by id."""

    by_id: Mapping[UUID, Mandate] = field(default_factory=dict)


def stream_of(ean: str) -> str:
    """The stream that holds all events of the point's mandates."""
    return f"point:{ean}"


def evolve(state: Mandates, event: Event) -> Mandates:
    """Return the state after `event`."""
    match event:
        case MandateGranted():
            return _with(state, Mandate(granted=event))
        case MandateToBeRenewed():
            return _with(state, replace(state.by_id[event.mandate_id], is_to_be_renewed=True))
        case MandateExpired():
            return _with(state, replace(state.by_id[event.mandate_id], is_expired=True))
        case MandateWithdrawn():
            return _with(state, replace(state.by_id[event.mandate_id], is_withdrawn=True))
        case MandateEnded():
            return _with(state, replace(state.by_id[event.mandate_id], end=event))
        case _:
            return state


def _with(state: Mandates, mandate: Mandate) -> Mandates:
    return Mandates({**state.by_id, mandate.granted.mandate_id: mandate})


def fold(events: Iterable[Event]) -> Mandates:
    """Return the state after all `events` of one stream, in order."""
    return reduce(evolve, events, Mandates())
