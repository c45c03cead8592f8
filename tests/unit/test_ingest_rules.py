"""A reading is taken whole or refused with its reason; what is taken is in normal form."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pytest

from eventlog.events import ReadingsRecorded
from market.quality import GasFactor, Quality
from services.metering.block_input import Refusal
from services.metering.draft import Draft, Sender
from services.metering.packing import Unpackable
from services.metering.rules import Bounds, Refused, check, check_all
from tests.examples import GAS_HOUSE, GAS_METER, HOUSE, HOUSE_METER, MARCH_DAY, NOON, OCTOBER_DAY, ORDINARY_DAY

MISSING = -(2**31)
PUBLISHER = Sender(client_id="publisher-1", speaks_for_others=False)
OPERATOR = Sender(client_id="operator-1", speaks_for_others=True)


def packed(*values: int) -> bytes:
    return np.array(values, dtype="<i4").tobytes()


def reading(count: int = 96, **changes: Any) -> ReadingsRecorded:
    event = ReadingsRecorded(
        message_id="",
        source="publisher-1",
        source_at=datetime(2026, 11, 20, 4, tzinfo=UTC),
        source_sequence=0,
        ean=HOUSE,
        meter_id=HOUSE_METER,
        meter_kind="DIGITAL",
        channel="OFFTAKE_ACTIVE_QUARTER_HOURLY",
        day=ORDINARY_DAY,
        first_slice=0,
        values=packed(*range(count)),
        quality=(Quality.MEASURED, count),
        gas_factor=(),
        withdraws=False,
    )
    return replace(event, **changes)


def draft(event: ReadingsRecorded, *, is_part: bool = False, line: int = 1, has_own_id: bool = False) -> Draft:
    return Draft(line=line, event=event, is_part=is_part, has_own_id=has_own_id)


def checked(event: ReadingsRecorded, *, is_part: bool = False, sender: Sender = PUBLISHER) -> ReadingsRecorded:
    return check(draft(event, is_part=is_part), sender, now=NOON, bounds=Bounds()).event


def reason(event: ReadingsRecorded, *, is_part: bool = False, has_own_id: bool = False) -> str:
    with pytest.raises((Refused, Unpackable)) as refused:
        check(draft(event, is_part=is_part, has_own_id=has_own_id), PUBLISHER, now=NOON, bounds=Bounds())
    assert event.ean not in str(refused.value)
    return str(refused.value)


def test_a_whole_day_passes_as_it_is() -> None:
    assert checked(reading()) == reading()


@pytest.mark.parametrize(("day", "count"), [(ORDINARY_DAY, 96), (MARCH_DAY, 92), (OCTOBER_DAY, 100)])
def test_each_day_takes_as_many_quarters_as_it_has(day: date, count: int) -> None:
    assert checked(reading(count, day=day)).day == day


def test_96_values_for_the_day_of_100_quarters_are_refused() -> None:
    assert reason(reading(96, day=OCTOBER_DAY)) == (
        "day 2026-10-25 has 100 quarters, but there are 96 values; declare a part if that is meant"
    )


def test_96_values_for_the_day_of_100_quarters_are_taken_as_a_part() -> None:
    assert len(checked(reading(96, day=OCTOBER_DAY), is_part=True).values) == 4 * 96


def test_97_quarters_are_refused_also_as_a_part() -> None:
    assert reason(reading(97), is_part=True) == (
        "day 2026-11-19 has 96 quarters, but the values are for slices 0 to 96 (counted from 0)"
    )


def test_a_part_ends_within_its_day() -> None:
    assert checked(reading(4, first_slice=92), is_part=True).first_slice == 92
    assert "slices 93 to 96" in reason(reading(4, first_slice=93), is_part=True)
    assert "slices -1 to 2" in reason(reading(4, first_slice=-1), is_part=True)


def test_a_gas_day_over_the_change_of_october_began_the_day_before() -> None:
    hours = reading(25, ean=GAS_HOUSE, channel="OFFTAKE_GAS_VOLUME_HOURLY", day=date(2026, 10, 24))
    assert checked(hours) == hours
    assert "gas day 2026-10-25 has 24 hours" in reason(replace(hours, day=date(2026, 10, 25)))


def test_a_wrong_check_digit_is_refused() -> None:
    assert reason(reading(ean="541448800000000018")) == "the check digit of the EAN is wrong"


def test_an_unknown_channel_is_refused() -> None:
    assert reason(reading(channel="OFFTAKE_ACTIVE")) == "no channel is called 'OFFTAKE_ACTIVE'"
    assert reason(reading(channel="UNKNOWN")) == "no channel is called 'UNKNOWN'"


@pytest.mark.parametrize("kind", ["UNKNOWN", "digital", "", "SMART"])
def test_a_kind_of_meter_that_nobody_knows_is_refused(kind: str) -> None:
    assert reason(reading(meter_kind=kind)) == "meter_kind must be DIGITAL, AMR or CLASSIC"


@pytest.mark.parametrize("meter_id", ["", GAS_METER, "A", "A-1/2 b.c_d", "x" * 64])
def test_the_number_of_a_meter_is_taken(meter_id: str) -> None:
    assert checked(reading(meter_id=meter_id)).meter_id == meter_id


@pytest.mark.parametrize("meter_id", ["x" * 65, "=1+1", " A", "A ", "A;B", 'A"', "A\n", "é", "@A", "-A"])
def test_a_number_of_a_meter_that_a_file_could_not_hold_is_refused(meter_id: str) -> None:
    assert reason(reading(meter_id=meter_id)).startswith("meter_id must be at most 64 letters")


def test_a_day_must_be_plausible() -> None:
    assert reason(reading(day=date(1999, 12, 31))) == "day 1999-12-31 is before 2000-01-01, the oldest day taken"
    assert checked(reading(day=date(2026, 11, 21))).day == date(2026, 11, 21)
    assert reason(reading(day=date(2026, 11, 22))) == "day 2026-11-22 has not begun yet"


def test_a_month_is_named_by_its_first_day() -> None:
    peak = reading(1, channel="OFFTAKE_PEAK_MONTHLY", day=date(2026, 10, 1))
    assert checked(peak) == peak
    assert "not the first of a month" in reason(replace(peak, day=date(2026, 10, 2)))


def test_a_negative_value_is_refused_where_the_quantity_cannot_be() -> None:
    values = packed(*[1] * 95, -1)
    assert reason(reading(values=values)) == "the value of slice 95 is negative, which this channel cannot be"
    assert checked(reading(values=values, channel="OFFTAKE_REACTIVE_QUARTER_HOURLY")).values == values


def test_values_are_whole_32_bit_numbers() -> None:
    assert reason(reading(values=b"\0" * 383)).startswith("values are not whole 32-bit numbers")
    assert reason(reading(values=b"")) == "there are no values"


def test_runs_of_quality_must_sum_to_the_slices() -> None:
    assert reason(reading(quality=(5, 95))) == "quality is for 95 slices, but there are 96 values"
    assert reason(reading(quality=(5, 96, 5))) == "quality must be pairs of a code and a count of slices"
    assert reason(reading(quality=(5, 97, 5, -1))) == "quality must be pairs of a code and a count of slices"
    assert reason(reading(quality=(5, 2**62, 5, 2**62))) == "quality must be pairs of a code and a count of slices"
    assert reason(reading(quality=(7, 96))) == "quality has a code that is not known"
    assert reason(reading(quality=())) == "quality is for 0 slices, but there are 96 values"


def test_a_value_cannot_have_quality_missing() -> None:
    assert reason(reading(quality=(5, 95, 0, 1))) == "a slice with a value has quality MISSING"


def test_a_missing_slice_gets_quality_missing_and_equal_runs_become_one() -> None:
    values = packed(*[1] * 48, *[MISSING] * 2, *[1] * 46)
    event = checked(reading(values=values, quality=(5, 10, 5, 60, 2, 26)))
    assert event.quality == (5, 48, 0, 2, 5, 20, 2, 26)


def test_only_gas_energy_has_a_gas_factor() -> None:
    assert reason(reading(gas_factor=(1, 96))) == "only gas energy (kWh) has a gas factor"
    energy = reading(24, ean=GAS_HOUSE, channel="OFFTAKE_GAS_ENERGY_HOURLY")
    assert checked(energy).gas_factor == ()
    assert checked(replace(energy, gas_factor=(1, 12, 2, 12))).gas_factor == (1, 12, 2, 12)
    assert "for 23 slices" in reason(replace(energy, gas_factor=(1, 23)))
    missing = packed(*[MISSING] * 4, *range(20))
    assert checked(replace(energy, values=missing, gas_factor=(2, 24))).gas_factor == (
        GasFactor.NONE,
        4,
        GasFactor.DEFINITIVE,
        20,
    )


def test_a_withdrawal_holds_no_values() -> None:
    assert reason(reading(withdraws=True)) == "a withdrawal holds no values: all of them must be missing"
    withdrawal = checked(reading(values=packed(*[MISSING] * 96), withdraws=True))
    assert withdrawal.quality == (Quality.MISSING, 96)


def test_a_publisher_is_its_own_source_and_an_operator_may_name_another() -> None:
    assert reason(reading(source="publisher-2")) == "source must be your own client id, or left out"
    assert checked(reading(source="publisher-2"), sender=OPERATOR).source == "publisher-2"
    with pytest.raises(Refused, match="source must be 1 to 64"):
        checked(reading(source="a\nb"), sender=OPERATOR)


def test_a_source_in_the_future_would_outrank_every_correction() -> None:
    assert checked(reading(source_at=datetime(2026, 11, 21, 11, 59, tzinfo=UTC)))
    assert "in the future" in reason(reading(source_at=datetime(2026, 11, 21, 12, 0, 1, tzinfo=UTC)))
    assert "time zone" in reason(reading(source_at=datetime(2026, 11, 20, 4)))  # noqa: DTZ001


def test_an_own_message_id_is_a_uuid() -> None:
    assert reason(reading(message_id="7"), has_own_id=True) == "message_id must be a UUID with its dashes, or left out"
    own = draft(reading(message_id="3F2504E0-4F89-11D3-9A0C-0305E82C3301"), has_own_id=True)
    assert check(own, PUBLISHER, now=NOON, bounds=Bounds()) == own


def test_two_values_for_one_slice_in_one_body_refuse_both_lines() -> None:
    drafts = [
        draft(reading(48), is_part=True, line=1),
        draft(reading(48, first_slice=48), is_part=True, line=2),
        draft(reading(10, first_slice=40), is_part=True, line=3),
        draft(reading(day=date(2026, 11, 18)), line=4),
        draft(reading(source_sequence=1), line=5),
    ]
    kept, refusals = check_all(drafts, PUBLISHER, now=NOON, bounds=Bounds())
    assert [each.line for each in kept] == [4, 5]
    assert refusals == [
        Refusal(1, "lines 1 and 3 both give a value for the same slice"),
        Refusal(2, "lines 2 and 3 both give a value for the same slice"),
        Refusal(3, "lines 3 and 1 both give a value for the same slice"),
    ]


def test_messages_with_ids_of_their_own_may_speak_of_the_same_slice() -> None:
    ids = ("3f2504e0-4f89-11d3-9a0c-0305e82c3301", "3f2504e0-4f89-11d3-9a0c-0305e82c3302")
    drafts = [draft(reading(message_id=each), line=line, has_own_id=True) for line, each in enumerate(ids, 1)]
    assert check_all(drafts, PUBLISHER, now=NOON, bounds=Bounds()) == (drafts, [])


def test_a_broken_line_is_refused_and_the_rest_is_kept() -> None:
    drafts = [draft(reading(95), line=7), draft(reading(), line=9)]
    kept, refusals = check_all(drafts, PUBLISHER, now=NOON, bounds=Bounds())
    assert kept == [drafts[1]]
    assert [refusal.line for refusal in refusals] == [7]
