"""The meters of one point within the days that are asked for, each with its own period. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from market.channel import Channel, Direction, MeterKind, Quantity, Register, Resolution
from market.local_time import slice_count
from services.export.domain.cells import MISSING, Cell, cells_of, excess_reactive
from services.export.domain.series import Block

_ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Meter:
    """The blocks of one meter, and the days (inclusive) for which every slice is expected of it."""

    meter_id: str
    kind: MeterKind
    first_day: date
    last_day: date
    blocks: Mapping[Channel, Mapping[date, Block]]

    def days(self) -> list[date]:
        """The days of the meter's period, in order."""
        return [self.first_day + timedelta(days=i) for i in range((self.last_day - self.first_day).days + 1)]

    def has(self, channel: Channel) -> bool:
        """Whether anything of `channel` is known, be it only that it is missing."""
        return channel in self.blocks

    def cells(self, channel: Channel, day: date) -> tuple[Cell, ...]:
        """The cells of one day, one per slice of the calendar; all missing where there is no block."""
        block = self.blocks.get(channel, {}).get(day)
        if block is None:
            return (MISSING,) * slice_count(channel.energy, channel.resolution, day)
        return cells_of(block)

    def has_excess_reactive(self) -> bool:
        """Whether reactive quarters of the offtake can be derived, or were delivered."""
        parts = (Quantity.ACTIVE, Quantity.INDUCTIVE, Quantity.CAPACITIVE)
        return self.has(quarters(Direction.OFFTAKE, Quantity.REACTIVE)) or (
            self.kind is MeterKind.AMR and all(self.has(quarters(Direction.OFFTAKE, part)) for part in parts)
        )

    def reactive_cells(self, direction: Direction, day: date) -> tuple[Cell, ...]:
        """Reactive quarters: what was delivered wins, quarter by quarter; else, for an AMR offtake, the excess."""
        delivered = self.cells(quarters(direction, Quantity.REACTIVE), day)
        if direction is not Direction.OFFTAKE or self.kind is not MeterKind.AMR:
            return delivered
        active, inductive, capacitive = (
            self.cells(quarters(direction, part), day)
            for part in (Quantity.ACTIVE, Quantity.INDUCTIVE, Quantity.CAPACITIVE)
        )
        return tuple(
            cell if cell.milli is not None else excess_reactive(*parts)
            for cell, *parts in zip(delivered, active, inductive, capacitive, strict=True)
        )


def quarters(direction: Direction, quantity: Quantity) -> Channel:
    """The quarter-hourly channel of `quantity`."""
    return Channel(direction, quantity, Register.TOTAL, Resolution.QUARTER_HOURLY)


def meters_of(blocks: Iterable[Block], first_day: date, last_day: date) -> list[Meter]:
    """The meters behind `blocks`, by the day they begin; days are inclusive.

    The first meter is expected from `first_day` on, the last one until `last_day`; where one follows another, the
    earlier lasts until the day before the later one's first, or as long as it has readings.
    """
    by_meter: dict[str, list[Block]] = {}
    for block in blocks:
        by_meter.setdefault(block.meter_id, []).append(block)
    seen = sorted(
        (min(block.day for block in own), max(block.day for block in own), meter_id)
        for meter_id, own in by_meter.items()
    )
    newest = max((end for _, end, _ in seen), default=last_day)
    meters = []
    for start, end, meter_id in seen:
        later = min((other for other, _, _ in seen if other > start), default=None)
        until = last_day if end == newest else max(end, (later or last_day) - _ONE_DAY)
        since = first_day if start == seen[0][0] else start
        meters.append(_meter(meter_id, by_meter[meter_id], since, until))
    return meters


def _meter(meter_id: str, blocks: list[Block], first_day: date, last_day: date) -> Meter:
    by_channel: dict[Channel, dict[date, Block]] = {}
    for block in blocks:
        by_channel.setdefault(block.channel, {})[block.day] = block
    kind = max(blocks, key=lambda block: block.day).meter_kind
    return Meter(meter_id=meter_id, kind=kind, first_day=first_day, last_day=last_day, blocks=by_channel)
