"""Day and night tariff of a quarter-hour, by the kind of meter.

Day is Monday to Friday, 07:00 to 22:00 local. On a digital meter a holiday is an ordinary day; on an AMR meter the ten
Belgian legal holidays are night. Source: read off the operator's files of 2023, 2025 and 2026.
"""

from __future__ import annotations

from datetime import date, time
from functools import lru_cache
from typing import Final

from market.channel import Energy, MeterKind, Resolution
from market.local_time import BRUSSELS, slice_bounds, slice_count
from market.working_days import is_legal_holiday

_DAY_BEGINS: Final = time(7)
_DAY_ENDS: Final = time(22)


def has_day_tariff(meter_kind: MeterKind, day: date) -> bool:
    """Whether any quarter of the local day `day` is at day tariff. All but AMR meters follow the digital calendar."""
    if day.weekday() >= 5:
        return False
    return meter_kind is not MeterKind.AMR or not is_legal_holiday(day)


@lru_cache(maxsize=16384)
def day_tariff_mask(meter_kind: MeterKind, day: date) -> tuple[bool, ...]:
    """Per quarter of the local day `day` (92, 96 or 100): true at day tariff, false at night tariff."""
    if not has_day_tariff(meter_kind, day):
        return (False,) * slice_count(Energy.ELECTRICITY, Resolution.QUARTER_HOURLY, day)
    starts = slice_bounds(Energy.ELECTRICITY, Resolution.QUARTER_HOURLY, day)[:-1]
    return tuple(_DAY_BEGINS <= start.astimezone(BRUSSELS).time() < _DAY_ENDS for start in starts)
