"""Local days, gas days and their slices: 92, 96 or 100 quarters; 23, 24 or 25 hours.

All instants are UTC; a local day begins at 00:00 and a gas day at 06:00, Europe/Brussels.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from market.channel import Energy, Resolution

BRUSSELS: Final = ZoneInfo("Europe/Brussels")
_BEGINS_AT: Final = {Energy.ELECTRICITY: time(0), Energy.GAS: time(6)}
_LENGTH: Final = {Resolution.QUARTER_HOURLY: timedelta(minutes=15), Resolution.HOURLY: timedelta(hours=1)}


@lru_cache(maxsize=16384)
def day_start(energy: Energy, day: date) -> datetime:
    """The instant (UTC) at which the electricity or gas day `day` begins."""
    return datetime.combine(day, _BEGINS_AT[energy], tzinfo=BRUSSELS).astimezone(UTC)


def day_bounds(energy: Energy, day: date) -> tuple[datetime, datetime]:
    """The half-open interval [start, end) in UTC of the electricity or gas day `day`."""
    return day_start(energy, day), day_start(energy, day + timedelta(days=1))


def day_of(energy: Energy, instant: datetime) -> date:
    """The electricity or gas day that holds `instant` (any zone)."""
    local = instant.astimezone(BRUSSELS)
    return local.date() if local.time() >= _BEGINS_AT[energy] else local.date() - timedelta(days=1)


def month_start(day: date) -> date:
    """The first day of the month of `day`."""
    return day.replace(day=1)


def next_month_start(day: date) -> date:
    """The first day of the month after that of `day`."""
    return (day.replace(day=1) + timedelta(days=32)).replace(day=1)


@lru_cache(maxsize=16384)
def slice_count(energy: Energy, resolution: Resolution, day: date) -> int:
    """How many slices the day has: 92, 96 or 100 quarters; 23, 24 or 25 hours; one day; one month."""
    length = _LENGTH.get(resolution)
    if length is None:
        return 1
    start, end = day_bounds(energy, day)
    return (end - start) // length


@lru_cache(maxsize=4096)
def slice_bounds(energy: Energy, resolution: Resolution, day: date) -> tuple[datetime, ...]:
    """The instants (UTC) that bound the day's slices, one more than there are slices.

    Slice `i` is [bounds[i], bounds[i + 1]). A monthly slice runs from the start of the month of `day` to the
    start of the next one.
    """
    if resolution is Resolution.MONTHLY:
        return day_start(energy, month_start(day)), day_start(energy, next_month_start(day))
    start, end = day_bounds(energy, day)
    length = _LENGTH.get(resolution, end - start)
    return tuple(start + length * i for i in range((end - start) // length + 1))
