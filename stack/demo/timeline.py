"""The slices of many days in a row, each with its local clock: what every curve of the demo world is drawn over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import accumulate
from typing import Final

import numpy as np
from numpy.typing import NDArray

from market.channel import Energy, Resolution
from market.local_time import BRUSSELS, day_of, slice_bounds, slice_count
from market.working_days import is_legal_holiday

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

RESOLUTION: Final = {Energy.ELECTRICITY: Resolution.QUARTER_HOURLY, Energy.GAS: Resolution.HOURLY}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Timeline:
    """All slices of `days` (consecutive; gas: gas days), quarters of electricity or hours of gas.

    Slices of day i are [first[i], first[i + 1]). Per slice: `middle_seconds` UTC since 1970, `hour` local (0 to 24) at
    its middle, `local_day` days since 1970 of the local date, `is_free` on weekends and legal holidays.
    """

    energy: Energy
    days: tuple[date, ...]
    first: tuple[int, ...]
    middle_seconds: Ints
    hour: Floats
    local_day: Ints
    is_free: NDArray[np.bool_]

    @property
    def slice_count(self) -> int:
        return len(self.hour)

    @property
    def slice_hours(self) -> float:
        return 1.0 if self.energy is Energy.GAS else 0.25

    @property
    def weekday(self) -> Ints:
        """Per slice: 0 Monday to 6 Sunday, of the local date."""
        return (self.local_day + 3) % 7

    @property
    def season(self) -> Floats:
        """Per slice: 1 in the coldest week (mid January), -1 in the warmest, a cosine between."""
        return np.asarray(np.cos(2 * np.pi * ((self.local_day + 0.5) % 365.2425 - 17) / 365.2425))

    def slices_of(self, day: date) -> slice:
        """Return where the slices of `day` stand; a day out of the timeline is cut to its nearer end."""
        number = min(max((day - self.days[0]).days, 0), len(self.days))
        return slice(self.first[number], self.first[min(number + 1, len(self.days))])

    def slice_at(self, instant: datetime) -> int:
        """Return the number of the slice that holds `instant` (any zone), of a day of this timeline."""
        day = day_of(self.energy, instant)
        bounds = slice_bounds(self.energy, RESOLUTION[self.energy], day)
        return self.first[(day - self.days[0]).days] + sum(bound <= instant for bound in bounds) - 1


def draw_timeline(energy: Energy, first_day: date, last_day: date) -> Timeline:
    """Return the timeline of all days from `first_day` to `last_day`, both inclusive (gas: gas days)."""
    days = tuple(first_day + timedelta(days=number) for number in range((last_day - first_day).days + 1))
    counts = [slice_count(energy, RESOLUTION[energy], day) for day in days]
    middle, local = _clocks(energy, days)
    local_day = local // 86_400
    return Timeline(
        energy=energy,
        days=days,
        first=(0, *accumulate(counts)),
        middle_seconds=middle,
        hour=(local % 86_400) / 3600,
        local_day=local_day,
        is_free=_are_free(local_day),
    )


def _clocks(energy: Energy, days: Sequence[date]) -> tuple[Ints, Ints]:
    """Return the middle of each slice in seconds since 1970: of UTC, and as the wall clock counts."""
    resolution = RESOLUTION[energy]
    starts = [start for day in days for start in slice_bounds(energy, resolution, day)[:-1]]
    half = 1800 if energy is Energy.GAS else 450
    middle = np.fromiter((int(start.timestamp()) for start in starts), np.int64, len(starts)) + half
    shifts = (start.astimezone(BRUSSELS).utcoffset() or timedelta() for start in starts)
    return middle, middle + np.fromiter((shift.seconds for shift in shifts), np.int64, len(starts))


def _are_free(local_day: Ints) -> NDArray[np.bool_]:
    numbers, where = np.unique(local_day, return_inverse=True)
    free = np.array([_is_free(int(number)) for number in numbers])
    return np.asarray(free[where], dtype=np.bool_)


@lru_cache(maxsize=4096)
def _is_free(number: int) -> bool:
    day = datetime.fromtimestamp(number * 86_400, UTC).date()
    return day.weekday() >= 5 or is_legal_holiday(day)
