"""Months of one meter: the peak, and (ours) the totals. Pure.

A month is its local days, of gas its gas days. It is there only when every slice of it in the meter's period is; the
peak of a month that still runs is the highest so far.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from itertools import groupby
from typing import Final, NamedTuple

from market.channel import Channel, Direction, Energy, Quantity, Register, Resolution
from market.local_time import month_start, next_month_start
from services.export.domain.cells import MISSING, Cell, complete_sum
from services.export.domain.meters import Meter

_KINDS_OF_PEAK: Final = {
    Energy.ELECTRICITY: (Quantity.ACTIVE, Resolution.QUARTER_HOURLY, Quantity.PEAK),
    Energy.GAS: (Quantity.GAS_ENERGY, Resolution.HOURLY, Quantity.GAS_PEAK),
}
_SLICES_AN_HOUR: Final = {Energy.ELECTRICITY: 4, Energy.GAS: 1}


class Month(NamedTuple):
    """A month by its first day, and its value; `is_running` while it has not ended."""

    first_day: date
    cell: Cell
    is_running: bool


def totals(days: Sequence[date], cells: Sequence[Cell], today: date) -> list[Month]:
    """The sums of day values by month, each rounded later, once."""
    return [
        Month(month, complete_sum([cells[index] for index in indexes]), today < next_month_start(month))
        for month, indexes in _by_month(days)
    ]


def peaks(meter: Meter, energy: Energy, direction: Direction, today: date) -> tuple[Channel, list[Month]] | None:
    """The month peaks in W, in thousandths: 4 x the highest quarter in Wh, of gas the highest hour.

    Where the slices do not give one, the peak that the meter delivered. None where the meter has neither.
    """
    quantity, resolution, peak_quantity = _KINDS_OF_PEAK[energy]
    source = Channel(direction, quantity, Register.TOTAL, resolution)
    peak = Channel(direction, peak_quantity, Register.TOTAL, Resolution.MONTHLY)
    if not (meter.has(source) or meter.has(peak)):
        return None
    days = meter.days()
    months = []
    for month, indexes in _by_month(days):
        is_running = today < next_month_start(month)
        cells = [cell for index in indexes for cell in meter.cells(source, days[index])]
        derived = _highest(cells, _SLICES_AN_HOUR[energy], is_running=is_running)
        [delivered] = meter.cells(peak, month)
        months.append(Month(month, delivered if derived.milli is None else derived, is_running))
    return peak, months


def _highest(cells: Sequence[Cell], slices_an_hour: int, *, is_running: bool) -> Cell:
    present = [cell for cell in cells if cell.milli is not None]
    if not present or (len(present) < len(cells) and not is_running):
        return MISSING
    top = max(cell.milli for cell in present if cell.milli is not None)
    weakest = min(cell.quality for cell in present)
    factors = [cell.factor for cell in present if cell.factor]
    return Cell(top * slices_an_hour, weakest, min(factors, default=MISSING.factor))


def _by_month(days: Sequence[date]) -> list[tuple[date, list[int]]]:
    grouped = groupby(range(len(days)), key=lambda index: month_start(days[index]))
    return [(month, list(indexes)) for month, indexes in grouped]
