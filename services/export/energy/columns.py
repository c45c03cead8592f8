"""Metering's blocks as columns: one number a slice, over a whole span of days."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from market.channel import BY_CODE, Channel, MeterKind, Resolution
from services.export.energy.axis import Axis

MISSING: Final = -(2**31)
_MILLI: Final = 1000
_FIELDS: Final = ("day", "channel", "meter_id", "meter_kind", "values", "quality", "gas_factor", "recorded_at")


class DamagedBlocks(ValueError):
    """The bytes are not blocks as metering sends them."""


@dataclass(frozen=True, slots=True)
class Block:
    """One channel, meter and local (gas) day, its slices packed as metering sends them."""

    day: date
    channel: Channel
    meter_id: str
    meter_kind: MeterKind
    values: bytes
    quality: bytes
    gas_factor: bytes
    recorded_at: bytes


@dataclass(frozen=True, slots=True)
class Column:
    """A value per slice in thousandths of the stored unit; where `is_present` is false, the others mean nothing.

    `quality` and `factor` are codes of `market.quality`; `recorded_at` is µs since 1970 (UTC).
    """

    is_present: NDArray[np.bool_]
    milli: NDArray[np.int64]
    quality: NDArray[np.uint8]
    factor: NDArray[np.uint8]
    recorded_at: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class MeterBlocks:
    """The blocks of one meter; its kind is that of its newest day."""

    meter_id: str
    kind: MeterKind
    blocks: Mapping[Channel, Sequence[Block]] = field(repr=False)
    _columns: dict[tuple[Channel, Axis], Column] = field(default_factory=dict, repr=False, compare=False)

    @property
    def first_day(self) -> date:
        return min(each.day for blocks in self.blocks.values() for each in blocks)

    @property
    def is_amr(self) -> bool:
        return self.kind is MeterKind.AMR

    def column(self, channel: Channel, axis: Axis) -> Column:
        """The values of `channel` on `axis`; all missing where there are no blocks.

        Raises:
            DamagedBlocks: a block does not have the slices that its day has.
        """
        kept = self._columns.get((channel, axis))
        if kept is None:
            kept = self._columns[channel, axis] = self._column(channel, axis)
        return kept

    def _column(self, channel: Channel, axis: Axis) -> Column:
        count = axis.count
        values = np.full(count, MISSING, dtype=np.int32)
        quality, factor = np.zeros(count, dtype=np.uint8), np.zeros(count, dtype=np.uint8)
        recorded_at = np.zeros(count, dtype=np.int64)
        try:
            for block in self.blocks.get(channel, ()):
                place = axis.place(block.day)
                given = np.frombuffer(block.values, dtype="<i4")
                own = given != MISSING  # two meters may share a day: what one does not have is the other's
                _put(values[place], given, own)
                _put(quality[place], np.frombuffer(block.quality, dtype=np.uint8), own)
                _put(recorded_at[place], np.frombuffer(block.recorded_at, dtype="<i8"), own)
                if block.gas_factor:
                    _put(factor[place], np.frombuffer(block.gas_factor, dtype=np.uint8), own)
        except ValueError as error:
            raise DamagedBlocks("a block does not fit its day") from error
        return Column(values != MISSING, values.astype(np.int64) * _MILLI, quality, factor, recorded_at)


def _put(target: NDArray[Any], given: NDArray[Any], own: NDArray[np.bool_]) -> None:
    if target.shape != given.shape:
        raise ValueError("as many slices as the day has")
    target[own] = given[own]


def read_blocks(data: bytes) -> list[Block]:
    """Return the blocks in an Arrow stream of metering's `GET /blocks`, in its order.

    Raises:
        DamagedBlocks: it is damaged, or has another shape.
    """
    try:
        with pa.ipc.open_stream(data) as reader:
            table = reader.read_all()
        columns = [table.column(name).to_pylist() for name in _FIELDS]
        return [
            Block(day, BY_CODE[code], meter_id, MeterKind(kind), *packed)
            for day, code, meter_id, kind, *packed in zip(*columns, strict=True)
        ]
    except (pa.ArrowException, KeyError, ValueError, TypeError) as error:
        raise DamagedBlocks(f"metering's blocks cannot be read: {type(error).__name__}") from error


def by_meter(blocks: Iterable[Block], axis: Axis) -> list[MeterBlocks]:
    """The meters of one point that have blocks of the axis's energy on its days; months left out. In order of begin."""
    found: dict[str, list[Block]] = {}
    for each in blocks:
        is_slice = each.channel.energy is axis.energy and each.channel.resolution is not Resolution.MONTHLY
        if is_slice and axis.first_day <= each.day <= axis.last_day:
            found.setdefault(each.meter_id, []).append(each)
    meters = []
    for meter_id, own in found.items():
        channels: dict[Channel, list[Block]] = {}
        for each in own:
            channels.setdefault(each.channel, []).append(each)
        meters.append(MeterBlocks(meter_id, max(own, key=lambda each: each.day).meter_kind, channels))
    return sorted(meters, key=lambda each: (each.first_day, each.meter_id))


def together(meters: Sequence[MeterBlocks]) -> MeterBlocks:
    """The blocks of several meters as one, for a point that is measured as a whole (AMR)."""
    channels: dict[Channel, list[Block]] = {}
    for meter in meters:
        for channel, blocks in meter.blocks.items():
            channels.setdefault(channel, []).extend(blocks)
    return MeterBlocks("", MeterKind.AMR, channels)
