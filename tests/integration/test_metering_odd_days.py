"""Days that do not come whole, from one meter, or in one regime: through the store, into counts, totals and peaks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, insert, select, text

from eventlog.database import create_tables
from eventlog.events import ReadingsRecorded
from market.ean import Ean
from services.metering import installation
from services.metering.completeness import By
from services.metering.completeness_store import read_completeness, read_gaps, read_months
from services.metering.installation import installed_direction, installed_point
from services.metering.months import Month, Peak
from services.metering.tables import block
from tests.examples import GAS_HOUSE, HOUSE, OCTOBER_DAY, ORDINARY_DAY
from tests.quarter_store import Store, open_store, records
from tests.readings import reading, record, withdrawal

pytestmark = pytest.mark.integration

QUARTERS, GAS = "OFFTAKE_ACTIVE_QUARTER_HOURLY", "OFFTAKE_GAS_VOLUME_HOURLY"
DAY, NIGHT = "OFFTAKE_ACTIVE_DAY_DAILY", "OFFTAKE_ACTIVE_NIGHT_DAILY"
NOW = datetime(2026, 12, 10, tzinfo=UTC)
LONG_DAY = OCTOBER_DAY
HOUR = timedelta(hours=1)
LENGTHS = (16, 16, 16, 16, 16, 16, 4)
"""Quarters in the parts of the day of a hundred: a part every four hours."""


def part(place: int, *, value: int | None = None, sent_after: timedelta | None = None) -> ReadingsRecorded:
    """Part `place` of the long day: `place` + 1 Wh in each quarter."""
    values = [place + 1 if value is None else value] * LENGTHS[place]
    at = place * HOUR if sent_after is None else sent_after
    number = 10 * place + (0 if value is None else 1)
    return reading(values, number=number, first_slice=16 * place, day=LONG_DAY, sent_after=at)


@pytest.fixture
def quarters(database_url: str) -> Iterator[Store]:
    with open_store(database_url) as store:
        create_tables(store.engine, installation.metadata)
        with store.engine.begin() as tx:
            for ean, energy in ((HOUSE, "E"), (GAS_HOUSE, "G")):
                point = {"ean": int(ean), "head_ean": int(ean), "energy": energy, "meter_kind": 1, "kind": ""}
                known = {"first_on": date(2026, 1, 1), "record_partition": 0}
                tx.execute(insert(installed_point).values(**point, **known))
                tx.execute(insert(installed_direction).values(ean=int(ean), direction="OFFTAKE", **known))
        yield store


def counts(engine: Engine, day: date, *, ean: Ean = HOUSE, channel: str = QUARTERS) -> tuple[int, ...]:
    """Expected, present, missing and revised of a series on a day."""
    found = read_completeness(engine, ean, day, day, now=NOW, by=By.DAY)
    [row] = [each for each in found.rows if each.channel.name == channel]
    return row.expected, row.present, row.missing, row.revised_blocks


def months(engine: Engine) -> dict[tuple[int, str], Month]:
    found = read_months(engine, HOUSE, date(2026, 10, 1), date(2026, 11, 1), now=NOW)
    return {(each.first_on.month, each.channel.name): each for each in found}


def content(store: Store) -> list[Any]:
    columns = (block.c.slice_values, block.c.slice_quality, block.c.total, block.c.peak_value, block.c.peak_slice)
    return [tuple(row) for row in store.rows(select(*columns))]


def test_a_day_fills_up_part_by_part_and_none_of_it_is_a_revision(quarters: Store) -> None:
    """A part every four hours; the fourth comes last. 16 quarters of 1, 2, ... 6 Wh and four of 7 are 364 Wh."""
    for offset, place in enumerate((0, 1, 2, 4, 5, 6)):
        quarters.apply(*records(part(place), first_offset=offset))
    assert counts(quarters.engine, LONG_DAY) == (100, 84, 16, 0)
    assert [(gap.ean, gap.row.missing) for gap in gaps(quarters.engine, LONG_DAY) if gap.ean == HOUSE] == [(HOUSE, 16)]
    quarters.apply(*records(part(3), first_offset=6))
    assert counts(quarters.engine, LONG_DAY) == (100, 100, 0, 0)
    month = months(quarters.engine)[10, QUARTERS]
    assert month.total == 16 * (1 + 2 + 3 + 4 + 5 + 6) + 4 * 7
    assert month.peak == Peak(value=7, starts_at=datetime(2026, 10, 25, 22, tzinfo=UTC), quality=5)
    assert late(quarters.engine, LONG_DAY) == 100  # all of it was appended weeks after it was due
    quarters.apply(*records(part(3, value=9, sent_after=9 * HOUR), first_offset=7))
    assert counts(quarters.engine, LONG_DAY) == (100, 100, 0, 1)
    assert months(quarters.engine)[10, QUARTERS].total == 364 + 16 * (9 - 4)


def late(engine: Engine, day: date) -> int:
    [row] = read_completeness(engine, HOUSE, day, day, now=NOW, by=By.DAY).rows
    return row.late


def gaps(engine: Engine, day: date) -> Any:
    return read_gaps(engine, day, after=None, limit=10, now=NOW)[0]


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.permutations(range(len(LENGTHS))), st.integers(0, len(LENGTHS) - 1), st.integers(1, len(LENGTHS)))
def test_parts_in_any_order_one_of_them_twice_are_the_day_that_comes_whole(
    quarters: Store, order: Sequence[int], twice: int, run_length: int
) -> None:
    whole = [place + 1 for place, length in enumerate(LENGTHS) for _ in range(length)]
    empty(quarters)
    quarters.apply(*records(reading(whole, day=LONG_DAY)))
    expected = content(quarters)
    empty(quarters)
    arriving = records(*(part(place) for place in [*order, order[twice]]))
    for first in range(0, len(arriving), run_length):
        quarters.apply(*arriving[first : first + run_length])
    assert content(quarters) == expected
    assert counts(quarters.engine, LONG_DAY) == (100, 100, 0, 0)


def empty(store: Store) -> None:
    with store.engine.begin() as tx:
        tx.execute(text("truncate block, block_input, checkpoint, event, dead_letter"))
    store.claims.clear()


def test_a_part_that_is_withdrawn_is_missing_again(quarters: Store) -> None:
    taken_back = withdrawal(16, first_slice=32, number=99, day=LONG_DAY, sent_after=20 * HOUR)
    quarters.apply(*records(*(part(place) for place in range(7)), taken_back))
    assert counts(quarters.engine, LONG_DAY) == (100, 84, 16, 1)
    assert months(quarters.engine)[10, QUARTERS].total == 364 - 16 * 3


def test_the_gas_day_that_holds_the_changed_hour_fills_up_too(quarters: Store) -> None:
    """The gas day of 24 October has 25 hours: the hour comes twice in the night that ends it."""
    day = date(2026, 10, 24)
    evening = reading([1] * 12, ean=GAS_HOUSE, channel=GAS, day=day)
    night = reading([2] * 12, ean=GAS_HOUSE, channel=GAS, day=day, first_slice=12, number=2)
    quarters.apply(record(evening, 0), record(night, 1))
    assert counts(quarters.engine, day, ean=GAS_HOUSE, channel=GAS) == (25, 24, 1, 0)
    last = reading([3], ean=GAS_HOUSE, channel=GAS, day=day, first_slice=24, number=3)
    quarters.apply(record(last, 2))
    assert counts(quarters.engine, day, ean=GAS_HOUSE, channel=GAS) == (25, 25, 0, 0)


def test_a_meter_swapped_at_five_past_ten_leaves_one_whole_day(quarters: Store) -> None:
    """Quarter 40 (10:00) has 3 Wh of the old meter and 2 of the new one; every other quarter has 4."""
    old = reading([4] * 40 + [3], meter_id="OLD")
    new = reading([2] + [4] * 54, meter_id="NEW", first_slice=40, number=2)
    quarters.apply(*records(old, new))
    assert counts(quarters.engine, ORDINARY_DAY) == (96, 95, 1, 0)  # the new meter's last quarter is not here yet
    rest = reading([4], meter_id="NEW", first_slice=95, number=3)
    quarters.apply(*records(rest, first_offset=2))
    assert counts(quarters.engine, ORDINARY_DAY) == (96, 96, 0, 0)
    month = months(quarters.engine)[11, QUARTERS]
    assert (month.total, month.weakest_quality) == (95 * 4 + 5, 5)
    assert month.peak == Peak(value=5, starts_at=datetime(2026, 11, 19, 9, tzinfo=UTC), quality=5)


def test_a_regime_that_changes_inside_a_month_has_totals_and_counts_of_both(quarters: Store) -> None:
    """Day values until 18 November, quarter-hours from the 19th: neither asks for what the other did not promise."""
    days = [date(2026, 11, 17), date(2026, 11, 18)]
    registers = [reading(3_000, channel=DAY, day=day, number=n) for n, day in enumerate(days)]
    registers += [reading(2_000, channel=NIGHT, day=day, number=n) for n, day in enumerate(days, 10)]
    quarters.apply(*records(*registers, reading(1, number=20), reading(1, number=21, day=date(2026, 11, 20))))
    found = read_completeness(quarters.engine, HOUSE, days[0], date(2026, 11, 21), now=NOW, by=By.MONTH).rows
    assert [(row.channel.name, row.expected, row.present, row.missing, row.unexpected) for row in found] == [
        (QUARTERS, 3 * 96, 2 * 96, 96, 0),  # nothing came of the 21st
        (DAY, 2, 2, 0, 0),
        (NIGHT, 2, 2, 0, 0),
    ]
    november = months(quarters.engine)
    assert [november[11, name].total for name in (QUARTERS, DAY, NIGHT)] == [192, 6_000, 4_000]
    assert [november[11, name].peak is None for name in (QUARTERS, DAY, NIGHT)] == [False, True, True]


def test_a_house_of_day_values_alone_has_a_gap_of_two_values_where_a_day_is_missing(quarters: Store) -> None:
    quarters.apply(*records(reading(3_000, channel=DAY), reading(2_000, channel=NIGHT, number=2)))
    next_day = ORDINARY_DAY + timedelta(days=1)
    found = [(gap.row.channel.name, gap.row.missing) for gap in gaps(quarters.engine, next_day) if gap.ean == HOUSE]
    assert found == [(DAY, 1), (NIGHT, 1)]
    assert counts(quarters.engine, next_day, channel=DAY) == (1, 0, 1, 0)
