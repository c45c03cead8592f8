"""What is there and what is not: slices by series and day, month or year, against register and calendar. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Final, NamedTuple

from market.channel import BY_CODE, Channel, MeterKind, Resolution
from market.deadline import readings_due_at
from market.local_time import slice_count
from market.quality import Quality
from services.metering.expected import Installed, expected_channels

REMEMBERED: Final = timedelta(days=7)
"""How long what a point delivers says in which regime it is: `expected_channels`."""


class By(StrEnum):
    """What one row is about."""

    DAY = "day"
    MONTH = "month"
    YEAR = "year"


class Sent(NamedTuple):
    """A message about a block: when it was appended (UTC), the quality of its slices (runs of code and count, a byte
    each, over the whole day; 0 where it has no value), and whether it withdraws."""

    recorded_at: datetime
    slice_quality: bytes
    withdraws: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockFigures:
    """What the store knows of one block without its values; `slice_quality` as in `Sent`.

    `messages` are all there were; they may be left out where there is just one and it is about the whole day. That
    one was appended at `recorded_at` (UTC).
    """

    channel: int
    day: date
    meter_kind: int
    slice_count: int
    present_count: int
    estimated_count: int
    slice_quality: bytes
    recorded_at: datetime
    messages: Sequence[Sent] = ()

    @property
    def is_revised(self) -> bool:
        """Whether a slice got a second value or lost one: the parts of a day revise nothing."""
        value_count = sum(sum(code > 0 for code in _codes(each.slice_quality)) for each in self.messages)
        return value_count > self.present_count or any(each.withdraws for each in self.messages)

    def late(self, due_at: datetime) -> set[int]:
        """Return the slices that have a value, and had none by `due_at`."""
        sent = self.messages or (Sent(self.recorded_at, self.slice_quality),)
        in_time = [_present(each.slice_quality) for each in sent if each.recorded_at <= due_at]
        return set() if len(in_time) == len(sent) else set(_present(self.slice_quality)).difference(*in_time)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Slices of one series in one period that begins on `first_on`.

    `expected` by register and calendar; of these `missing` are overdue and `not_yet_due` may still come in time.
    `present` have a value; of these `estimated` are estimates, and `late` had none when they were due. `unexpected`
    are present where nothing was expected. `revised_blocks` had a value replaced or withdrawn.
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
    delivered_before: Mapping[date, Collection[Channel]] = MappingProxyType({}),
) -> list[Row]:
    """Return the rows of one point, by period and channel; days are inclusive. None is `installed` where the register
    does not know the point: then all is unexpected. `delivered_before` says which series came for the days before
    `first_day`, as far back as `REMEMBERED`."""
    found: defaultdict[date, defaultdict[Channel, list[BlockFigures]]] = defaultdict(lambda: defaultdict(list))
    for block in blocks:
        channel = BY_CODE[block.channel]
        if channel.resolution is not Resolution.MONTHLY:
            found[block.day][channel].append(block)
    rows: list[Row] = []
    for number in range((last_day - first_day).days + 1):
        day = first_day + timedelta(days=number)
        delivered = found[day]
        lately = {
            channel
            for since in range(REMEMBERED.days + 1)
            for channel in (
                found.get(day - timedelta(days=since)) or delivered_before.get(day - timedelta(days=since), ())
            )
        }
        expected = expected_channels(installed, day, lately) if installed else frozenset()
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
    present, estimated, late = _counts(blocks, due_at)
    gap = max(count - present, 0) if is_expected else 0
    return Row(
        first_on=day,
        channel=channel,
        expected=count if is_expected else 0,
        present=present,
        missing=gap if now > due_at else 0,
        not_yet_due=0 if now > due_at else gap,
        estimated=estimated,
        late=late,
        unexpected=0 if is_expected else present,
        revised_blocks=sum(block.is_revised for block in blocks),
    )


def _counts(blocks: Sequence[BlockFigures], due_at: datetime) -> tuple[int, int, int]:
    """Return how many slices are present, estimated and late.

    Where the meter was changed, the two share a slice: it is one, as weak and as late as the worse of its parts.
    """
    if len(blocks) == 1:
        (only,) = blocks
        return only.present_count, only.estimated_count, len(only.late(due_at))
    slices: dict[int, int] = {}
    late: set[int] = set()
    for block in blocks:
        late |= block.late(due_at)
        slices |= {place: min(code, slices.get(place, code)) for place, code in _present(block.slice_quality).items()}
    return len(slices), sum(Quality(code).is_estimated for code in slices.values()), len(late)


def _present(runs: bytes) -> dict[int, int]:
    """Return the code of each slice that has a value."""
    return {place: code for place, code in enumerate(_codes(runs)) if code}


def _codes(runs: bytes) -> list[int]:
    return [code for code, count in zip(runs[0::2], runs[1::2], strict=True) for _ in range(count)]


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
