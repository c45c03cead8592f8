"""Blocks as they travel to export: one Arrow table, every slice spelled out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from services.metering.byte_column import ByteColumn, from_matrix, from_rows, gathered, offsets_of
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
    columns = _transposed(blocks)
    values = decode_values(from_rows(columns.slice_values), slice_count)
    is_present = values != MISSING
    changed = _microseconds(columns.recorded_at)
    instants = decode_instants(from_rows(columns.slice_recorded_at), changed, is_present)
    return OpenBlocks(
        values=values,
        quality=decode_codes(from_rows(columns.slice_quality), slice_count),
        gas_factor=decode_codes(from_rows(columns.slice_gas_factor), slice_count),
        recorded_at=np.where(is_present, instants, 0),
    )


def blocks_table(blocks: Sequence[StoredBlock]) -> pa.Table:
    """Return `blocks` in the same order as a table of `SCHEMA`.

    `values` holds int32, -2147483648 where missing; `quality` and `gas_factor` one byte (codes of `market.quality`);
    `recorded_at` int64 µs since 1970 (UTC), 0 where missing: all little-endian, one per slice. `gas_factor` is empty
    where no slice has one.
    """
    if not blocks:
        return SCHEMA.empty_table()
    columns = _transposed(blocks)
    eans = {ean: f"{ean:018d}" for ean in set(columns.ean)}
    arrays = [
        pa.array([eans[ean] for ean in columns.ean], pa.utf8()),
        *(pa.array(getattr(columns, field.name), field.type) for field in _FIELDS[1:6]),
        *(column.to_arrow() for column in _spelled_out(blocks, columns.slice_count)),
    ]
    return pa.table(arrays, schema=SCHEMA)


def _spelled_out(blocks: Sequence[StoredBlock], slice_counts: Sequence[int]) -> list[ByteColumn]:
    """Return the last four columns of `SCHEMA`."""
    counts = sorted(set(slice_counts))
    if len(counts) == 1:
        return _alike(blocks, counts[0])
    groups = [[place for place, own in enumerate(slice_counts) if own == count] for count in counts]
    parts = [_alike([blocks[place] for place in places], count) for places, count in zip(groups, counts, strict=True)]
    order = np.argsort(np.concatenate(groups))
    return [gathered(columns, order) for columns in zip(*parts, strict=True)]


def _alike(blocks: Sequence[StoredBlock], slice_count: int) -> list[ByteColumn]:
    opened = open_blocks(blocks, slice_count)
    has_factor = np.array([bool(each.slice_gas_factor) for each in blocks])
    return [
        from_matrix(opened.values.astype("<i4", copy=False)),
        from_matrix(opened.quality),
        ByteColumn(opened.gas_factor[has_factor].reshape(-1), offsets_of(has_factor * np.int64(slice_count))),
        from_matrix(opened.recorded_at.astype("<i8", copy=False)),
    ]


class _Columns(NamedTuple):
    """The columns of some `StoredBlock`."""

    ean: Sequence[int]
    day: Sequence[date]
    channel: Sequence[int]
    meter_id: Sequence[str]
    meter_kind: Sequence[int]
    slice_count: Sequence[int]
    slice_values: Sequence[bytes]
    slice_quality: Sequence[bytes]
    slice_gas_factor: Sequence[bytes]
    slice_recorded_at: Sequence[bytes]
    recorded_at: Sequence[datetime]


def _transposed(blocks: Sequence[StoredBlock]) -> _Columns:
    return _Columns._make(zip(*blocks, strict=True)) if blocks else _Columns._make([()] * len(_Columns._fields))


def _microseconds(instants: Sequence[datetime]) -> NDArray[np.int64]:
    """Return `instants` in µs since 1970 (UTC)."""
    numbers: Any = pa.array(instants, pa.timestamp("us", "UTC")).cast(pa.int64())
    return np.asarray(numbers.to_numpy(), dtype=np.int64)
