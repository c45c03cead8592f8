"""Day values of one meter: what was delivered, else the complete sum of quarters or hours. Pure.

A day is a local day, of gas a gas day. A derived day is there only when every slice of it is; its quality is the
weakest of theirs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import compress

from market.channel import Channel, Direction, Quantity, Register, Resolution
from market.tariff import day_tariff_mask
from services.export.domain.cells import MISSING, Cell, complete_sum
from services.export.domain.meters import Meter, quarters

_SPLIT = (Direction.OFFTAKE, Direction.INJECTION)
_REACTIVE = (Quantity.REACTIVE, Quantity.CAPACITIVE, Quantity.INDUCTIVE)
_GAS = (Quantity.GAS_VOLUME, Quantity.GAS_ENERGY)


@dataclass(frozen=True, slots=True, kw_only=True)
class DailyCells:
    """One daily channel of one meter and a cell for each day of the meter's period."""

    meter: Meter
    channel: Channel
    cells: tuple[Cell, ...]


def daily_cells(meter: Meter) -> list[DailyCells]:
    """All day values of `meter`, channels in the order in which a file lists them."""
    series = [entry for direction in Direction for entry in _of_direction(meter, direction)]
    return [
        DailyCells(meter=meter, channel=channel, cells=tuple(cells)) for channel, cells in series if cells is not None
    ]


def day_and_night(meter: Meter, direction: Direction, day: date) -> tuple[Cell, Cell]:
    """The day and night register of an electricity day.

    The delivered pair where both are there, else the complete sum of quarters by tariff, else what was delivered.
    """
    delivered_day, delivered_night = (
        meter.cells(_daily(direction, Quantity.ACTIVE, register), day)[0] for register in (Register.DAY, Register.NIGHT)
    )
    if delivered_day.milli is not None and delivered_night.milli is not None:
        return delivered_day, delivered_night
    derived = sums_by_tariff(meter.cells(quarters(direction, Quantity.ACTIVE), day), day_tariff_mask(meter.kind, day))
    return derived or (delivered_day, delivered_night)


def sums_by_tariff(cells: Sequence[Cell], is_day_tariff: Sequence[bool]) -> tuple[Cell, Cell] | None:
    """The sums at day and at night tariff, or None when a quarter is missing.

    A register that is never on during the day is 0, of the day's weakest quality.
    """
    whole = complete_sum(cells)
    if whole.milli is None:
        return None
    day = list(compress(cells, is_day_tariff))
    night = list(compress(cells, (not is_day for is_day in is_day_tariff)))
    nothing = whole._replace(milli=0)
    return (complete_sum(day) if day else nothing, complete_sum(night) if night else nothing)


def _of_direction(meter: Meter, direction: Direction) -> list[tuple[Channel, Sequence[Cell] | None]]:
    found = _active(meter, direction)
    found += [(_daily(direction, quantity), _reactive(meter, direction, quantity)) for quantity in _REACTIVE]
    if direction in _SPLIT:
        found += [(_daily(direction, quantity), _gas(meter, direction, quantity)) for quantity in _GAS]
    return found


def _active(meter: Meter, direction: Direction) -> list[tuple[Channel, Sequence[Cell] | None]]:
    registers = [_daily(direction, Quantity.ACTIVE, register) for register in (Register.DAY, Register.NIGHT)]
    total = _daily(direction, Quantity.ACTIVE)
    has_quarters = meter.has(quarters(direction, Quantity.ACTIVE))
    if any(meter.has(channel) for channel in registers) or (direction in _SPLIT and has_quarters):
        pairs = [day_and_night(meter, direction, day) for day in meter.days()]
        return [(channel, cells) for channel, cells in zip(registers, zip(*pairs, strict=True), strict=True)]
    if meter.has(total) or has_quarters:
        return [(total, [_delivered_or_sum(meter, direction, Quantity.ACTIVE, day) for day in meter.days()])]
    return []


def _reactive(meter: Meter, direction: Direction, quantity: Quantity) -> Sequence[Cell] | None:
    has_any = meter.has(_daily(direction, quantity)) or meter.has(quarters(direction, quantity))
    if quantity is Quantity.REACTIVE and direction is Direction.OFFTAKE:
        has_any = has_any or meter.has_excess_reactive()
    if not has_any:
        return None
    return [_delivered_or_sum(meter, direction, quantity, day) for day in meter.days()]


def _delivered_or_sum(meter: Meter, direction: Direction, quantity: Quantity, day: date) -> Cell:
    delivered = meter.cells(_daily(direction, quantity), day)[0]
    if delivered.milli is not None:
        return delivered
    if quantity is Quantity.REACTIVE:
        return complete_sum(meter.reactive_cells(direction, day))
    return complete_sum(meter.cells(quarters(direction, quantity), day))


def _gas(meter: Meter, direction: Direction, quantity: Quantity) -> Sequence[Cell] | None:
    daily = _daily(direction, quantity)
    hourly = Channel(direction, quantity, Register.TOTAL, Resolution.HOURLY)
    if not (meter.has(daily) or meter.has(hourly)):
        return None
    return [_first_present(meter.cells(daily, day)[0], complete_sum(meter.cells(hourly, day))) for day in meter.days()]


def _first_present(delivered: Cell, derived: Cell) -> Cell:
    return next((cell for cell in (delivered, derived) if cell.milli is not None), MISSING)


def _daily(direction: Direction, quantity: Quantity, register: Register = Register.TOTAL) -> Channel:
    return Channel(direction, quantity, register, Resolution.DAILY)
