"""What has arrived of late: windows over the counts that committed runs tell. Pure; may be begun again at any time.

Time is the events' own: an instant is when the run was applied (UTC), a day the local day (gas: gas day) of the
readings. Nothing here is for the record: the completeness of a point is read from the store itself.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Final

MINUTES: Final = 60
DAYS: Final = 14
SOURCES: Final = 50
OTHERS: Final = "others"


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrived:
    """Blocks of one source, day and energy in one run: first seen, made complete by it, come late, revised."""

    at: datetime
    source: str
    day: date
    energy: str
    new_count: int
    completed_count: int
    late_count: int
    revised_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A source of readings: when the store applied something of it last, and blocks of the last hour."""

    name: str
    last_at: datetime
    block_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """A day of one energy. `open_count` blocks have begun and are not complete."""

    day: date
    energy: str
    block_count: int
    completed_count: int
    open_count: int
    late_count: int
    revised_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """All that is known at `as_of` (UTC), when the local day is `today`.

    `minutes` are blocks per minute of the last hour, oldest first, the last one still running; `days` begin with the
    newest; `oldest_gaps` has the first day of each energy with an open block, where there is one.
    """

    as_of: datetime
    today: date
    minutes: list[int]
    sources: list[Source]
    days: list[Day]
    oldest_gaps: dict[str, date]


@dataclass(slots=True)
class _Sums:
    new: int = 0
    completed: int = 0
    late: int = 0
    revised: int = 0


@dataclass(slots=True)
class Arrivals:
    """The windows. Bounded: an hour of minutes, `DAYS` days, `SOURCES` sources (the rest are counted as others)."""

    _minutes: defaultdict[int, dict[str, int]] = field(default_factory=lambda: defaultdict(dict))
    _days: defaultdict[tuple[date, str], _Sums] = field(default_factory=lambda: defaultdict(_Sums))
    _last: dict[str, datetime] = field(default_factory=dict)

    def take(self, arrived: Arrived) -> None:
        """Count what arrived; in any order, each once."""
        source = arrived.source if arrived.source in self._last or len(self._last) < SOURCES else OTHERS
        self._last[source] = max(arrived.at, self._last.get(source, arrived.at))
        counts = self._minutes[_minute(arrived.at)]
        counts[source] = counts.get(source, 0) + arrived.new_count + arrived.revised_count
        sums = self._days[arrived.day, arrived.energy]
        sums.new += arrived.new_count
        sums.completed += arrived.completed_count
        sums.late += arrived.late_count
        sums.revised += arrived.revised_count

    def picture(self, now: datetime, today: date) -> Picture:
        """Return what is known at `now`; `today` is the local day. What is older than the windows is forgotten."""
        self._forget(now, today)
        last = _minute(now)
        window = range(last - MINUTES + 1, last + 1)
        days = [_day(day, energy, sums) for (day, energy), sums in self._days.items()]
        days.sort(key=lambda each: (-each.day.toordinal(), each.energy))
        gaps: dict[str, date] = {}
        for each in days:
            if each.open_count > 0:
                gaps[each.energy] = each.day
        return Picture(
            as_of=now,
            today=today,
            minutes=[sum(self._minutes.get(minute, {}).values()) for minute in window],
            sources=[
                Source(
                    name=name,
                    last_at=at,
                    block_count=sum(self._minutes.get(minute, {}).get(name, 0) for minute in window),
                )
                for name, at in sorted(self._last.items())
            ],
            days=days,
            oldest_gaps=gaps,
        )

    def _forget(self, now: datetime, today: date) -> None:
        oldest = _minute(now) - MINUTES
        for minute in [each for each in self._minutes if each <= oldest]:
            del self._minutes[minute]
        first = today - timedelta(days=DAYS)
        for key in [each for each in self._days if each[0] < first]:
            del self._days[key]


def _minute(at: datetime) -> int:
    return int(at.timestamp()) // 60


def _day(day: date, energy: str, sums: _Sums) -> Day:
    return Day(
        day=day,
        energy=energy,
        block_count=sums.new,
        completed_count=sums.completed,
        open_count=max(sums.new - sums.completed, 0),
        late_count=sums.late,
        revised_count=sums.revised,
    )
