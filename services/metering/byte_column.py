"""A column of byte strings as two arrays, so that a whole run of blocks is packed and unpacked without a loop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class ByteColumn:
    """Row `i` is `data[offsets[i]:offsets[i + 1]]`; there is one more offset than there are rows."""

    data: NDArray[np.uint8]
    offsets: NDArray[np.int64]

    @property
    def sizes(self) -> NDArray[np.int64]:
        """How many bytes each row has."""
        return np.diff(self.offsets)

    def to_arrow(self) -> Any:
        """Return the same as an Arrow array of type binary."""
        offsets = pa.py_buffer(self.offsets.astype(np.int32).tobytes())
        data = pa.py_buffer(np.ascontiguousarray(self.data).data)
        return pa.Array.from_buffers(pa.binary(), len(self.offsets) - 1, [None, offsets, data])

    def to_list(self) -> list[bytes]:
        """Return the rows one by one."""
        joined = self.data.tobytes()
        bounds = self.offsets.tolist()
        return [joined[start:end] for start, end in pairwise(bounds)]


def from_rows(rows: Sequence[bytes]) -> ByteColumn:
    """Return the column of `rows`."""
    return ByteColumn(np.frombuffer(b"".join(rows), dtype=np.uint8), offsets_of(np.fromiter(map(len, rows), np.int64)))


def from_arrow(column: Any) -> ByteColumn:
    """Return the column of an Arrow binary array (chunked or not) without nulls."""
    array: Any = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if not len(array):
        return from_rows([])
    array = array.cast(pa.large_binary())
    buffers: Any = array.buffers()
    bounds = np.frombuffer(buffers[1], dtype=np.int64)[array.offset : array.offset + len(array) + 1]
    is_filled = buffers[2] is not None and buffers[2].size > 0
    everything = np.frombuffer(buffers[2], dtype=np.uint8) if is_filled else np.empty(0, dtype=np.uint8)
    return ByteColumn(everything[bounds[0] : bounds[-1]], bounds - bounds[0])


def gathered(parts: Sequence[ByteColumn], places: NDArray[np.int64]) -> ByteColumn:
    """Return the column whose row `i` is row `places[i]` of all `parts` one after the other."""
    joined: Any = pa.concat_arrays([part.to_arrow() for part in parts])
    return from_arrow(joined.take(pa.array(places)))


def from_matrix(rows: NDArray[np.generic]) -> ByteColumn:
    """Return the column whose row `i` is the bytes of `rows[i]`."""
    flat = np.ascontiguousarray(rows).view(np.uint8).reshape(-1)
    width = rows.shape[1] * rows.dtype.itemsize
    return ByteColumn(flat, np.arange(len(rows) + 1, dtype=np.int64) * width)


def offsets_of(sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the offsets of rows of these sizes: 0, then the running sum."""
    offsets = np.zeros(len(sizes) + 1, dtype=np.int64)
    np.cumsum(sizes, out=offsets[1:])
    return offsets
