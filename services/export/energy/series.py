"""The series of one meter: which there are, which registers each has, and which slices of it are written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from market.channel import Direction, Energy, MeterKind, Quantity, Resolution
from services.export.domain.access import Detail
from services.export.domain.intervals import Intervals
from services.export.energy import templates
from services.export.energy.axis import Axis
from services.export.energy.columns import Column, MeterBlocks
from services.export.energy.days import day_and_night, day_total, slices_of
from services.export.energy.templates import Entry, Slices, newest_instants, write_slices

_NAMES: Final = {
    Quantity.ACTIVE: ("total", "kWh"),
    Quantity.REACTIVE: ("reactive", "kVArh"),
    Quantity.INDUCTIVE: ("inductive", "kVArh"),
    Quantity.CAPACITIVE: ("capacitive", "kVArh"),
    Quantity.GAS_VOLUME: ("total", "m3"),
    Quantity.GAS_ENERGY: ("total", "kWh"),
}
_REACTIVE: Final = (Quantity.REACTIVE, Quantity.INDUCTIVE, Quantity.CAPACITIVE)
_SLICES: Final = {Energy.ELECTRICITY: "quarterHourlyEnergy", Energy.GAS: "hourlyEnergy"}
_RESOLUTION: Final = {Energy.ELECTRICITY: Resolution.QUARTER_HOURLY, Energy.GAS: Resolution.HOURLY}


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What of a point is written: slices within `intervals`, on days from `first_day` to `last_day` (both inside).

    With `changed` = (after, until), in µs since 1970 (UTC), only slices whose newest value was recorded after the one
    and not after the other.
    """

    intervals: Mapping[Detail, Intervals]
    first_day: date
    last_day: date
    has_active: bool = True
    has_reactive: bool = False
    changed: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Body:
    """A JSON text, and how many values are in it."""

    json: bytes
    value_count: int


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of JSON that is joined to the others at the very end, for it is long; and how many values are in it."""

    pieces: Sequence[bytes]
    value_count: int


@dataclass(frozen=True)
class Span:
    """The slices and the days of the span, on which all series of the point lie."""

    energy: Energy
    wanted: Wanted

    @cached_property
    def slices(self) -> Axis:
        return Axis(self.energy, _RESOLUTION[self.energy], self.wanted.first_day, self.wanted.last_day)

    @cached_property
    def days(self) -> Axis:
        return Axis(self.energy, Resolution.DAILY, self.wanted.first_day, self.wanted.last_day)


def write_series(meter: MeterBlocks, span: Span, expected: NDArray[np.bool_]) -> Part:
    """The series of one meter as fields of a JSON object, each with a comma in front; empty ones left out."""
    wanted = span.wanted
    found: dict[str, Slices] = {}
    if not meter.blocks:
        return Part((), 0)
    if intervals := wanted.intervals.get(Detail.DAILY, ()):
        found["dailyEnergy"] = _write(span.days, intervals, list(_daily(meter, span, expected)), wanted)
    if intervals := wanted.intervals.get(Detail.SLICES, ()):
        found[_SLICES[span.energy]] = _write(span.slices, intervals, list(_fine(meter, span)), wanted)
    written = {name: each for name, each in found.items() if each.value_count}
    pieces = [piece for name, each in written.items() for piece in (f',"{name}":['.encode(), each.json, b"]")]
    return Part(pieces, sum(each.value_count for each in written.values()))


def _write(axis: Axis, intervals: Intervals, entries: Sequence[Entry], wanted: Wanted) -> Slices:
    if not entries:
        return Slices(b"", 0)
    keep = axis.within(intervals)
    if wanted.changed is not None:
        after, until = wanted.changed
        newest = newest_instants(entries)
        keep &= (newest > after) & (newest <= until)
    return write_slices(axis, entries, keep)


def _quantities(meter: MeterBlocks, span: Span) -> list[list[Quantity]]:
    """The quantities of each entry of `measurements`."""
    wanted = span.wanted
    if span.energy is Energy.GAS:
        kinds = [Quantity.GAS_ENERGY] if meter.is_amr else [Quantity.GAS_VOLUME, Quantity.GAS_ENERGY]
        return [[each] for each in kinds] if wanted.has_active else []
    active = [Quantity.ACTIVE] if wanted.has_active else []
    return [active + (list(_REACTIVE) if wanted.has_reactive and meter.is_amr else [])]


def _has(meter: MeterBlocks, direction: Direction, quantity: Quantity) -> bool:
    if quantity is Quantity.REACTIVE and direction is Direction.OFFTAKE and meter.is_amr:
        return True
    return any(channel.direction is direction and channel.quantity is quantity for channel in meter.blocks)


def _fine(meter: MeterBlocks, span: Span) -> Iterator[Entry]:
    for quantities in _quantities(meter, span):
        directions = []
        for direction in Direction:
            registers = [
                _register(each, slices_of(meter, direction, each, span.slices), meter.kind)
                for each in quantities
                if _has(meter, direction, each)
            ]
            directions += [templates.Direction(direction.name.lower(), registers)] if registers else []
        if directions:
            yield Entry(directions)


def _daily(meter: MeterBlocks, span: Span, expected: NDArray[np.bool_]) -> Iterator[Entry]:
    for quantities in _quantities(meter, span):
        directions = []
        for direction in Direction:
            own = [each for each in quantities if _has(meter, direction, each)]
            registers = list(_daily_registers(meter, direction, own, span, expected))
            directions += [templates.Direction(direction.name.lower(), registers)] if registers else []
        if directions:
            yield Entry(directions)


def _daily_registers(
    meter: MeterBlocks, direction: Direction, quantities: Sequence[Quantity], span: Span, expected: NDArray[np.bool_]
) -> Iterator[templates.Register]:
    for quantity in quantities:
        if quantity is Quantity.ACTIVE and not meter.is_amr:
            pair = day_and_night(meter, direction, span.slices, span.days, expected)
            for name, column in zip(("day", "night"), pair, strict=True):
                yield templates.Register(name, "kWh", column, meter.kind)
        else:
            column = day_total(meter, direction, quantity, span.slices, span.days, expected)
            yield _register(quantity, column, meter.kind)


def _register(quantity: Quantity, column: Column, kind: MeterKind) -> templates.Register:
    name, unit = _NAMES[quantity]
    has_factor = quantity is Quantity.GAS_ENERGY and kind is not MeterKind.AMR
    return templates.Register(name, unit, column, kind, has_factor=has_factor)
