"""One frozen dataclass per event type, a module per service."""

from __future__ import annotations

from typing import Final

from eventlog.events.event import Event
from eventlog.events.export import DataDelivered, DataRefused, HolderCredentialIssued, HolderCredentialRevoked
from eventlog.events.mandate import (
    ConsentSessionOpened,
    ConsentSessionUsed,
    DataAccessContractEnded,
    DataAccessContractSigned,
    MandateEnded,
    MandateExpired,
    MandateGranted,
    MandateToBeRenewed,
    MandateWithdrawn,
    ReturnRootRegistered,
)
from eventlog.events.metering import (
    BlockRevised,
    ConsumptionPeriodRecorded,
    MeterIndexRead,
    ReadingsRecorded,
    RunApplied,
    RunArrival,
)
from eventlog.events.register import (
    AccessPointClosed,
    AccessPointRegistered,
    AllocationPointAdded,
    MeterInstalled,
    MeterRemoved,
    NetUserMovedIn,
    NetUserMovedOut,
    NetUserRegistered,
    SubHeadPointAdded,
)

EVENT_TYPES: Final[dict[str, type[Event]]] = {
    event_type.__name__: event_type
    for event_type in (
        AccessPointClosed,
        AccessPointRegistered,
        AllocationPointAdded,
        BlockRevised,
        ConsentSessionOpened,
        ConsentSessionUsed,
        ConsumptionPeriodRecorded,
        DataAccessContractEnded,
        DataAccessContractSigned,
        DataDelivered,
        DataRefused,
        HolderCredentialIssued,
        HolderCredentialRevoked,
        MandateEnded,
        MandateExpired,
        MandateGranted,
        MandateToBeRenewed,
        MandateWithdrawn,
        MeterIndexRead,
        MeterInstalled,
        MeterRemoved,
        NetUserMovedIn,
        NetUserMovedOut,
        NetUserRegistered,
        ReadingsRecorded,
        ReturnRootRegistered,
        RunApplied,
        SubHeadPointAdded,
    )
}

__all__ = [
    "EVENT_TYPES",
    "AccessPointClosed",
    "AccessPointRegistered",
    "AllocationPointAdded",
    "BlockRevised",
    "ConsentSessionOpened",
    "ConsentSessionUsed",
    "ConsumptionPeriodRecorded",
    "DataAccessContractEnded",
    "DataAccessContractSigned",
    "DataDelivered",
    "DataRefused",
    "Event",
    "HolderCredentialIssued",
    "HolderCredentialRevoked",
    "MandateEnded",
    "MandateExpired",
    "MandateGranted",
    "MandateToBeRenewed",
    "MandateWithdrawn",
    "MeterIndexRead",
    "MeterInstalled",
    "MeterRemoved",
    "NetUserMovedIn",
    "NetUserMovedOut",
    "NetUserRegistered",
    "ReadingsRecorded",
    "ReturnRootRegistered",
    "RunApplied",
    "RunArrival",
    "SubHeadPointAdded",
]
