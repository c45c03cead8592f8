"""From the blocks of a point to the series that leave, at the granularity that is asked for. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import date, datetime
from functools import partial
from itertools import product
from typing import Final

from market.channel import CHANNELS, Channel, Direction, Energy, Quantity, Resolution
from market.local_time import month_start, next_month_start, slice_bounds
from services.export.domain.cells import Cell, rounded, total_of
from services.export.domain.daily import daily_cells
from services.export.domain.meters import Meter, meters_of, quarters
from services.export.domain.monthly import Month, peaks, totals
from services.export.domain.series import Block, Granularity, Series, Slice

# Nobody is billed by an injection peak: it leaves only to who asks for it by name.
_DIRECTIONS_WITH_PEAK = (Direction.OFFTAKE, Direction.PRODUCTION, Direction.AUXILIARY)


def whole_months(granularity: Granularity, first_day: date, last_day: date) -> tuple[date, date]:
    """The days (inclusive) to read: those asked for, or all of the months that hold them."""
    if granularity not in (Granularity.MONTH, Granularity.MONTH_TOTAL):
        return first_day, last_day
    return month_start(first_day), date.fromordinal(next_month_start(last_day).toordinal() - 1)


def assemble(
    blocks: Iterable[Block],
    *,
    granularity: Granularity,
    first_day: date,
    last_day: date,
    today: date,
    direction: Direction | None = None,
) -> list[Series]:
    """The series of all meters between two days (inclusive), each over every slice of its meter's period.

    `today` is the local day now: it decides which month still runs. A series of which nothing is known is left out.
    """
    make = _MAKERS[granularity]
    series = [
        entry
        for meter in meters_of(blocks, first_day, last_day)
        for entry in make(meter, granularity, today, direction)
    ]
    return [entry for entry in series if direction is None or entry.channel.direction is direction]


def _of_slices(meter: Meter, granularity: Granularity, _today: date, _wanted: Direction | None) -> Iterator[Series]:
    resolution = Resolution.HOURLY if granularity is Granularity.HOUR else Resolution.QUARTER_HOURLY
    reactive = quarters(Direction.OFFTAKE, Quantity.REACTIVE)
    for channel in CHANNELS:
        if channel.resolution is not resolution:
            continue
        if channel == reactive and meter.has_excess_reactive():
            yield _over_days(meter, channel, granularity, partial(meter.reactive_cells, channel.direction))
        elif meter.has(channel):
            yield _over_days(meter, channel, granularity, partial(meter.cells, channel))


def _of_days(meter: Meter, granularity: Granularity, _today: date, _wanted: Direction | None) -> Iterator[Series]:
    for entry in daily_cells(meter):
        by_day = {day: (cell,) for day, cell in zip(meter.days(), entry.cells, strict=True)}
        yield _over_days(meter, entry.channel, granularity, by_day.__getitem__)


def _of_totals(meter: Meter, granularity: Granularity, today: date, _wanted: Direction | None) -> Iterator[Series]:
    for entry in daily_cells(meter):
        yield _over_months(meter, entry.channel, granularity, totals(meter.days(), entry.cells, today))


def _of_peaks(meter: Meter, granularity: Granularity, today: date, wanted: Direction | None) -> Iterator[Series]:
    for energy, direction in product(Energy, _DIRECTIONS_WITH_PEAK if wanted is None else (wanted,)):
        found = peaks(meter, energy, direction, today)
        if found is not None:
            yield _over_months(meter, found[0], granularity, found[1])


def _over_days(
    meter: Meter, channel: Channel, granularity: Granularity, cells_on: Callable[[date], Sequence[Cell]]
) -> Series:
    """A series over the slices of the meter's days; `cells_on` a day has one cell per slice of the calendar."""
    slices: list[Slice] = []
    cells: list[Cell] = []
    for day in meter.days():
        bounds = slice_bounds(channel.energy, channel.resolution, day)
        of_day = cells_on(day)
        slices += [_slice(day, bounds[i], bounds[i + 1], cell) for i, cell in enumerate(of_day)]
        cells += of_day
    return _series(meter, channel, granularity, slices, total_of(cells))


def _over_months(meter: Meter, channel: Channel, granularity: Granularity, months: Sequence[Month]) -> Series:
    """A series over whole months. Peaks have no total: their sum means nothing."""
    slices = []
    for month in months:
        start, end = slice_bounds(channel.energy, Resolution.MONTHLY, month.first_day)
        slices.append(replace(_slice(month.first_day, start, end, month.cell), is_running=month.is_running))
    total = None if granularity is Granularity.MONTH else total_of([month.cell for month in months])
    return _series(meter, channel, granularity, slices, total)


def _slice(day: date, start: datetime, end: datetime, cell: Cell) -> Slice:
    value = None if cell.milli is None else rounded(cell.milli)
    return Slice(start=start, end=end, day=day, value=value, quality=cell.quality, factor=cell.factor)


def _series(
    meter: Meter, channel: Channel, granularity: Granularity, slices: Sequence[Slice], total: int | None
) -> Series:
    return Series(
        channel=channel,
        meter_id=meter.meter_id,
        meter_kind=meter.kind,
        granularity=granularity,
        slices=tuple(slices),
        total=total,
    )


_Maker = Callable[[Meter, Granularity, date, Direction | None], Iterator[Series]]
_MAKERS: Final[dict[Granularity, _Maker]] = {
    Granularity.QUARTER: _of_slices,
    Granularity.HOUR: _of_slices,
    Granularity.DAY: _of_days,
    Granularity.MONTH: _of_peaks,
    Granularity.MONTH_TOTAL: _of_totals,
}
