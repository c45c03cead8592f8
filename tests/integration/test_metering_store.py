"""The quarter-hour store on a real PostgreSQL: what runs of records leave in its tables, written out by hand."""

from __future__ import annotations

import dataclasses
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, Row, select, text

from eventlog import codec
from eventlog.checkpoint import Claim, Fenced
from eventlog.database import create_engine, create_tables, is_outage
from eventlog.events import ReadingsRecorded
from eventlog.projection import Applied
from eventlog.tables import dead_letter, event
from market.ean import Ean
from services.metering import store, tables
from services.metering.projector import BlockProjection
from services.metering.store import ReceiptState
from services.metering.tables import block, block_input
from tests.examples import FACTORY, GAS_HOUSE, HOUSE, MARCH_DAY, OCTOBER_DAY, ORDINARY_DAY
from tests.readings import APPENDED_AT, PARTITION_COUNT, LogRecord, message_id, reading, record, run, withdrawal

pytestmark = pytest.mark.integration

GAS_ENERGY, GAS_VOLUME = "OFFTAKE_GAS_ENERGY_HOURLY", "OFFTAKE_GAS_VOLUME_HOURLY"
NEIGHBOUR = Ean("541448800000000048")
"""On the partition of HOUSE."""
HOUR = timedelta(hours=1)


@dataclass
class Store:
    """A store of its own; `apply` plays the consumer for the partition of the records."""

    engine: Engine
    projection: BlockProjection
    claims: dict[int, Claim] = dataclasses.field(default_factory=dict)

    def apply(self, *records: LogRecord) -> Applied:
        """Apply the records as one run."""
        partition = records[0].partition
        claim = self.claims.get(partition) or self.projection.claim(partition, "test")
        applied = self.projection.apply(claim, run(records))
        self.claims[partition] = dataclasses.replace(claim, next_offset=records[-1].offset + 1)
        return applied

    def rows(self, query: Any) -> Sequence[Row[Any]]:
        with self.engine.connect() as connection:
            return connection.execute(query).all()

    def block(self) -> Row[Any]:
        """The only block there is."""
        (row,) = self.rows(select(block))
        return row

    def events(self) -> list[Any]:
        """What lies in the outbox, in order."""
        return [codec.decode(row.payload) for row in self.rows(select(event).order_by(event.c.position))]


@pytest.fixture
def quarters(database_url: str) -> Iterator[Store]:
    engine = create_engine(database_url, application_name="test")
    create_tables(engine, tables.metadata)
    projection = BlockProjection(engine=engine, database_url=database_url, partition_count=PARTITION_COUNT)
    yield Store(engine, projection)
    projection.close()
    engine.dispose()


def appended(offset: int) -> datetime:
    return APPENDED_AT + timedelta(seconds=offset)


def records(*events: ReadingsRecorded, first_offset: int = 0) -> list[LogRecord]:
    return [record(each, first_offset + place) for place, each in enumerate(events)]


def values(row: Row[Any]) -> list[int | None]:
    """The values of a block in two bytes each."""
    return [None if v == -32768 else v for v in struct.unpack(f"<{row.slice_count}h", row.slice_values)]


