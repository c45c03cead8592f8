"""Days that are not complete, from the quarters or hours that are there. Pure.

A derived day leaves export only when every slice of it is there (decision 20); a person wants to see that a day with
holes is not an empty day.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from itertools import compress

from market.channel import Direction, MeterKind, Quantity, Register
from market.tariff import day_tariff_mask
from services.portal.periods import Period
from services.portal.readings import Partial, Point, Readings, Series, Slice

_Fine = Mapping[tuple[Direction, Quantity, str], tuple[Series, Mapping[date, Sequence[Slice]]]]


def days_to_complete(days: Readings, point: Point, period: Period) -> Period | None:
    """The span of missing days that may hold something; None where there are none."""
    missing = {days.day_of(entry.start) for series in days.series for entry in series.slices if entry.value is None}
    within = [day for day in missing if point.first_on <= day <= point.last_on]
    return Period(period.view, min(within), max(within)) if within else None


def with_partial_days(days: Readings, fine: Readings) -> Readings:
    """`days` with what `fine` (quarters or hours) has of the missing ones; day and night by the meter's tariff."""
    found: _Fine = {_name(series): (series, _by_day(fine, series)) for series in fine.series}
    kind = MeterKind[days.meter_kind] if days.meter_kind in MeterKind.__members__ else MeterKind.UNKNOWN
    return replace(days, series=tuple(_completed(days, series, found, kind) for series in days.series))


def _completed(days: Readings, series: Series, found: _Fine, kind: MeterKind) -> Series:
    if _name(series) not in found:
        return series
    fine, by_day = found[_name(series)]

    def complete(entry: Slice) -> Slice:
        day = days.day_of(entry.start)
        if entry.value is not None or day not in by_day:
            return entry
        slices = _of_register(by_day[day], series.channel.register, kind, day)
        values = [each.value for each in slices if each.value is not None]
        if not values:
            return entry
        sum_of_values = sum(values, start=Decimal(0))
        return replace(entry, partial=Partial(sum_of_values, len(values), len(slices), fine.channel.resolution))

    return replace(series, slices=tuple(complete(entry) for entry in series.slices))


def _of_register(slices: Sequence[Slice], register: Register, kind: MeterKind, day: date) -> Sequence[Slice]:
    if register is Register.TOTAL:
        return slices
    is_day_tariff = day_tariff_mask(kind, day)
    return list(compress(slices, (is_day is (register is Register.DAY) for is_day in is_day_tariff)))


def _by_day(readings: Readings, series: Series) -> dict[date, list[Slice]]:
    found: dict[date, list[Slice]] = defaultdict(list)
    for entry in series.slices:
        found[readings.day_of(entry.start)].append(entry)
    return dict(found)


def _name(series: Series) -> tuple[Direction, Quantity, str]:
    return series.channel.direction, series.channel.quantity, series.meter_id
