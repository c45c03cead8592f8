"""From the records of a run to a table of readings: framing, damage, keys and the rules for single records."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import date, timedelta

import pytest

from eventlog import codec, registry
from eventlog.codec import HEADER_LENGTH
from eventlog.reason import Reason, Rule
from eventlog.topics import partition_of
from market.ean import check_digit
from services.metering import decode as decode_module
from services.metering.keys import read_eans
from services.metering.run_table import Readings, read_run
from services.metering.wire_length import wire_lengths
from tests.examples import FACTORY, HOUSE, HOUSE_REGISTERED, MARCH_DAY, OCTOBER_DAY
from tests.readings import PARTITION_COUNT, LogRecord, reading, record, run, withdrawal

GAS_ENERGY = "OFFTAKE_GAS_ENERGY_HOURLY"


def read(*records: LogRecord) -> Readings:
    return read_run(run(records), partition_count=PARTITION_COUNT)


def reason(bad: LogRecord) -> Reason:
    """Why `bad` is refused; the good record before it is not."""
    readings = read(record(reading(1), 0), bad)
    assert sum(len(group.table) for group in readings.groups) == 1
    assert list(readings.refused) == [1]
    return readings.refused[1]


def test_days_of_different_lengths_come_out_as_a_group_each() -> None:
    readings = read(
        record(reading(1), 0),
        record(reading(1, day=OCTOBER_DAY), 1),
        record(reading(1, day=MARCH_DAY), 2),
        record(reading(1, day=date(2026, 10, 24), channel="OFFTAKE_GAS_VOLUME_HOURLY"), 3),
        record(reading(1, channel="OFFTAKE_PEAK_MONTHLY", day=date(2026, 10, 1)), 4),
    )
    assert [group.slice_count for group in readings.groups] == [1, 25, 92, 96, 100]
    assert readings.refused == {}


def test_a_part_lies_where_it_belongs_and_is_silent_elsewhere() -> None:
    (group,) = read(record(reading([3, None, 5], first_slice=93, quality=(5, 1, 0, 1, 2, 1)), 0)).groups
    assert group.messages.values[0, 92:].tolist() == [-(2**31), 3, -(2**31), 5]
    assert group.messages.quality[0, 92:].tolist() == [0, 5, 0, 2]
    assert group.messages.speaks[0].nonzero()[0].tolist() == [93, 95]
    assert group.table["is_plain"].to_list() == [False]


def test_a_withdrawal_speaks_of_the_slices_that_it_names() -> None:
    (group,) = read(record(withdrawal(2, first_slice=4), 0)).groups
    assert group.messages.speaks[0].nonzero()[0].tolist() == [4, 5]


def test_a_missing_value_has_no_quality_whatever_its_sender_says() -> None:
    (group,) = read(record(reading([None] * 90 + [1] * 6, quality=6), 0)).groups
    assert group.messages.quality[0].tolist() == [0] * 90 + [6] * 6


@pytest.mark.parametrize(
    ("rule", "words", "bad"),
    [
        (Rule.SLICES_OUTSIDE_DAY, "fit into the day", reading([1] * 97)),
        (Rule.SLICES_OUTSIDE_DAY, "fit into the day", reading([1] * 2, first_slice=95)),
        (Rule.SLICES_OUTSIDE_DAY, "fit into the day", reading([1] * 2, first_slice=-1)),
        (Rule.SLICES_OUTSIDE_DAY, "fit into the day", reading([1] * 96, day=MARCH_DAY)),
        (Rule.VALUES_EMPTY, "there are no values", reading([], quality=())),
        (Rule.MONTH_NOT_ON_FIRST, "first day", reading(1, channel="OFFTAKE_PEAK_MONTHLY", day=date(2026, 10, 2))),
        (Rule.METER_KIND_UNKNOWN, "kind of meter is unknown", reading(1, meter_kind="UNKNOWN")),
        (Rule.CHANNEL_UNKNOWN, "channel is unknown", replace(reading(1), channel="UNKNOWN")),
        (Rule.QUALITY_MISSING, "there is no quality", reading(1, quality=())),
        (Rule.QUALITY_MISFIT, "quality does not fit", reading(1, quality=(5, 95))),
        (Rule.QUALITY_MISFIT, "quality does not fit", reading(1, quality=(5, 96, 6))),
        (Rule.QUALITY_MISFIT, "quality does not fit", reading(1, quality=(7, 96))),
        (Rule.QUALITY_MISFIT, "quality does not fit", reading(1, quality=(5, 96, 6, 0))),
        (Rule.QUALITY_MISFIT, "quality does not fit", reading(1, quality=(5, 2**31 - 1, 5, 2**31 - 1, 5, 98))),
        (Rule.QUALITY_MISSING, "has no quality", reading(1, quality=(0, 96))),
        (Rule.FACTOR_UNEXPECTED, "channel has no gas factor", reading(1, gas_factor=(1, 96))),
        (Rule.FACTOR_MISFIT, "gas factor does not fit", reading(1, channel=GAS_ENERGY, gas_factor=(4, 24))),
        (Rule.WITHDRAWAL_WITH_VALUES, "withdrawal holds values", reading(1, withdraws=True)),
        (Rule.SOURCE_AT_OUT_OF_RANGE, "source_at", reading(1, sent_after=timedelta(days=365 * 500))),
        (Rule.DAY_OUT_OF_RANGE, "day is none", reading([1] * 96, day=date(1989, 12, 31))),
        (Rule.TEXT_TOO_LONG, "meter_id is longer", reading(1, meter_id="M" * 65)),
        (Rule.TEXT_TOO_LONG, "source is longer than 100 bytes or holds a NUL", reading(1, source="a\0b")),
        (Rule.VALUES_DAMAGED, "whole 32-bit numbers", replace(reading(1), values=b"\0" * 383)),
    ],
)
def test_a_reading_that_breaks_a_rule_is_refused_alone(rule: Rule, words: str, bad: object) -> None:
    found = reason(record(bad, 1))  # type: ignore[arg-type]
    assert words in found.text
    assert found.rule == rule


def test_a_record_that_is_no_reading_is_refused_alone() -> None:
    good = codec.encode(reading(1))
    assert "not an Avro single object" in reason(record(b"{}", 1)).text
    unknown = reason(record(b"\xc3\x01" + bytes(8) + good[10:], 1))
    assert unknown == Reason(Rule.UNKNOWN_SCHEMA, "no schema has this fingerprint")
    assert "AccessPointRegistered is not a reading" in reason(record(codec.encode(HOUSE_REGISTERED), 1)).text
    assert "no value" in reason(replace(record(good, 1), value=None)).text
    assert "damaged" in reason(record(good[:-1], 1)).text
    assert "bytes are left over" in reason(record(good + b"\0", 1)).text


def test_a_record_with_a_wrong_key_is_refused_alone() -> None:
    house = record(reading(1), 1)
    assert "the EAN is not that of the key" in reason(record(reading(1), 1, key=b"541448800000000048")).text
    assert "another partition" in reason(replace(record(reading(1, ean=FACTORY), 1), partition=house.partition)).text
    assert "check digit" in reason(record(reading(1), 1, key=b"541448800000000006")).text
    assert "not an EAN" in reason(replace(house, key=b"54144880000000001x")).text
    assert "not an EAN" in reason(replace(house, key=b"541")).text
    assert "not an EAN" in reason(replace(house, key=None)).text


def test_reasons_hold_no_ean() -> None:
    readings = read(record(reading([1] * 97), 0), record(b"?", 1), record(reading(1), 2, key=b"541448800000000048"))
    assert len(readings.refused) == 3
    assert not any(HOUSE in why.text for why in readings.refused.values())


def test_partitions_of_a_whole_run_are_those_of_single_keys() -> None:
    bodies = [f"54144880{number:09d}" for number in range(0, 999_999_999, 7_654_321)]
    keys = [f"{body}{check_digit(body)}".encode() for body in bodies]
    for partition in range(48):
        eans, refused = read_eans(keys, partition=partition, partition_count=48)
        mine = [place for place, key in enumerate(keys) if partition_of(key, 48) == partition]
        assert [place for place in range(len(keys)) if place not in refused] == mine
        assert [int(eans[place]) for place in mine] == [int(keys[place]) for place in mine]


def test_the_length_on_the_wire_is_worked_out_for_every_shape_of_reading() -> None:
    events = [
        reading(1),
        reading([None, 70_000], first_slice=94, quality=(0, 1, 5, 1), sequence=-(2**63), meter_id="é" * 30),
        reading(1, channel=GAS_ENERGY, gas_factor=(1, 20, 2, 4), sequence=2**63 - 1),
        reading(1, quality=(5, 1) * 96, number=7, source=""),
    ]
    values = [codec.encode(event) for event in events]
    schema = registry.published().newest("ReadingsRecorded")
    frame = decode_module._decode_together(decode_module._Writer(schema, HEADER_LENGTH), values)
    assert wire_lengths(frame, schema.parsed).tolist() == [len(value) - HEADER_LENGTH for value in values]


def _kept(readings: Readings) -> list[object]:
    """What was read, in order of offset."""
    return [row for group in readings.groups for row in group.table.drop("row", "pick").sort("record_offset").rows()]


def _damaged(chance: random.Random, value: bytes) -> bytes:
    """Return `value` with a byte changed, lost, doubled or put in, behind its header."""
    place = chance.randrange(HEADER_LENGTH, len(value))
    other = bytes([chance.randrange(256)])
    return chance.choice(
        [
            value[:place] + other + value[place + 1 :],
            value[:place] + value[place + 1 :],
            value[:place] + other + value[place:],
            value[:place] + value[place:] * 2,
        ]
    )


@pytest.mark.parametrize("seed", range(5))
def test_a_damaged_record_never_changes_what_is_read_of_its_neighbours(seed: int) -> None:
    chance = random.Random(seed)
    values = [codec.encode(reading(place, number=place)) for place in range(60)]
    for place in chance.sample(range(60), 5):
        values[place] = _damaged(chance, values[place])
    records = [record(value, offset) for offset, value in enumerate(values)]
    alone = [read(each) for each in records]
    together = read(*records)
    assert _kept(together) == [row for readings in alone for row in _kept(readings)]
    assert together.refused.keys() == {place for place, readings in enumerate(alone) if readings.refused}
