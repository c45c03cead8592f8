"""What is expected of a digital meter whose regime nobody publishes, and changes: by hand, day after day."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from market.channel import BY_NAME, Channel, Energy, MeterKind
from market.local_time import slice_count
from services.metering.completeness import BlockFigures, By, Row, rows_of
from services.metering.expected import Installed
from tests.examples import HOUSE

QUARTERS = BY_NAME["OFFTAKE_ACTIVE_QUARTER_HOURLY"]
DAY, NIGHT = BY_NAME["OFFTAKE_ACTIVE_DAY_DAILY"], BY_NAME["OFFTAKE_ACTIVE_NIGHT_DAILY"]
INJECTED = BY_NAME["INJECTION_ACTIVE_QUARTER_HOURLY"]
FIRST, NOW = date(2026, 10, 20), datetime(2026, 11, 24, 9, tzinfo=UTC)
HOME = Installed(
    ean=HOUSE,
    energy=Energy.ELECTRICITY,
    meter_kind=MeterKind.DIGITAL,
    kind="",
    first_on=date(2026, 1, 1),
    last_on=None,
    directions={"OFFTAKE": date(2026, 1, 1)},
)


def block(channel: Channel, day: date) -> BlockFigures:
    count = slice_count(channel.energy, channel.resolution, day)
    return BlockFigures(
        channel=channel.code,
        day=day,
        meter_kind=1,
        slice_count=count,
        present_count=count,
        estimated_count=0,
        slice_quality=bytes([5, count]),
        recorded_at=datetime(2026, 10, 21, tzinfo=UTC),
    )


def missing(
    *days: Collection[Channel],
    by: By = By.DAY,
    before: Mapping[date, Collection[Channel]] | None = None,
    installed: Installed = HOME,
) -> list[tuple[int, str, int, int]]:
    """What is missing from FIRST on, when each day brought those series whole: place of the day, series, how much."""
    blocks = [block(channel, FIRST + timedelta(days=place)) for place, day in enumerate(days) for channel in day]
    last = FIRST + timedelta(days=len(days) - 1)
    rows = rows_of(installed, blocks, FIRST, last, now=NOW, by=by, delivered_before=before or {})
    return [_told(row) for row in rows if row.missing]


def _told(row: Row) -> tuple[int, str, int, int]:
    return (row.first_on - FIRST).days, row.channel.name, row.expected, row.missing


def test_a_house_that_goes_from_day_values_to_quarter_hours_has_no_gap() -> None:
    assert missing([DAY, NIGHT], [DAY, NIGHT], [QUARTERS], [QUARTERS]) == []


def test_a_day_without_anything_lacks_what_the_days_before_it_brought() -> None:
    assert missing([DAY, NIGHT], [], [QUARTERS], []) == [
        (1, "OFFTAKE_ACTIVE_DAY_DAILY", 1, 1),
        (1, "OFFTAKE_ACTIVE_NIGHT_DAILY", 1, 1),
        (3, "OFFTAKE_ACTIVE_QUARTER_HOURLY", 96, 96),
    ]


def test_a_register_that_did_not_come_is_missing_beside_the_one_that_did() -> None:
    assert missing([DAY, NIGHT], [NIGHT]) == [(1, "OFFTAKE_ACTIVE_DAY_DAILY", 1, 1)]


def test_day_values_do_not_hide_that_the_quarter_hours_of_a_day_are_missing() -> None:
    both = [QUARTERS, DAY, NIGHT]
    assert missing(both, [DAY, NIGHT], both) == [(1, "OFFTAKE_ACTIVE_QUARTER_HOURLY", 96, 96)]


def test_a_house_that_goes_back_to_day_values_is_believed_after_a_week() -> None:
    """On the fifth of these days the clock goes back: it has a hundred quarters."""
    counts = {place: 100 if place == 5 else 96 for place in range(1, 8)}
    days = missing([QUARTERS], *[[DAY, NIGHT]] * 9)
    assert days == [(place, "OFFTAKE_ACTIVE_QUARTER_HOURLY", count, count) for place, count in counts.items()]


def test_one_day_asked_for_alone_is_judged_by_the_week_before_it() -> None:
    before = {FIRST - timedelta(days=7): {DAY, NIGHT}}
    assert [each[1] for each in missing([], before=before)] == [DAY.name, NIGHT.name]
    assert [each[1] for each in missing([])] == [QUARTERS.name]


def test_each_direction_has_its_own_regime() -> None:
    both = replace(HOME, directions={"OFFTAKE": date(2026, 1, 1), "INJECTION": date(2026, 1, 1)})
    assert missing([DAY, NIGHT, INJECTED], [], installed=both) == [
        (1, "OFFTAKE_ACTIVE_DAY_DAILY", 1, 1),
        (1, "OFFTAKE_ACTIVE_NIGHT_DAILY", 1, 1),
        (1, "INJECTION_ACTIVE_QUARTER_HOURLY", 96, 96),
    ]


@pytest.mark.parametrize(("by", "first_on"), [(By.MONTH, date(2026, 10, 1)), (By.YEAR, date(2026, 1, 1))])
def test_a_regime_change_inside_a_period_is_a_row_for_each_regime(by: By, first_on: date) -> None:
    """Two days of day values, then three of quarter-hours, of which one did not come."""
    days = [[DAY, NIGHT], [DAY, NIGHT], [QUARTERS], [], [QUARTERS]]
    blocks = [block(channel, FIRST + timedelta(days=place)) for place, day in enumerate(days) for channel in day]
    rows = rows_of(HOME, blocks, FIRST, FIRST + timedelta(days=4), now=NOW, by=by)
    assert [(row.first_on, row.channel, row.expected, row.present, row.missing) for row in rows] == [
        (first_on, QUARTERS, 3 * 96, 2 * 96, 96),
        (first_on, DAY, 2, 2, 0),
        (first_on, NIGHT, 2, 2, 0),
    ]
