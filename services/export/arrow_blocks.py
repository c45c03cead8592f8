"""Metering's Arrow stream as blocks. Pure."""

from __future__ import annotations

import struct
from datetime import date
from typing import Final

import pyarrow as pa

from market.channel import BY_CODE, MeterKind
from market.quality import GasFactor, Quality
from services.export.domain.series import Block

_MISSING_VALUE: Final = -(2**31)
_COLUMNS: Final = ("day", "channel", "meter_id", "meter_kind", "slice_count", "values", "quality", "gas_factor")


class UnknownBlocks(ValueError):
    """The bytes are not blocks as metering sends them."""


def read_blocks(data: bytes) -> list[Block]:
    """Return the blocks in an Arrow stream of `GET /blocks`, in its order.

    Raises:
        UnknownBlocks: it is damaged, or has another shape.
    """
    try:
        with pa.ipc.open_stream(data) as reader:
            table = reader.read_all()
        columns = [table.column(name).to_pylist() for name in _COLUMNS]
        return [_block(*row) for row in zip(*columns, strict=True)]
    except (pa.ArrowException, KeyError, ValueError, TypeError, struct.error) as error:
        raise UnknownBlocks(f"metering's blocks cannot be read: {type(error).__name__}") from error


def _block(
    day: date,
    channel: int,
    meter_id: str,
    meter_kind: int,
    slice_count: int,
    values: bytes,
    quality: bytes,
    gas_factor: bytes,
) -> Block:
    numbers = struct.unpack(f"<{slice_count}i", values)
    if len(quality) != slice_count or len(gas_factor) not in (0, slice_count):
        raise ValueError("qualities do not fit the values")
    return Block(
        channel=BY_CODE[channel],
        meter_id=meter_id,
        meter_kind=MeterKind(meter_kind),
        day=day,
        values=tuple(None if number == _MISSING_VALUE else number for number in numbers),
        quality=tuple(map(Quality, quality)),
        gas_factor=tuple(map(GasFactor, gas_factor)),
    )
