"""The slices of a span of days as arrays: when each begins and ends, and how that is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property, lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from market.channel import Energy, MeterKind, Resolution
from market.local_time import slice_bounds
from market.tariff import day_tariff_mask
from services.export.domain.intervals import BEGINNING, END, Intervals

STAMP_LENGTH: Final = 20
_BOUNDS: Final = (np.iinfo(np.int64).min, np.iinfo(np.int64).max)


@lru_cache(maxsize=16384)
def _bounds(energy: Energy, resolution: Resolution, day: date) -> NDArray[np.int64]:
    return np.array([round(each.timestamp()) for each in slice_bounds(energy, resolution, day)], dtype=np.int64)


@lru_cache(maxsize=4096)
def _stamps(energy: Energy, resolution: Resolution, day: date) -> NDArray[np.uint8]:
    """The bounds of a day's slices as text, a row of 20 characters each (2026-10-24T22:00:00Z)."""
    text = [f"{each:%Y-%m-%dT%H:%M:%S}Z" for each in slice_bounds(energy, resolution, day)]
    return np.frombuffer("".join(text).encode(), dtype=np.uint8).reshape(-1, STAMP_LENGTH)


@lru_cache(maxsize=4096)
def _day_tariff(meter_kind: MeterKind, day: date) -> NDArray[np.bool_]:
    return np.array(day_tariff_mask(meter_kind, day), dtype=np.bool_)


@dataclass(frozen=True)
class Axis:
    """The slices of one resolution over the days `first_day` to `last_day` (both inside; gas: gas days)."""

    energy: Energy
    resolution: Resolution
    first_day: date
    last_day: date

    @cached_property
    def days(self) -> Sequence[date]:
        return [self.first_day + timedelta(days=n) for n in range((self.last_day - self.first_day).days + 1)]

    @cached_property
    def offsets(self) -> NDArray[np.int64]:
        """The place of each day's first slice, and behind the last day the number of slices."""
        counts = [len(each) - 1 for each in self._bounds]
        return np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])

    @property
    def count(self) -> int:
        return int(self.offsets[-1])

    def place(self, day: date) -> slice:
        """Where the slices of `day` lie."""
        index = (day - self.first_day).days
        return slice(int(self.offsets[index]), int(self.offsets[index + 1]))

    @cached_property
    def starts(self) -> NDArray[np.int64]:
        """Seconds since 1970 (UTC)."""
        return np.concatenate([each[:-1] for each in self._bounds])

    @cached_property
    def ends(self) -> NDArray[np.int64]:
        """Seconds since 1970 (UTC), exclusive."""
        return np.concatenate([each[1:] for each in self._bounds])

    @cached_property
    def _bounds(self) -> list[NDArray[np.int64]]:
        return [_bounds(self.energy, self.resolution, day) for day in self.days]

    @cached_property
    def start_text(self) -> NDArray[np.uint8]:
        return np.concatenate([_stamps(self.energy, self.resolution, day)[:-1] for day in self.days])

    @cached_property
    def end_text(self) -> NDArray[np.uint8]:
        return np.concatenate([_stamps(self.energy, self.resolution, day)[1:] for day in self.days])

    def is_day_tariff(self, meter_kind: MeterKind) -> NDArray[np.bool_]:
        """Per quarter-hour: whether it is at day tariff."""
        return np.concatenate([_day_tariff(meter_kind, day) for day in self.days])

    def within(self, intervals: Intervals) -> NDArray[np.bool_]:
        """Per slice: whether it lies wholly in one of `intervals`."""
        inside = np.zeros(self.count, dtype=np.bool_)
        for start, end in intervals:
            # Slices begin and end on whole seconds: a bound within a second is the next or the last whole one.
            first = _BOUNDS[0] if start == BEGINNING else -int(-start.timestamp() // 1)
            last = _BOUNDS[1] if end == END else int(end.timestamp() // 1)
            inside |= (self.starts >= first) & (self.ends <= last)
        return inside
