"""What is expected of a point, what of it is there, and what its months come to; all figures counted by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from market.channel import BY_NAME, Channel, Energy, MeterKind
from services.metering.arrow_blocks import StoredBlock
from services.metering.byte_column import ByteColumn
from services.metering.completeness import BlockFigures, By, Row, Sent, rows_of
from services.metering.expected import Installed, expected_channels
from services.metering.months import Peak, day_figures, months_of, opened_figures, peak_history, peak_of
from services.metering.runs import encode_codes
from services.metering.stored_values import MISSING, encode_values
from tests.examples import GAS_HOUSE, HOUSE

DAY = date(2026, 10, 20)
OCTOBER_CHANGE = date(2026, 10, 25)  # 100 quarters
NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)
QUARTERS, INJECTED = BY_NAME["OFFTAKE_ACTIVE_QUARTER_HOURLY"], BY_NAME["INJECTION_ACTIVE_QUARTER_HOURLY"]
GAS_VOLUME, GAS_ENERGY = BY_NAME["OFFTAKE_GAS_VOLUME_HOURLY"], BY_NAME["OFFTAKE_GAS_ENERGY_HOURLY"]
DAY_REGISTER, NIGHT_REGISTER = BY_NAME["OFFTAKE_ACTIVE_DAY_DAILY"], BY_NAME["OFFTAKE_ACTIVE_NIGHT_DAILY"]
HOME = Installed(
    ean=HOUSE,
    energy=Energy.ELECTRICITY,
    meter_kind=MeterKind.DIGITAL,
    kind="",
    first_on=date(2026, 1, 1),
    last_on=None,
    directions={"OFFTAKE": date(2026, 1, 1)},
)
GAS_HOME = replace(HOME, ean=GAS_HOUSE, energy=Energy.GAS)
IN_TIME = datetime(2026, 10, 21, 5, tzinfo=UTC)


def figures(channel: Channel = QUARTERS, day: date = DAY, **changes: Any) -> BlockFigures:
    block = BlockFigures(
        channel=channel.code,
        day=day,
        meter_kind=1,
        slice_count=96,
        present_count=96,
        estimated_count=0,
        slice_quality=bytes([5, 96]),
        recorded_at=IN_TIME,
    )
    return replace(block, **changes)


def row(installed: Installed | None, *blocks: BlockFigures, day: date = DAY, now: datetime = NOW) -> Row:
    [only] = rows_of(installed, blocks, day, day, now=now, by=By.DAY)
    return only


def test_a_house_is_to_deliver_its_quarters_in_the_directions_it_uses() -> None:
    assert expected_channels(HOME, DAY) == {QUARTERS}
    both = replace(HOME, directions={"OFFTAKE": date(2026, 1, 1), "INJECTION": DAY})
    assert expected_channels(both, DAY) == {QUARTERS, INJECTED}
    assert expected_channels(both, DAY - timedelta(days=1)) == {QUARTERS}


def test_gas_is_to_come_in_both_units_from_a_digital_meter_and_in_energy_from_amr() -> None:
    assert expected_channels(GAS_HOME, DAY) == {GAS_VOLUME, GAS_ENERGY}
    assert expected_channels(replace(GAS_HOME, meter_kind=MeterKind.AMR), DAY) == {GAS_ENERGY}


def test_a_sub_head_point_is_to_deliver_what_it_measures() -> None:
    panel = replace(HOME, kind="PRODUCTION", meter_kind=MeterKind.AMR, directions={})
    assert expected_channels(panel, DAY) == {BY_NAME["PRODUCTION_ACTIVE_QUARTER_HOURLY"]}


def test_nothing_is_expected_before_the_point_after_it_and_of_a_classic_meter() -> None:
    closed = replace(HOME, first_on=DAY, last_on=DAY)
    assert expected_channels(closed, DAY) == {QUARTERS}
    assert expected_channels(closed, DAY - timedelta(days=1)) == frozenset()
    assert expected_channels(closed, DAY + timedelta(days=1)) == frozenset()
    assert expected_channels(replace(HOME, meter_kind=MeterKind.CLASSIC), DAY) == frozenset()


def test_a_day_that_brought_day_values_alone_is_in_the_monthly_regime() -> None:
    assert expected_channels(HOME, DAY, [DAY_REGISTER]) == {DAY_REGISTER, NIGHT_REGISTER}
    assert expected_channels(HOME, DAY, [DAY_REGISTER, QUARTERS]) == {QUARTERS}


def test_a_whole_day_has_nothing_missing() -> None:
    assert row(HOME, figures()) == Row(
        first_on=DAY,
        channel=QUARTERS,
        expected=96,
        present=96,
        missing=0,
        not_yet_due=0,
        estimated=0,
        late=0,
        unexpected=0,
        revised_blocks=0,
    )


def test_the_calendar_says_how_many_slices_a_day_has() -> None:
    october = row(HOME, figures(day=OCTOBER_CHANGE, present_count=96), day=OCTOBER_CHANGE)
    assert (october.expected, october.present, october.missing) == (100, 96, 4)
    march = row(HOME, day=date(2026, 3, 29))
    assert (march.expected, march.present, march.missing) == (92, 0, 92)
    gas = rows_of(GAS_HOME, [], date(2026, 10, 24), date(2026, 10, 24), now=NOW, by=By.DAY)
    assert [(each.channel, each.expected) for each in gas] == [(GAS_VOLUME, 25), (GAS_ENERGY, 25)]


def test_what_may_still_come_in_time_is_not_missing() -> None:
    due_at = datetime(2026, 10, 21, 22, tzinfo=UTC)  # the end of the local day after
    before, after = row(HOME, now=due_at), row(HOME, now=due_at + timedelta(seconds=1))
    assert (before.missing, before.not_yet_due) == (0, 96)
    assert (after.missing, after.not_yet_due) == (96, 0)


def test_estimates_and_what_came_late_are_counted() -> None:
    late = figures(present_count=90, estimated_count=5, slice_quality=bytes([2, 5, 5, 85, 0, 6]), recorded_at=NOW)
    found = row(HOME, late)
    assert (found.present, found.missing, found.estimated, found.late, found.revised_blocks) == (90, 6, 5, 90, 0)


def test_of_a_day_in_parts_only_what_came_late_is_late_and_nothing_is_revised() -> None:
    morning, evening = Sent(IN_TIME, bytes([5, 60, 0, 36])), Sent(NOW, bytes([0, 60, 5, 36]))
    assert counted(morning, evening) == (36, 0)
    assert counted(morning, Sent(IN_TIME, bytes([0, 60, 5, 36]))) == (0, 0)


def test_a_value_that_replaces_one_that_came_in_time_revises_the_block_and_is_not_late() -> None:
    estimated, measured = Sent(IN_TIME, bytes([2, 96])), Sent(NOW, bytes([5, 96]))
    assert counted(estimated, measured) == (0, 1)
    assert counted(Sent(NOW, bytes([0, 96]), True), measured) == (96, 1)


def counted(*messages: Sent) -> tuple[int, int]:
    """How many slices of a day that is whole now are late, and whether it was revised."""
    found = row(HOME, figures(messages=messages))
    return found.late, found.revised_blocks


def test_two_meters_of_one_day_are_one_day_and_their_common_slice_counts_once() -> None:
    """The old meter has quarters 0 to 40, the new one 40 (estimated) to 94: 95 of them, and the last is missing."""
    old = figures(present_count=41, slice_quality=bytes([5, 41, 0, 55]))
    new = figures(present_count=55, estimated_count=1, slice_quality=bytes([0, 40, 2, 1, 5, 54, 0, 1]))
    swapped = row(HOME, old, replace(new, recorded_at=NOW))
    assert (swapped.expected, swapped.present, swapped.missing) == (96, 95, 1)
    assert (swapped.estimated, swapped.late) == (1, 55)


def test_what_nobody_expected_is_counted_apart() -> None:
    stray = row(None, figures())
    assert (stray.expected, stray.present, stray.missing, stray.unexpected) == (0, 96, 0, 96)


def test_months_and_years_are_the_sums_of_their_days() -> None:
    first, last = date(2026, 10, 1), date(2026, 11, 30)
    blocks = [figures(day=DAY), figures(day=date(2026, 11, 1), present_count=50)]
    october, november = rows_of(HOME, blocks, first, last, now=datetime(2027, 1, 5, tzinfo=UTC), by=By.MONTH)
    assert (october.first_on, october.expected, october.present) == (first, 31 * 96 + 4, 96)
    assert (november.first_on, november.expected, november.missing) == (date(2026, 11, 1), 2_880, 2_830)
    [year] = rows_of(HOME, blocks, first, last, now=datetime(2027, 1, 5, tzinfo=UTC), by=By.YEAR)
    assert (year.first_on, year.expected, year.present) == (date(2026, 1, 1), 31 * 96 + 4 + 2_880, 146)


def packed(values: Sequence[int | None], *, quality: int = 5, day: date = DAY, at: datetime = IN_TIME) -> StoredBlock:
    row = np.array([[MISSING if value is None else value for value in values]], dtype=np.int32)
    codes = np.where(row == MISSING, 0, quality).astype(np.uint8)

    def only(column: ByteColumn) -> bytes:
        [data] = column.to_list()
        return bytes(data)

    return StoredBlock(
        ean=int(HOUSE),
        day=day,
        channel=QUARTERS.code,
        meter_id="A",
        meter_kind=1,
        slice_count=len(values),
        slice_values=only(encode_values(row)),
        slice_quality=only(encode_codes(codes)),
        slice_gas_factor=b"",
        slice_recorded_at=b"",
        recorded_at=at,
    )


def test_the_peak_is_the_first_of_the_highest_slices() -> None:
    day = opened_figures([packed([1, 9, None, 9] + [0] * 92)])
    assert (day.total, day.peak_value, day.peak_slice, day.weakest_quality) == (19, 9, 1, 5)
    assert peak_of([day]) == Peak(value=9, starts_at=datetime(2026, 10, 19, 22, 15, tzinfo=UTC), quality=5)
    assert peak_of([opened_figures([packed([None] * 96)])]) is None


def test_the_hour_that_comes_twice_in_october_makes_no_peak() -> None:
    twice = packed([5] * 100, day=OCTOBER_CHANGE)
    assert peak_of([opened_figures([twice])]) == Peak(
        value=5, starts_at=datetime(2026, 10, 24, 22, tzinfo=UTC), quality=5
    )


def test_the_slice_of_a_meter_swap_is_the_sum_of_its_parts_and_counts_once() -> None:
    old, new = packed([4] * 48 + [3] + [None] * 47), packed([None] * 48 + [2] + [4] * 47, quality=2)
    day = opened_figures([old, new])
    assert (day.total, day.peak_value, day.peak_slice, day.weakest_quality) == (4 * 95 + 5, 5, 48, 2)


def test_a_single_block_is_not_opened_but_for_the_quality_of_its_peak() -> None:
    block = packed([1] * 96)
    columns = {"total": 1_000, "peak_value": 77, "peak_slice": 95, "weakest_quality": 2}
    [day] = day_figures([(block, columns)])
    assert (day.total, day.peak_value, day.peak_slice, day.peak_quality, day.weakest_quality) == (1_000, 77, 95, 5, 2)


def test_a_month_is_final_once_nothing_is_missing_or_to_come() -> None:
    last = date(2026, 10, 31)
    days = [date(2026, 10, 1) + timedelta(days=n) for n in range(31)]
    blocks = [figures(day=day, present_count=100 if day == OCTOBER_CHANGE else 96) for day in days]
    values = [opened_figures([packed([2] * (100 if day == OCTOBER_CHANGE else 96), day=day)]) for day in days]
    [month] = months_of(values, rows_of(HOME, blocks, days[0], last, now=NOW, by=By.MONTH))
    assert (month.total, month.is_final, month.weakest_quality) == (2 * (31 * 96 + 4), True, 5)
    [open_month] = months_of(values[1:], rows_of(HOME, blocks[1:], days[0], last, now=NOW, by=By.MONTH))
    assert (open_month.total, open_month.is_final) == (2 * (30 * 96 + 4), False)


def test_the_history_of_a_peak_has_each_change_and_nothing_else() -> None:
    first, second = packed([1, 8] + [0] * 94), packed([9] + [0] * 95, day=DAY + timedelta(days=1), at=NOW)
    quiet = packed([2] + [0] * 95, day=DAY + timedelta(days=2), at=NOW + timedelta(hours=1))
    history = peak_history([second, quiet, first], [])
    assert [(at, peak.value if peak else None) for at, peak in history] == [(IN_TIME, 8), (NOW, 9)]


@pytest.mark.parametrize("by", list(By))
def test_a_span_before_the_point_has_no_rows(by: By) -> None:
    assert rows_of(HOME, [], date(2025, 1, 1), date(2025, 12, 31), now=NOW, by=by) == []
