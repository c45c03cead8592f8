"""The examples of what register publishes, written by hand."""

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
    MeterRemoved,
    NetUserMovedIn,
    NetUserMovedOut,
    NetUserRegistered,
    SubHeadPointAdded,
)
from market.ean import Ean

POINT: Final = Ean("541448800000000017")
FACTORY: Final = Ean("541448800000000031")
NET_USER: Final = UUID("00000000-0000-4000-8000-000000000011")

REGISTER: Final[dict[tuple[str, int], Event]] = {
    ("AccessPointRegistered", 1): AccessPointRegistered(
        ean=POINT, energy="E", meter_kind="DIGITAL", registered_on=date(2026, 1, 1)
    ),
    ("AllocationPointAdded", 1): AllocationPointAdded(
        ean=POINT, allocation_point_id="1", direction="BOTH", added_on=date(2026, 1, 1)
    ),
    ("SubHeadPointAdded", 1): SubHeadPointAdded(
        ean=FACTORY,
        sub_ean=Ean("541448800000000048"),
        kind="PRODUCTION",
        sequence_number=1,
        installation_id="PV-0001",
        production_type="SOLAR",
        added_on=date(2026, 1, 1),
    ),
    ("MeterInstalled", 1): MeterInstalled(
        ean=POINT,
        meter_id="1SAG0000000002",
        meter_kind="DIGITAL",
        sequence_number=2,
        installed_at=datetime(2026, 11, 19, 9, 15, tzinfo=UTC),
    ),
    ("MeterRemoved", 1): MeterRemoved(
        ean=POINT, meter_id="1SAG0000000001", removed_at=datetime(2026, 11, 19, 9, 15, tzinfo=UTC)
    ),
    ("NetUserMovedIn", 1): NetUserMovedIn(
        ean=POINT, allocation_point_id="1", net_user_id=NET_USER, moved_in_on=date(2026, 1, 1)
    ),
    ("NetUserMovedOut", 1): NetUserMovedOut(
        ean=POINT, allocation_point_id="1", net_user_id=NET_USER, last_on=date(2026, 11, 19)
    ),
    ("AccessPointClosed", 1): AccessPointClosed(
        ean=POINT, last_on=date(2026, 11, 19), replaced_by="541448800000000055"
    ),
    ("NetUserRegistered", 1): NetUserRegistered(
        net_user_id=NET_USER,
        is_household=True,
        kbo="",
        # not a real ciphertext: a nonce of 12 bytes, then one byte and a tag of 16
        personal_data=bytes.fromhex("000102030405060708090a0b" + "ff" + "00" * 16),
        registered_at=datetime(2026, 1, 1, 8, 0, tzinfo=UTC),
    ),
}
