"""When a row of the portal's file begins and ends: Brussels wall time without offset, and what that does to slices.

Rows stand in the order of their printed start, so the two hours of an October night interleave: 02:00 summer,
02:00 winter, 02:15 summer, ... The last summer quarter prints 02:45 to 02:00, the last before the March change 01:45
to 03:00. Source: files made by the operator's portal.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import Final

from market.channel import Energy, MeterKind, Resolution
from market.local_time import BRUSSELS, month_start, slice_bounds

_ONE_DAY: Final = timedelta(days=1)
_WITHIN_A_DAY: Final = frozenset({Resolution.QUARTER_HOURLY, Resolution.HOURLY})


@dataclass(frozen=True, slots=True)
class PrintedSlice:
    """One slice as its rows print it; times are `HH:MM:SS`. `day` is its local (gas) day, `index` its place therein."""

    start_on: date
    start_time: str
    end_on: date
    end_time: str
    day: date
    index: int


@lru_cache(maxsize=8192)
def printed_slices(energy: Energy, meter_kind: MeterKind, resolution: Resolution, on: date) -> tuple[PrintedSlice, ...]:
    """The slices whose start is printed with the calendar date `on`, in the order of their rows."""
    if resolution in _WITHIN_A_DAY:
        days = (on - _ONE_DAY, on) if energy is Energy.GAS else (on,)
        slices = [entry for day in days for entry in _within(energy, resolution, day) if entry.start_on == on]
        return tuple(sorted(slices, key=lambda entry: entry.start_time))
    if resolution is Resolution.MONTHLY and on != month_start(on):
        return ()
    start, end = slice_bounds(energy, resolution, on)
    if resolution is Resolution.DAILY and meter_kind is MeterKind.AMR and energy is Energy.ELECTRICITY:
        end = start + _ONE_DAY  # an AMR day row ends 24 hours of UTC after its start
    return (_print(start, end, on, 0),)


def _within(energy: Energy, resolution: Resolution, day: date) -> list[PrintedSlice]:
    bounds = pairwise(slice_bounds(energy, resolution, day))
    return [_print(start, end, day, i) for i, (start, end) in enumerate(bounds)]


def _print(start: datetime, end: datetime, day: date, index: int) -> PrintedSlice:
    begins, ends = start.astimezone(BRUSSELS), end.astimezone(BRUSSELS)
    return PrintedSlice(begins.date(), str(begins.time()), ends.date(), str(ends.time()), day, index)
