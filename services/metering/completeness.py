"""What is there and what is not: slices by series and day, month or year, against register and calendar. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

from market.channel import BY_CODE, Channel, MeterKind, Resolution
from market.deadline import readings_due_at
from market.local_time import slice_count
from services.metering.expected import Installed, expected_channels


class By(StrEnum):
    """What one row is about."""

    DAY = "day"
    MONTH = "month"
    YEAR = "year"


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockFigures:
    """What the store knows of one block without opening it. `first_recorded_at` (UTC) is when its first message was
    appended; `message_count` how many different ones there were."""

    channel: int
    day: date
    meter_kind: int
    slice_count: int
    present_count: int
    estimated_count: int
    message_count: int
    first_recorded_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Slices of one series in one period that begins on `first_on`.

    `expected` by register and calendar; of these `missing` are overdue and `not_yet_due` may still come in time.
    `present` have a value; of these `estimated` are estimates, and `late` are of blocks whose first message came after
    they were due. `unexpected` are present where nothing was expected. `revised_blocks` had more than one message.
    """

    first_on: date
    channel: Channel
    expected: int
    present: int
    missing: int
    not_yet_due: int
    estimated: int
    late: int
    unexpected: int
    revised_blocks: int


def rows_of(
    installed: Installed | None,
    blocks: Iterable[BlockFigures],
    first_day: date,
    last_day: date,
    *,
    now: datetime,
    by: By,
) -> list[Row]:
    """Return the rows of one point, by period and channel; days are inclusive. None is `installed` where the register
    does not know the point: then all is unexpected."""
    found: defaultdict[date, defaultdict[Channel, list[BlockFigures]]] = defaultdict(lambda: defaultdict(list))
    for block in blocks:
        channel = BY_CODE[block.channel]
        if channel.resolution is not Resolution.MONTHLY:
            found[block.day][channel].append(block)
    rows: list[Row] = []
    for number in range((last_day - first_day).days + 1):
        day = first_day + timedelta(days=number)
        delivered = found[day]
        expected = expected_channels(installed, day, delivered) if installed else frozenset()
        kind = installed.meter_kind if installed else MeterKind.UNKNOWN
        rows += [
            _row(channel, day, delivered.get(channel, []), kind, now, is_expected=channel in expected)
            for channel in sorted(expected | delivered.keys())
        ]
    return rows if by is By.DAY else _summed(rows, by)


def _row(
    channel: Channel, day: date, blocks: Sequence[BlockFigures], kind: MeterKind, now: datetime, *, is_expected: bool
) -> Row:
    count = slice_count(channel.energy, channel.resolution, day)
    due_at = readings_due_at(channel.energy, channel.resolution, kind, day)
    present = min(sum(block.present_count for block in blocks), count)  # at a swap two meters may share a slice
    gap = max(count - present, 0) if is_expected else 0
    return Row(
        first_on=day,
        channel=channel,
        expected=count if is_expected else 0,
        present=present,
        missing=gap if now > due_at else 0,
        not_yet_due=0 if now > due_at else gap,
        estimated=min(sum(block.estimated_count for block in blocks), count),
        late=min(sum(block.present_count for block in blocks if block.first_recorded_at > due_at), count),
        unexpected=0 if is_expected else present,
        revised_blocks=sum(block.message_count > 1 for block in blocks),
    )


def _summed(rows: Iterable[Row], by: By) -> list[Row]:
    groups: defaultdict[tuple[date, Channel], list[Row]] = defaultdict(list)
    for row in rows:
        first_on = row.first_on.replace(day=1) if by is By.MONTH else row.first_on.replace(month=1, day=1)
        groups[first_on, row.channel].append(row)
    return [
        Row(
            first_on=first_on,
            channel=channel,
            expected=sum(row.expected for row in group),
            present=sum(row.present for row in group),
            missing=sum(row.missing for row in group),
            not_yet_due=sum(row.not_yet_due for row in group),
            estimated=sum(row.estimated for row in group),
            late=sum(row.late for row in group),
            unexpected=sum(row.unexpected for row in group),
            revised_blocks=sum(row.revised_blocks for row in group),
        )
        for (first_on, channel), group in sorted(groups.items())
    ]
