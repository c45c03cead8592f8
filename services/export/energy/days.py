"""Day values of one meter: what was delivered, else the complete sum of quarters or hours.

A derived day is there only when every slice of it within the meter's own period is; its quality is the weakest of
theirs, its instant the latest.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from market.channel import Channel, Direction, MeterKind, Quantity, Register, Resolution
from services.export.energy.axis import Axis
from services.export.energy.columns import Column, MeterBlocks

_HIGHEST: Final = np.uint8(255)
_EXCESS: Final = 484  # thousandths of the active energy that a cos phi of 0.90 allows


def day_and_night(
    meter: MeterBlocks, direction: Direction, axis: Axis, days: Axis, expected: NDArray[np.bool_]
) -> tuple[Column, Column]:
    """The day and night register of each day: the delivered pair, else the sums by tariff, else what was delivered.

    `axis` has the quarters of `days`; `expected` says which of them lie in the meter's period.
    """
    delivered = [
        meter.column(Channel(direction, Quantity.ACTIVE, register, Resolution.DAILY), days)
        for register in (Register.DAY, Register.NIGHT)
    ]
    quarters = meter.column(_slices_of(direction, Quantity.ACTIVE), axis)
    is_complete = _is_complete(quarters, axis, expected)
    is_derived = is_complete & ~(delivered[0].is_present & delivered[1].is_present)
    at_day = axis.is_day_tariff(meter.kind)
    return (
        _choose(is_derived, _sum(quarters, axis, is_complete, at_day), delivered[0]),
        _choose(is_derived, _sum(quarters, axis, is_complete, ~at_day), delivered[1]),
    )


def day_total(
    meter: MeterBlocks,
    direction: Direction,
    quantity: Quantity,
    axis: Axis,
    days: Axis,
    expected: NDArray[np.bool_],
) -> Column:
    """The whole day's value: the delivered one, else the sum of its slices, else that of the delivered registers."""
    delivered = meter.column(Channel(direction, quantity, Register.TOTAL, Resolution.DAILY), days)
    slices = slices_of(meter, direction, quantity, axis)
    is_complete = _is_complete(slices, axis, expected)
    every = np.ones(axis.count, dtype=np.bool_)
    found = _choose(~delivered.is_present, _sum(slices, axis, is_complete, every), delivered)
    if quantity is not Quantity.ACTIVE:
        return found
    at_day, at_night = (
        meter.column(Channel(direction, quantity, register, Resolution.DAILY), days)
        for register in (Register.DAY, Register.NIGHT)
    )
    return _choose(~found.is_present, _together(at_day, at_night), found)


def slices_of(meter: MeterBlocks, direction: Direction, quantity: Quantity, axis: Axis) -> Column:
    """The quarters or hours of a quantity. Reactive offtake of an AMR meter is derived where it was not delivered."""
    register = Channel(direction, quantity, Register.TOTAL, axis.resolution)
    delivered = meter.column(register, axis)
    is_derivable = quantity is Quantity.REACTIVE and direction is Direction.OFFTAKE and meter.kind is MeterKind.AMR
    if not is_derivable:
        return delivered
    return _choose(~delivered.is_present, _excess_reactive(meter, axis), delivered)


def _slices_of(direction: Direction, quantity: Quantity) -> Channel:
    return Channel(direction, quantity, Register.TOTAL, Resolution.QUARTER_HOURLY)


def _excess_reactive(meter: MeterBlocks, axis: Axis) -> Column:
    """max(0, inductive + capacitive - 0.484 x active) of each quarter that has all three; the weakest quality."""
    active, inductive, capacitive = (
        meter.column(_slices_of(Direction.OFFTAKE, each), axis)
        for each in (Quantity.ACTIVE, Quantity.INDUCTIVE, Quantity.CAPACITIVE)
    )
    excess = inductive.milli + capacitive.milli - active.milli // 1000 * _EXCESS
    return Column(
        active.is_present & inductive.is_present & capacitive.is_present,
        np.maximum(excess, 0),
        np.minimum.reduce([active.quality, inductive.quality, capacitive.quality]),
        active.factor,
        np.maximum.reduce([active.recorded_at, inductive.recorded_at, capacitive.recorded_at]),
    )


def _is_complete(column: Column, axis: Axis, expected: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Per day: whether something is expected, and everything that is, is there."""
    first = axis.offsets[:-1]
    missing = np.add.reduceat(expected & ~column.is_present, first, dtype=np.int64)
    found: NDArray[np.bool_] = (missing == 0) & (np.add.reduceat(expected, first, dtype=np.int64) > 0)
    return found


def _sum(column: Column, axis: Axis, is_complete: NDArray[np.bool_], counted: NDArray[np.bool_]) -> Column:
    """The sum of each complete day over the slices `counted`.

    Where a day has none of them it is 0, with the weakest quality and the latest instant of all its slices.
    """
    first = axis.offsets[:-1]
    chosen = column.is_present & counted
    is_empty = np.add.reduceat(chosen, first, dtype=np.int64) == 0
    taken = chosen | (column.is_present & np.repeat(is_empty, np.diff(axis.offsets)))
    factors = np.minimum.reduceat(np.where(taken & (column.factor > 0), column.factor, _HIGHEST), first)
    return Column(
        is_complete,
        np.add.reduceat(np.where(chosen, column.milli, 0), first),
        np.minimum.reduceat(np.where(taken, column.quality, _HIGHEST), first),
        np.where(factors == _HIGHEST, np.uint8(0), factors),
        np.maximum.reduceat(np.where(taken, column.recorded_at, 0), first),
    )


def _together(one: Column, other: Column) -> Column:
    """The sum where both are present."""
    return Column(
        one.is_present & other.is_present,
        one.milli + other.milli,
        np.minimum(one.quality, other.quality),
        one.factor,
        np.maximum(one.recorded_at, other.recorded_at),
    )


def _choose(first: NDArray[np.bool_], one: Column, other: Column) -> Column:
    """`one` where `first` is true and it is present, else `other`."""
    take = first & one.is_present
    return Column(
        np.where(take, one.is_present, other.is_present),
        np.where(take, one.milli, other.milli),
        np.where(take, one.quality, other.quality),
        np.where(take, one.factor, other.factor),
        np.where(take, one.recorded_at, other.recorded_at),
    )
