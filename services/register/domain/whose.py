"""Which points are whose: occupancies of allocation points, put together to those of access points."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import reduce
from typing import Final
from uuid import UUID

from market.ean import Ean
from services.register.domain.point import Occupancy

_NEVER: Final = date.max
_Days = tuple[date, date]


@dataclass(frozen=True, slots=True, kw_only=True)
class PointUse:
    """A net user's time at an access point, both days inclusive; `last_on` is None while no end is known.

    `is_whole`: at every allocation point of it (`allocation_points` then names all); else at those named only.
    """

    ean: Ean
    net_user_id: UUID
    allocation_points: tuple[str, ...]
    is_whole: bool
    first_on: date
    last_on: date | None


def uses_of(
    occupancies: Iterable[tuple[Ean, Occupancy]], allocation_points: Mapping[Ean, Sequence[str]]
) -> list[PointUse]:
    """Return the uses that `occupancies` make, by EAN, net user and first day.

    Whole uses are the days that a net user spent at every one of the point's `allocation_points`; where there is no
    such day, each occupancy is a use of its own.
    """
    grouped: defaultdict[tuple[Ean, UUID], list[Occupancy]] = defaultdict(list)
    for ean, occupancy in occupancies:
        grouped[ean, occupancy.net_user_id].append(occupancy)
    return [
        use
        for (ean, net_user_id), theirs in sorted(grouped.items(), key=lambda item: (item[0][0], item[0][1].hex))
        for use in _uses(ean, net_user_id, theirs, tuple(allocation_points[ean]))
    ]


def _uses(ean: Ean, net_user_id: UUID, theirs: Sequence[Occupancy], places: tuple[str, ...]) -> list[PointUse]:
    days = [sorted(_days(each) for each in theirs if each.allocation_point_id == place) for place in places]
    whole = reduce(_common, days)
    parts = [(places, True, each) for each in whole] or [
        ((each.allocation_point_id,), False, _days(each))
        for each in sorted(theirs, key=lambda each: (each.first_on, each.allocation_point_id))
    ]
    return [
        PointUse(
            ean=ean,
            net_user_id=net_user_id,
            allocation_points=where,
            is_whole=is_whole,
            first_on=first_on,
            last_on=None if last_on == _NEVER else last_on,
        )
        for where, is_whole, (first_on, last_on) in parts
    ]


def _days(occupancy: Occupancy) -> _Days:
    return occupancy.first_on, occupancy.last_on or _NEVER


def _common(some: Sequence[_Days], others: Sequence[_Days]) -> list[_Days]:
    """Return the days that lie in both."""
    pairs = ((max(a[0], b[0]), min(a[1], b[1])) for a in some for b in others)
    return sorted((first, last) for first, last in pairs if first <= last)
