"""Blocks as they travel to export: one Arrow table, every slice spelled out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from services.metering.byte_column import from_matrix, from_rows
from services.metering.runs import decode_codes
from services.metering.stored_slices import decode_instants
from services.metering.stored_values import MISSING, decode_values

_FIELDS: Final[list[pa.Field[Any]]] = [
    pa.field("ean", pa.utf8()),
    pa.field("day", pa.date32()),
    pa.field("channel", pa.int16()),
    pa.field("meter_id", pa.utf8()),
    pa.field("meter_kind", pa.int8()),
    pa.field("slice_count", pa.int16()),
    pa.field("values", pa.binary()),
    pa.field("quality", pa.binary()),
    pa.field("gas_factor", pa.binary()),
    pa.field("recorded_at", pa.binary()),
]
SCHEMA: Final = pa.schema(_FIELDS)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


class StoredBlock(NamedTuple):
    """A row of table `block`, as far as a reader of values needs it; the names are those of its columns."""

    ean: int
    day: date
    channel: int
    meter_id: str
    meter_kind: int
    slice_count: int
    slice_values: bytes
    slice_quality: bytes
    slice_gas_factor: bytes
    slice_recorded_at: bytes
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class OpenBlocks:
    """Blocks of one slice count as matrices, a row per block; instants in µs since 1970 (UTC), 0 where missing."""

    values: NDArray[np.int32]
    quality: NDArray[np.uint8]
    gas_factor: NDArray[np.uint8]
    recorded_at: NDArray[np.int64]


def open_blocks(blocks: Sequence[StoredBlock], slice_count: int) -> OpenBlocks:
    """Return the slices of `blocks`, all of them with `slice_count`."""
    values = decode_values(from_rows([each.slice_values for each in blocks]), slice_count)
    is_present = values != MISSING
    changed = np.array([(each.recorded_at - _EPOCH) // _MICROSECOND for each in blocks], dtype=np.int64)
    instants = decode_instants(from_rows([each.slice_recorded_at for each in blocks]), changed, is_present)
    return OpenBlocks(
        values=values,
        quality=decode_codes(from_rows([each.slice_quality for each in blocks]), slice_count),
        gas_factor=decode_codes(from_rows([each.slice_gas_factor for each in blocks]), slice_count),
        recorded_at=np.where(is_present, instants, 0),
    )


def blocks_table(blocks: Sequence[StoredBlock]) -> pa.Table:
    """Return `blocks` in the same order as a table of `SCHEMA`.

    `values` holds int32, -2147483648 where missing; `quality` and `gas_factor` one byte (codes of `market.quality`);
    `recorded_at` int64 µs since 1970 (UTC), 0 where missing: all little-endian, one per slice. `gas_factor` is empty
    where no slice has one.
    """
    slices: list[tuple[bytes, bytes, bytes, bytes]] = [(b"", b"", b"", b"")] * len(blocks)
    for slice_count in {each.slice_count for each in blocks}:
        places = [place for place, each in enumerate(blocks) if each.slice_count == slice_count]
        opened = open_blocks([blocks[place] for place in places], slice_count)
        columns = [
            from_matrix(opened.values.astype("<i4", copy=False)).to_list(),
            from_matrix(opened.quality).to_list(),
            from_matrix(opened.gas_factor).to_list(),
            from_matrix(opened.recorded_at.astype("<i8", copy=False)).to_list(),
        ]
        for place, row in zip(places, zip(*columns, strict=True), strict=True):
            slices[place] = row
    return _table(blocks, slices)


def _table(blocks: Sequence[StoredBlock], slices: Sequence[tuple[bytes, bytes, bytes, bytes]]) -> pa.Table:
    columns: list[Any] = [
        [f"{each.ean:018d}" for each in blocks],
        [each.day for each in blocks],
        [each.channel for each in blocks],
        [each.meter_id for each in blocks],
        [each.meter_kind for each in blocks],
        [each.slice_count for each in blocks],
        [row[0] for row in slices],
        [row[1] for row in slices],
        [row[2] if each.slice_gas_factor else b"" for each, row in zip(blocks, slices, strict=True)],
        [row[3] for row in slices],
    ]
    return pa.table(
        [pa.array(column, field.type) for column, field in zip(columns, SCHEMA, strict=True)], schema=SCHEMA
    )
