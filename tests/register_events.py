"""Events of the register that its tests speak of (invented), and how they begin a sentence."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Final
from uuid import UUID

from eventlog.events import (
    AccessPointClosed,
    AccessPointRegistered,
    AllocationPointAdded,
    Event,
    MeterInstalled,
    NetUserMovedIn,
    NetUserMovedOut,
)
from market.ean import Ean
from services.register.domain import AccessPoint, PointCommand, decide, fold
from tests.examples import FACTORY, GAS_HOUSE, HOUSE, HOUSE_METER, HOUSE_REGISTERED
from tests.spec import Given, given

ANNA: Final = UUID("00000000-0000-4000-8000-00000000000a")
BERT: Final = UUID("00000000-0000-4000-8000-00000000000b")
FACTORY_SUN: Final = Ean("541448800000000048")
FREE_EAN: Final = Ean("541448800000000055")

NEW_YEAR: Final = date(2026, 1, 1)
METER_INSTALLED_AT: Final = datetime(2026, 1, 1, 8, 0, tzinfo=UTC)

HOUSE_ALLOCATED: Final = AllocationPointAdded(
    ean=HOUSE, allocation_point_id="1", direction="OFFTAKE", added_on=NEW_YEAR
)
HOUSE_INJECTS: Final = AllocationPointAdded(
    ean=HOUSE, allocation_point_id="2", direction="INJECTION", added_on=NEW_YEAR
)
NEW_HOUSE: Final = (HOUSE_REGISTERED, HOUSE_ALLOCATED)

FACTORY_REGISTERED: Final = AccessPointRegistered(ean=FACTORY, energy="E", meter_kind="AMR", registered_on=NEW_YEAR)
NEW_FACTORY: Final = (
    FACTORY_REGISTERED,
    AllocationPointAdded(ean=FACTORY, allocation_point_id="1", direction="BOTH", added_on=NEW_YEAR),
)

NEW_GAS_HOUSE: Final = (
    AccessPointRegistered(ean=GAS_HOUSE, energy="G", meter_kind="DIGITAL", registered_on=NEW_YEAR),
    AllocationPointAdded(ean=GAS_HOUSE, allocation_point_id="1", direction="OFFTAKE", added_on=NEW_YEAR),
)

METER_INSTALLED: Final = MeterInstalled(
    ean=HOUSE, meter_id=HOUSE_METER, meter_kind="DIGITAL", sequence_number=1, installed_at=METER_INSTALLED_AT
)


def moved_in(who: UUID, on: date, *, place: str = "1") -> NetUserMovedIn:
    """`who` came to the house."""
    return NetUserMovedIn(ean=HOUSE, allocation_point_id=place, net_user_id=who, moved_in_on=on)


def moved_out(who: UUID, last_on: date, *, place: str = "1") -> NetUserMovedOut:
    """`who` left the house."""
    return NetUserMovedOut(ean=HOUSE, allocation_point_id=place, net_user_id=who, last_on=last_on)


def closed(last_on: date, *, replaced_by: str = "") -> AccessPointClosed:
    """The house is closed."""
    return AccessPointClosed(ean=HOUSE, last_on=last_on, replaced_by=replaced_by)


def known(*past: Event) -> Given[PointCommand, AccessPoint]:
    """What has happened so far to one point, to the register's decider."""
    return given(decide, fold, past)
