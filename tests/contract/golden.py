"""The examples of `schemas/avro/examples/` as events, written by hand; `readable` is how the files spell a value."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, date, datetime
from typing import Any, Final
from uuid import UUID

from eventlog.events import (
    BlockRevised,
    ConsumptionPeriodRecorded,
    Event,
    MeterIndexRead,
    ReadingsRecorded,
    RunApplied,
    RunArrival,
)
from market.ean import Ean
from tests.contract.golden_export import EXPORT
from tests.contract.golden_mandate import MANDATE
from tests.contract.golden_register import REGISTER

POINT: Final = Ean("541448800000000017")

GOLDEN: Final[dict[tuple[str, int], Event]] = {
    **REGISTER,
    **MANDATE,
    **EXPORT,
    ("ReadingsRecorded", 1): ReadingsRecorded(
        message_id="00000000-0000-4000-8000-000000000001",
        source="demo-publisher",
        source_at=datetime(2026, 11, 20, 4, 0, 0, 250_000, tzinfo=UTC),
        source_sequence=7,
        ean=POINT,
        meter_id="1SAG0000000001",
        meter_kind="DIGITAL",
        channel="OFFTAKE_ACTIVE_QUARTER_HOURLY",
        day=date(2026, 11, 19),
        first_slice=4,
        # 41, 0, missing, 2147483647: the greatest value, little-endian
        values=bytes.fromhex("290000000000000000000080ffffff7f"),
        quality=(5, 2, 0, 1, 2, 1),
        gas_factor=(),
        withdraws=False,
    ),
    ("RunApplied", 1): RunApplied(
        topic="meter-readings",
        partition=3,
        first_offset=100,
        next_offset=104,
        new_count=1,
        revised_count=1,
        unchanged_count=1,
        parked_count=1,
        oldest_day=date(2026, 10, 25),
        newest_day=date(2026, 11, 19),
    ),
    ("RunApplied", 2): RunApplied(
        topic="meter-readings",
        partition=3,
        first_offset=104,
        next_offset=108,
        new_count=3,
        revised_count=1,
        unchanged_count=0,
        parked_count=0,
        oldest_day=date(2026, 10, 25),
        newest_day=date(2026, 11, 19),
        arrivals=(
            RunArrival(
                source="demo-publisher",
                day=date(2026, 10, 25),
                energy="ELECTRICITY",
                new_count=1,
                completed_count=2,
                late_count=1,
                revised_count=1,
            ),
            RunArrival(
                source="demo-publisher",
                day=date(2026, 11, 19),
                energy="GAS",
                new_count=2,
                completed_count=1,
                late_count=0,
                revised_count=0,
            ),
        ),
    ),
    ("BlockRevised", 1): BlockRevised(
        ean=POINT,
        meter_id="",
        channel="OFFTAKE_GAS_ENERGY_HOURLY",
        day=date(2026, 3, 28),
        changed_count=23,
        source="demo-publisher",
        message_id="00000000-0000-4000-8000-000000000002",
    ),
    ("MeterIndexRead", 1): MeterIndexRead(
        message_id="00000000-0000-4000-8000-000000000003",
        source="demo-publisher",
        source_at=datetime(2026, 11, 20, 4, tzinfo=UTC),
        source_sequence=0,
        ean=POINT,
        meter_id="1CLA0000000001",
        meter_kind="CLASSIC",
        register="OFFTAKE_ACTIVE_NIGHT",
        read_on=date(2026, 11, 19),
        index=12_345_000,
        kind="NET_USER_CHANGED",
        quality="MEASURED",
        withdraws=False,
    ),
    ("ConsumptionPeriodRecorded", 1): ConsumptionPeriodRecorded(
        message_id="00000000-0000-4000-8000-000000000004",
        source="demo-publisher",
        source_at=datetime(2026, 11, 20, 4, tzinfo=UTC),
        source_sequence=1,
        ean=POINT,
        meter_id="",
        meter_kind="CLASSIC",
        register="OFFTAKE_GAS_VOLUME",
        first_day=date(2025, 11, 1),
        last_day=date(2026, 10, 31),
        volume=1_234_567,
        quality="ESTIMATED_VALIDATED",
        withdraws=False,
    ),
}


def readable(event: Event) -> dict[str, Any]:
    """The fields of `event` as the example files spell them: bytes in hex, days and instants in ISO 8601."""
    return {name: _spelled(value) for name, value in asdict(event).items()}


def _spelled(value: object) -> object:
    match value:
        case bytes():
            return value.hex()
        case datetime():
            return value.isoformat().replace("+00:00", "Z")
        case date():
            return value.isoformat()
        case UUID():
            return str(value)
        case tuple():
            return [_spelled(each) for each in value]
        case dict():
            return {name: _spelled(each) for name, each in value.items()}
        case _:
            return value