def test_a_whole_day_is_one_row_with_everything_said_of_it(quarters: Store) -> None:
    applied = quarters.apply(*records(reading([1] * 28 + [10] * 60 + [100] * 8, quality=(5, 90, 2, 6), sequence=4)))
    assert applied == Applied(applied_count=1)
    row = quarters.block()
    assert row.slice_values == struct.pack("<96h", *[1] * 28, *[10] * 60, *[100] * 8)
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
        "night_total": 828,
        "present_count": 96,
        "missing_count": 0,
        "estimated_count": 6,
        "weakest_quality": 2,
        "peak_value": 100,
        "peak_slice": 88,
        "message_id": message_id(1),
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
    assert (row.present_count, row.missing_count, row.weakest_quality) == (0, 96, 0)
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
    assert [(each.first_slice, each.spoken_count, each.message_id) for each in kept] == [
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
    assert (row.message_id, row.input_count, row.record_offset) == (message_id(2), 2, 1)
    instants = [int(appended(offset).timestamp()) * 1_000_000 for offset in (0, 1)]
    assert row.slice_recorded_at == struct.pack("<BqBq", 48, instants[0], 48, instants[1])
    assert row.slice_order == b""
    kept = quarters.rows(select(block_input).order_by(block_input.c.record_offset))
    assert [(each.message_id, each.recorded_at, each.withdraws) for each in kept] == [
        (message_id(1), appended(0), False),
        (message_id(2), appended(1), False),
    ]
    assert kept[0].slice_values == struct.pack("<96h", *[5] * 96)


def test_an_older_message_that_comes_late_changes_nothing_but_is_kept(quarters: Store) -> None:
    quarters.apply(*records(reading(7, number=1, sent_after=HOUR)))
    quarters.apply(*records(reading(1, number=2), first_offset=1))
    row = quarters.block()
    assert (row.total, row.message_id, row.record_offset, row.recorded_at) == (672, message_id(1), 0, appended(0))
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
    assert (row.total, row.missing_count, row.input_count) == (475, 1, 3)
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


def test_a_run_tells_what_it_did(quarters: Store) -> None:
    quarters.apply(*records(reading(1, number=1), reading(1, number=2, ean=NEIGHBOUR, day=OCTOBER_DAY)))
    change = reading([9, 9], number=3, first_slice=4, sent_after=HOUR)
    quarters.apply(*records(change, reading(1, number=1), first_offset=2), record(b"?", 4))
    told = quarters.events()
    names = ("new_count", "revised_count", "unchanged_count", "parked_count", "first_offset", "next_offset")
    assert [[getattr(each, name) for name in names] for each in told[:2]] == [[2, 0, 0, 0, 0, 2], [0, 1, 1, 1, 2, 5]]
    assert (told[0].oldest_day, told[0].newest_day) == (OCTOBER_DAY, ORDINARY_DAY)
    assert (told[2].ean, told[2].channel, told[2].day) == (HOUSE, "OFFTAKE_ACTIVE_QUARTER_HOURLY", ORDINARY_DAY)
    assert (told[2].changed_count, told[2].message_id, told[2].source) == (2, message_id(3), "publisher")
    streams = quarters.rows(select(event.c.stream_id, event.c.stream_version, event.c.key).order_by(event.c.position))
    assert [tuple(row) for row in streams] == [
        ("run:meter-readings:0", 1, b"run:meter-readings:0"),
        ("run:meter-readings:0", 2, b"run:meter-readings:0"),
        (f"point:{HOUSE}", 1, HOUSE.encode()),
    ]


def test_bad_records_are_parked_with_their_reason_and_the_run_goes_on(quarters: Store) -> None:
    other = dataclasses.replace(record(reading(1, ean=FACTORY), 2), partition=0)
    applied = quarters.apply(record(reading(1), 0), record(b"no reading", 1), other, record(reading([1] * 97), 3))
    assert applied == Applied(applied_count=1, parked_count=3)
    letters = quarters.rows(select(dead_letter.c.record_offset, dead_letter.c.reason).order_by("record_offset"))
    assert [tuple(row) for row in letters] == [
        (1, "not an Avro single object"),
        (2, "the key belongs to another partition"),
        (3, "the slices do not fit into the day"),
    ]
    states = [store.receipt_state(quarters.engine, 0, offset) for offset in range(5)]
    assert states == [ReceiptState.STORED, *[ReceiptState.PARKED] * 3, ReceiptState.WAITING]


def test_a_run_that_is_applied_already_is_fenced_and_writes_nothing(quarters: Store) -> None:
    (sent,) = records(reading(1))
    quarters.apply(sent)
    quarters.claims[0] = dataclasses.replace(quarters.claims[0], next_offset=0)
    with pytest.raises(Fenced):
        quarters.apply(sent)
    assert quarters.block().input_count == 1
    assert len(quarters.events()) == 1


def test_a_member_that_lost_its_claim_is_fenced(quarters: Store) -> None:
    quarters.apply(*records(reading(1)))
    quarters.projection.claim(0, "another member")
    with pytest.raises(Fenced):
        quarters.apply(*records(reading(2, number=2, sent_after=HOUR), first_offset=1))
    assert quarters.block().total == 96


def test_a_rebuild_tells_nobody(quarters: Store) -> None:
    quarters.projection.publishes = False
    quarters.apply(*records(reading(1), reading(2, number=2, sent_after=HOUR)))
    assert quarters.events() == []
    assert quarters.block().total == 192


def test_a_run_in_which_nothing_can_be_kept_only_parks(quarters: Store) -> None:
    assert quarters.apply(record(b"?", 0)) == Applied(applied_count=0, parked_count=1)
    assert quarters.events() == []


def test_every_column_has_a_comment(quarters: Store) -> None:
    silent = (
        "select column_name from information_schema.columns where table_schema = current_schema() and table_name in "
    )
    silent += "('block', 'block_input') and col_description(table_name::regclass, ordinal_position) is null"
    assert quarters.rows(text(silent)) == []


def test_a_connection_that_was_lost_is_an_outage_and_not_used_again(quarters: Store) -> None:
    quarters.apply(*records(reading(1)))
    with quarters.engine.begin() as tx:
        tx.execute(
            text(
                "select pg_terminate_backend(pid, 5000) from pg_stat_activity where pid <> pg_backend_pid() "
                "and usename = current_user and application_name = 'metering-block'"
            )
        )
    change = records(reading(2, number=2, sent_after=HOUR), first_offset=1)
    with pytest.raises(Exception, match="terminating connection") as lost:
        quarters.apply(*change)
    assert is_outage(lost.value)
    quarters.apply(*change)
    assert quarters.block().total == 192
