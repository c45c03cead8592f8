"""The quarter-hour store on a real PostgreSQL: what messages leave in its rows, written out by hand."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Row, select, text

from eventlog.projection import Applied
from services.metering.message_ids import unpack_id
from services.metering.tables import block, block_input
from tests.examples import GAS_HOUSE, HOUSE, MARCH_DAY, OCTOBER_DAY, ORDINARY_DAY
from tests.quarter_store import Store, appended, open_store, records
from tests.readings import message_id, reading, record, withdrawal

pytestmark = pytest.mark.integration

GAS_ENERGY, GAS_VOLUME = "OFFTAKE_GAS_ENERGY_HOURLY", "OFFTAKE_GAS_VOLUME_HOURLY"
HOUR = timedelta(hours=1)


@pytest.fixture
def quarters(database_url: str) -> Iterator[Store]:
    with open_store(database_url) as store:
        yield store


def values(row: Row[Any]) -> list[int | None]:
    """The values of a block in a byte each."""
    return [None if v == 255 else v for v in struct.unpack(f"<{row.slice_count}B", row.slice_values)]


def test_a_whole_day_is_one_row_with_everything_said_of_it(quarters: Store) -> None:
    applied = quarters.apply(*records(reading([1] * 28 + [10] * 60 + [100] * 8, quality=(5, 90, 2, 6), sequence=4)))
    assert applied == Applied(applied_count=1)
    row = quarters.block()
    assert row.slice_values == struct.pack("<96B", *[1] * 28, *[10] * 60, *[100] * 8)
    assert row._asdict() | {"slice_values": None, "content_hash": None} == {
        "ean": 541448800000000017,
        "channel": 0,
        "day": ORDINARY_DAY,
        "meter_id": "",
        "meter_kind": 1,
        "slice_count": 96,
        "slice_values": None,
        "slice_quality": b"\x05\x5a\x02\x06",
        "slice_gas_factor": b"",
        "total": 1428,
        "day_total": 600,
        "present_count": 96,
        "estimated_count": 6,
        "weakest_quality": 2,
        "peak_value": 100,
        "peak_slice": 88,
        "message_id": UUID(message_id(1)).bytes,
        "source": "publisher",
        "source_at": datetime.fromisoformat("2026-11-20T04:00:00Z"),
        "source_sequence": 4,
        "content_hash": None,
        "slice_order": b"",
        "recorded_at": appended(0),
        "slice_recorded_at": b"",
        "input_count": 1,
        "has_inputs": False,
        "record_partition": 0,
        "record_offset": 0,
    }
    assert quarters.rows(select(block_input)) == []


def test_the_long_and_the_short_day_and_a_gas_day_of_25_hours_have_their_slices(quarters: Store) -> None:
    quarters.apply(*records(reading(list(range(1, 101)), day=OCTOBER_DAY), reading(list(range(92)), day=MARCH_DAY)))
    quarters.apply(record(reading(3, ean=GAS_HOUSE, day=date(2026, 10, 24), channel=GAS_VOLUME), 0))
    found = quarters.rows(select(block.c.slice_count, block.c.total, block.c.day_total).order_by(block.c.slice_count))
    # 25 October and 29 March are Sundays: all night.
    assert [tuple(row) for row in found] == [(25, 75, None), (92, 4186, 0), (100, 5050, 0)]


def test_a_value_beyond_16_bits_widens_its_block_alone(quarters: Store) -> None:
    quarters.apply(*records(reading(32767), reading(32768, channel="INJECTION_ACTIVE_QUARTER_HOURLY")))
    sizes = quarters.rows(select(block.c.channel, text("length(slice_values)")).order_by(block.c.channel))
    assert [tuple(row) for row in sizes] == [(0, 192), (128, 384)]


def test_all_values_missing_is_a_block_without_total_or_peak(quarters: Store) -> None:
    quarters.apply(*records(reading([None] * 96)))
    row = quarters.block()
    assert (row.total, row.day_total, row.peak_value, row.peak_slice) == (None, None, None, None)
    assert (row.present_count, row.slice_count, row.weakest_quality) == (0, 96, 0)
    assert (row.recorded_at, row.slice_recorded_at, row.input_count) == (appended(0), b"", 1)


def test_two_parts_make_a_day_and_both_are_kept(quarters: Store) -> None:
    morning, evening = reading([2] * 48, number=1), reading([3] * 48, number=2, first_slice=48, sent_after=HOUR)
    quarters.apply(*records(morning))
    assert (quarters.block().present_count, quarters.block().has_inputs) == (48, True)
    quarters.apply(*records(evening, first_offset=1))
    row = quarters.block()
    assert values(row) == [2] * 48 + [3] * 48
    assert (row.total, row.input_count, row.recorded_at, row.record_offset) == (240, 2, appended(1), 1)
    instants = [int(appended(offset).timestamp()) * 1_000_000 for offset in (0, 1)]
    assert row.slice_recorded_at == struct.pack("<BqBq", 48, instants[0], 48, instants[1])
    kept = quarters.rows(select(block_input).order_by(block_input.c.record_offset))
    assert [(each.first_slice, each.spoken_count, unpack_id(each.message_id)) for each in kept] == [
        (0, 48, message_id(1)),
        (48, 48, message_id(2)),
    ]


def test_validated_values_revise_estimates_and_only_changed_slices_move(quarters: Store) -> None:
    estimate = reading([5] * 96, number=1, quality=2)
    validated = reading([5] * 90 + [8] * 6, number=2, quality=(2, 48, 6, 48), sent_after=HOUR)
    quarters.apply(*records(estimate))
    applied = quarters.apply(*records(validated, first_offset=1))
    assert applied == Applied(applied_count=1)
    row = quarters.block()
    assert (row.total, row.estimated_count, row.weakest_quality, row.peak_value) == (498, 48, 2, 8)
    assert (unpack_id(row.message_id), row.input_count, row.record_offset) == (message_id(2), 2, 1)
    instants = [int(appended(offset).timestamp()) * 1_000_000 for offset in (0, 1)]
    assert row.slice_recorded_at == struct.pack("<BqBq", 48, instants[0], 48, instants[1])
    assert row.slice_order == b""
    kept = quarters.rows(select(block_input).order_by(block_input.c.record_offset))
    assert [(unpack_id(each.message_id), each.recorded_at, each.withdraws) for each in kept] == [
        (message_id(1), appended(0), False),
        (message_id(2), appended(1), False),
    ]
    assert kept[0].slice_values == struct.pack("<96B", *[5] * 96)


def test_an_older_message_that_comes_late_changes_nothing_but_is_kept(quarters: Store) -> None:
    quarters.apply(*records(reading(7, number=1, sent_after=HOUR)))
    quarters.apply(*records(reading(1, number=2), first_offset=1))
    row = quarters.block()
    assert (row.total, unpack_id(row.message_id), row.record_offset, row.recorded_at) == (
        672,
        message_id(1),
        0,
        appended(0),
    )
    assert (row.input_count, row.slice_order, row.slice_recorded_at) == (2, b"", b"")
    assert len(quarters.rows(select(block_input))) == 2


def test_a_definitive_factor_revises_the_energy_of_gas(quarters: Store) -> None:
    details: dict[str, Any] = {"ean": GAS_HOUSE, "channel": GAS_ENERGY}
    quarters.apply(record(reading(1000, number=1, gas_factor=(1, 24), **details), 0))
    quarters.apply(record(reading(1010, number=2, gas_factor=(2, 24), sent_after=HOUR, **details), 1))
    row = quarters.block()
    assert (row.slice_gas_factor, row.total, row.day_total) == (b"\x02\x18", 24240, None)
    assert row.recorded_at == appended(1)


def test_a_withdrawn_slice_stays_missing_until_a_later_value(quarters: Store) -> None:
    quarters.apply(*records(reading(4, number=1), withdrawal(1, number=2, first_slice=10, sent_after=2 * HOUR)))
    assert values(quarters.block())[9:12] == [4, None, 4]
    quarters.apply(*records(reading(5, number=3, sent_after=HOUR), first_offset=2))
    row = quarters.block()
    assert values(row)[9:12] == [5, None, 5]
    assert (row.total, row.present_count, row.input_count) == (475, 95, 3)
    quarters.apply(*records(reading([6], number=4, first_slice=10, sent_after=3 * HOUR), first_offset=3))
    assert values(quarters.block())[9:12] == [5, 6, 5]


def test_a_withdrawal_that_comes_first_keeps_out_the_older_value(quarters: Store) -> None:
    quarters.apply(*records(withdrawal(96, number=1, sent_after=HOUR)))
    assert (quarters.block().present_count, quarters.block().has_inputs) == (0, True)
    quarters.apply(*records(reading(4, number=2), first_offset=1))
    assert quarters.block().present_count == 0


def test_the_same_message_sent_again_is_no_input(quarters: Store) -> None:
    first = reading(4, number=1)
    quarters.apply(*records(first))
    assert quarters.apply(*records(first, first, first_offset=1)) == Applied(applied_count=0, redelivered_count=2)
    row = quarters.block()
    assert (row.input_count, row.has_inputs, row.record_offset) == (1, False, 0)
    second = reading(5, number=2, sent_after=HOUR)
    quarters.apply(*records(second, second, first, first_offset=3))
    assert (quarters.block().input_count, len(quarters.rows(select(block_input)))) == (2, 2)


def test_one_id_with_two_contents_is_a_conflict_and_both_compete(
    quarters: Store, caplog: pytest.LogCaptureFixture
) -> None:
    quarters.apply(*records(reading(4, number=1), reading(5, number=1, sequence=1)))
    quarters.apply(*records(reading(6, number=1, sequence=2), first_offset=2))
    assert (quarters.block().total, quarters.block().input_count) == (576, 3)
    assert [entry.getMessage() for entry in caplog.records if "id of another" in entry.getMessage()] == [
        "1 message(s) with the id of another one, in meter-readings/0 before offset 2",
        "1 message(s) with the id of another one, in meter-readings/0 before offset 3",
    ]
    assert HOUSE not in caplog.text
