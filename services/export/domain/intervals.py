"""Sets of instants as half-open intervals [start, end) in UTC: in order, apart from each other, none empty. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Final

Interval = tuple[datetime, datetime]
Intervals = tuple[Interval, ...]

BEGINNING: Final = datetime.min.replace(tzinfo=UTC)
END: Final = datetime.max.replace(tzinfo=UTC)
ALWAYS: Final[Intervals] = ((BEGINNING, END),)
NEVER: Final[Intervals] = ()


def union(intervals: Iterable[Interval]) -> Intervals:
    """The instants that lie in any of `intervals`, which come in any order; touching ones become one."""
    merged: list[Interval] = []
    for start, end in sorted(each for each in intervals if each[0] < each[1]):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return tuple(merged)


def intersection(*sets: Sequence[Interval]) -> Intervals:
    """The instants that lie in each of `sets`; all instants where none is given."""
    common: Sequence[Interval] = ALWAYS
    for each in sets:
        common = union(
            (max(one[0], other[0]), min(one[1], other[1])) for one in common for other in each if one[0] < other[1]
        )
    return tuple(common)


def contains(intervals: Sequence[Interval], start: datetime, end: datetime) -> bool:
    """Whether [start, end) lies wholly in one of `intervals`."""
    return any(first <= start and end <= last for first, last in intervals)
