"""One frozen dataclass per event type, a module per service."""

from __future__ import annotations

from typing import Final

from eventlog.events.event import Event
from eventlog.events.export import DataDelivered
from eventlog.events.mandate import DataAccessContractSigned
from eventlog.events.metering import BlockRevised, ReadingsRecorded, RunApplied
from eventlog.events.register import AccessPointRegistered

EVENT_TYPES: Final[dict[str, type[Event]]] = {
    event_type.__name__: event_type
    for event_type in (
        AccessPointRegistered,
        BlockRevised,
        DataAccessContractSigned,
        DataDelivered,
        ReadingsRecorded,
        RunApplied,
    )
}

__all__ = [
    "EVENT_TYPES",
    "AccessPointRegistered",
    "BlockRevised",
    "DataAccessContractSigned",
    "DataDelivered",
    "Event",
    "ReadingsRecorded",
    "RunApplied",
]
