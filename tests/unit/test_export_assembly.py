"""From blocks to series: every slice of each meter's period, months and peaks, one direction or all."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from market.channel import Direction, MeterKind
from market.quality import GasFactor, Quality
from services.export.domain.assembly import assemble, whole_months
from services.export.domain.series import Block, Granularity, Series
from tests.examples import GAS_METER, MARCH_DAY, OCTOBER_DAY, ORDINARY_DAY, block

QUARTERS = "OFFTAKE_ACTIVE_QUARTER_HOURLY"
INJECTED = "INJECTION_ACTIVE_QUARTER_HOURLY"
GAS_HOURS = "OFFTAKE_GAS_ENERGY_HOURLY"
ONE_DAY = timedelta(days=1)
LONG_AFTER = date(2027, 6, 1)


def series(
    *blocks: Block,
    granularity: Granularity,
    first: date,
    last: date,
    today: date = LONG_AFTER,
    direction: Direction | None = None,
) -> list[Series]:
    return assemble(blocks, granularity=granularity, first_day=first, last_day=last, today=today, direction=direction)


def november(channel: str, value: int, **more: object) -> list[Block]:
    return [block(channel, date(2026, 11, day), value, **more) for day in range(1, 31)]  # type: ignore[arg-type]


@pytest.mark.parametrize(("day", "count"), [(MARCH_DAY, 92), (ORDINARY_DAY, 96), (OCTOBER_DAY, 100)])
def test_a_day_has_as_many_quarters_as_the_calendar(day: date, count: int) -> None:
    [found] = series(block(QUARTERS, day, 7), granularity=Granularity.QUARTER, first=day, last=day)
    assert (found.expected, found.present, found.total) == (count, count, 7 * count)
    assert len({entry.start for entry in found.slices}) == count
    assert all(entry.end - entry.start == timedelta(minutes=15) for entry in found.slices)


def test_days_without_a_block_are_there_as_missing_slices() -> None:
    [found] = series(
        block(QUARTERS, ORDINARY_DAY, 7),
        granularity=Granularity.QUARTER,
        first=ORDINARY_DAY - ONE_DAY,
        last=ORDINARY_DAY + ONE_DAY,
    )
    assert (found.expected, found.present, found.missing, found.total) == (288, 96, 192, 672)
    assert [entry.value for entry in found.slices][:96] == [None] * 96
    assert found.slices[0].start == datetime(2026, 11, 17, 23, tzinfo=UTC)
    assert found.slices[-1].end == datetime(2026, 11, 20, 23, tzinfo=UTC)


def test_what_is_missing_everywhere_has_no_total_and_no_quality() -> None:
    nothing = block(QUARTERS, ORDINARY_DAY, [None] * 96)
    [found] = series(nothing, granularity=Granularity.QUARTER, first=ORDINARY_DAY, last=ORDINARY_DAY)
    assert (found.total, found.present, found.weakest) == (None, 0, Quality.MISSING)


def test_a_point_with_quarters_has_no_hours() -> None:
    assert (
        series(block(QUARTERS, ORDINARY_DAY, 7), granularity=Granularity.HOUR, first=ORDINARY_DAY, last=ORDINARY_DAY)
        == []
    )


def test_gas_hours_begin_at_six() -> None:
    [found] = series(
        block(GAS_HOURS, ORDINARY_DAY, 4672, meter_id=GAS_METER, factor=GasFactor.DEFINITIVE),
        granularity=Granularity.HOUR,
        first=ORDINARY_DAY,
        last=ORDINARY_DAY,
    )
    assert found.slices[0].start == datetime(2026, 11, 19, 5, tzinfo=UTC)
    assert found.slices[-1].end == datetime(2026, 11, 20, 5, tzinfo=UTC)
    assert {entry.factor for entry in found.slices} == {GasFactor.DEFINITIVE}


def test_one_direction_leaves_the_others_out() -> None:
    blocks = (block(QUARTERS, ORDINARY_DAY, 7), block(INJECTED, ORDINARY_DAY, 2))
    both = series(*blocks, granularity=Granularity.QUARTER, first=ORDINARY_DAY, last=ORDINARY_DAY)
    assert [entry.channel.name for entry in both] == [QUARTERS, INJECTED]
    [one] = series(
        *blocks,
        granularity=Granularity.QUARTER,
        first=ORDINARY_DAY,
        last=ORDINARY_DAY,
        direction=Direction.INJECTION,
    )
    assert one.channel.name == INJECTED


def test_a_swapped_meter_ends_where_its_successor_begins() -> None:
    first, last = date(2026, 11, 10), date(2026, 11, 20)
    old = [block(QUARTERS, date(2026, 11, day), 7, meter_id="old") for day in (11, 12)]
    new = [block(QUARTERS, date(2026, 11, day), 9, meter_id="new") for day in (15, 16)]
    found = series(*old, *new, granularity=Granularity.DAY, first=first, last=last)
    periods = {(entry.meter_id, entry.slices[0].day, entry.slices[-1].day) for entry in found}
    assert periods == {
        ("old", date(2026, 11, 10), date(2026, 11, 14)),
        ("new", date(2026, 11, 15), date(2026, 11, 20)),
    }


def test_both_meters_of_a_swap_within_a_day_have_that_day() -> None:
    old = block(QUARTERS, ORDINARY_DAY, [7] * 40 + [None] * 56, meter_id="old")
    new = block(QUARTERS, ORDINARY_DAY, [None] * 40 + [9] * 56, meter_id="new")
    found = series(old, new, granularity=Granularity.QUARTER, first=ORDINARY_DAY, last=ORDINARY_DAY)
    assert [(entry.meter_id, entry.present, entry.total) for entry in found] == [("new", 56, 504), ("old", 40, 280)]


def test_a_month_peak_is_four_times_its_highest_quarter() -> None:
    blocks = november(QUARTERS, 100)
    blocks[18] = block(QUARTERS, ORDINARY_DAY, [100] * 70 + [853] + [100] * 25)
    [peak] = series(*blocks, granularity=Granularity.MONTH, first=date(2026, 11, 1), last=date(2026, 11, 30))
    [month] = peak.slices
    assert (peak.channel.name, peak.channel.unit, peak.total) == ("OFFTAKE_PEAK_MONTHLY", "kW", None)
    assert (month.value, month.is_running) == (3412, False)
    assert (month.start, month.end) == (
        datetime(2026, 10, 31, 23, tzinfo=UTC),
        datetime(2026, 11, 30, 23, tzinfo=UTC),
    )


def test_a_gas_peak_is_the_highest_hour() -> None:
    blocks = november(GAS_HOURS, 4672, meter_id=GAS_METER, factor=GasFactor.PROVISIONAL)
    [peak] = series(*blocks, granularity=Granularity.MONTH, first=date(2026, 11, 1), last=date(2026, 11, 30))
    assert (peak.channel.name, [entry.value for entry in peak.slices]) == ("OFFTAKE_GAS_PEAK_MONTHLY", [4672])


def test_a_past_month_with_a_hole_has_no_peak() -> None:
    blocks = november(QUARTERS, 100)[:-1]
    [peak] = series(*blocks, granularity=Granularity.MONTH, first=date(2026, 11, 1), last=date(2026, 11, 30))
    assert [(entry.value, entry.is_running) for entry in peak.slices] == [(None, False)]


def test_the_peak_of_the_running_month_is_the_highest_so_far() -> None:
    blocks = november(QUARTERS, 100)[:19]
    [peak] = series(
        *blocks,
        granularity=Granularity.MONTH,
        first=date(2026, 11, 1),
        last=date(2026, 11, 30),
        today=date(2026, 11, 20),
    )
    assert [(entry.value, entry.is_running) for entry in peak.slices] == [(400, True)]


def test_a_delivered_peak_stands_where_the_quarters_give_none() -> None:
    delivered = block("OFFTAKE_PEAK_MONTHLY", date(2026, 11, 1), [3400])
    month = {"granularity": Granularity.MONTH, "first": date(2026, 11, 1), "last": date(2026, 11, 30)}
    [alone] = series(delivered, **month)  # type: ignore[arg-type]
    assert [entry.value for entry in alone.slices] == [3400]
    [derived] = series(delivered, *november(QUARTERS, 853), **month)  # type: ignore[arg-type]
    assert [entry.value for entry in derived.slices] == [3412]


def test_an_injection_peak_leaves_only_when_it_is_asked_for() -> None:
    blocks = (*november(QUARTERS, 100), *november(INJECTED, 50))
    month = {"granularity": Granularity.MONTH, "first": date(2026, 11, 1), "last": date(2026, 11, 30)}
    assert [entry.channel.name for entry in series(*blocks, **month)] == ["OFFTAKE_PEAK_MONTHLY"]  # type: ignore[arg-type]
    [injected] = series(*blocks, **month, direction=Direction.INJECTION)  # type: ignore[arg-type]
    assert (injected.channel.name, injected.slices[0].value) == ("INJECTION_PEAK_MONTHLY", 200)


def test_month_totals_are_sums_of_days_by_register() -> None:
    # November 2026 has 21 days from Monday to Friday, 60 quarters each at day tariff; 2880 quarters in all.
    found = series(
        *november(QUARTERS, 10), granularity=Granularity.MONTH_TOTAL, first=date(2026, 11, 1), last=date(2026, 11, 30)
    )
    assert [(entry.channel.name, entry.slices[0].value, entry.total) for entry in found] == [
        ("OFFTAKE_ACTIVE_DAY_DAILY", 12600, 12600),
        ("OFFTAKE_ACTIVE_NIGHT_DAILY", 16200, 16200),
    ]
    assert found[0].slices[0].start == datetime(2026, 10, 31, 23, tzinfo=UTC)


def test_reactive_is_rounded_once_a_month() -> None:
    # 1.6 varh a quarter, 2880 of them: 4608; thirty days rounded each would be 30 x 154 = 4620.
    kind = {"meter_id": "", "meter_kind": MeterKind.AMR}
    blocks = (
        *november("OFFTAKE_INDUCTIVE_QUARTER_HOURLY", 30, **kind),
        *november("OFFTAKE_CAPACITIVE_QUARTER_HOURLY", 20, **kind),
        *november(QUARTERS, 100, **kind),
    )
    found = series(*blocks, granularity=Granularity.MONTH_TOTAL, first=date(2026, 11, 1), last=date(2026, 11, 30))
    totals = {entry.channel.name: entry.total for entry in found}
    assert totals["OFFTAKE_REACTIVE_DAILY"] == 4608


def test_derived_reactive_quarters_are_rounded_one_by_one_and_their_total_once() -> None:
    kind = {"meter_id": "", "meter_kind": MeterKind.AMR}
    found = series(
        block("OFFTAKE_INDUCTIVE_QUARTER_HOURLY", ORDINARY_DAY, 30, **kind),  # type: ignore[arg-type]
        block("OFFTAKE_CAPACITIVE_QUARTER_HOURLY", ORDINARY_DAY, 20, **kind),  # type: ignore[arg-type]
        block(QUARTERS, ORDINARY_DAY, 100, **kind),  # type: ignore[arg-type]
        granularity=Granularity.QUARTER,
        first=ORDINARY_DAY,
        last=ORDINARY_DAY,
    )
    reactive = next(entry for entry in found if entry.channel.name == "OFFTAKE_REACTIVE_QUARTER_HOURLY")
    assert ({entry.value for entry in reactive.slices}, reactive.total) == ({2}, 154)


def test_months_are_asked_for_whole() -> None:
    asked = (date(2026, 11, 10), date(2027, 2, 3))
    assert whole_months(Granularity.MONTH, *asked) == (date(2026, 11, 1), date(2027, 2, 28))
    assert whole_months(Granularity.MONTH_TOTAL, *asked) == (date(2026, 11, 1), date(2027, 2, 28))
    assert whole_months(Granularity.DAY, *asked) == asked


@for_all(st.dates(date(2026, 3, 20), date(2026, 4, 10)), st.integers(0, 20), st.data())
def test_series_have_no_hole_and_no_overlap(first: date, length: int, data: st.DataObject) -> None:
    days = [first + timedelta(days=place) for place in range(length + 1)]
    known = data.draw(st.lists(st.sampled_from(days), unique=True, min_size=1))
    [found] = series(
        *(block(QUARTERS, day, 1) for day in known), granularity=Granularity.QUARTER, first=first, last=days[-1]
    )
    assert all(before.end == after.start for before, after in zip(found.slices, found.slices[1:], strict=False))
    quarters = sum(92 if day == MARCH_DAY else 96 for day in days)
    assert (found.expected, found.present + found.missing) == (quarters, quarters)
    assert found.total == found.present == sum(92 if day == MARCH_DAY else 96 for day in known)
