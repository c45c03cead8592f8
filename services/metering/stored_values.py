"""Values as a block keeps them: all of its slices in the fewest bits they fit into, of 8, 12, 16 and 32."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from services.metering.byte_column import ByteColumn, from_matrix, gathered

MISSING: Final = np.int32(-(2**31))

_WIDTHS: Final = (8, 12, 16, 32)
_MARKS: Final = {8: 255, 12: 4095, 16: -(2**15), 32: int(MISSING)}
_BOUNDS: Final = {8: (0, 254), 12: (0, 4094), 16: (1 - 2**15, 2**15 - 1)}
_TYPES: Final = {8: "u1", 16: "<i2", 32: "<i4"}


def encode_values(values: NDArray[np.int32]) -> ByteColumn:
    """Return `values`, a row per block, each row in the first of these widths that all of it fits into, little-endian:

    8 bits (missing: 255), 12 bits (4095; two of them in three bytes, the first one lowest; not for a single slice),
    16 bits (signed; -32768), 32 bits (signed; -2147483648). A reader tells them apart by the number of bytes.
    """
    widths = _fitting(values)
    used = [width for width in _WIDTHS if (widths == width).any()]
    if len(used) <= 1:
        return from_matrix(_pack(values, used[0] if used else _WIDTHS[0]))
    packed = [from_matrix(_pack(values[widths == width], width)) for width in used]
    return gathered(packed, np.argsort(np.argsort(widths, kind="stable"), kind="stable"))


def decode_values(column: ByteColumn, slice_count: int) -> NDArray[np.int32]:
    """Return the values, a row per block, -2147483648 where missing.

    Raises:
        ValueError: a row has the number of bytes of none of the widths.
    """
    sizes = column.sizes
    by_size = {_size(width, slice_count): width for width in reversed(_WIDTHS)}
    if slice_count == 1:
        by_size[_size(16, 1)] = 16
    values = np.empty((len(sizes), slice_count), dtype=np.int32)
    for size in np.unique(sizes).tolist():
        if size not in by_size:
            raise ValueError(f"values are not {slice_count} numbers of 8, 12, 16 or 32 bits")
        is_such = sizes == size
        data = column.data if is_such.all() else column.data[np.repeat(is_such, sizes)]
        values[is_such] = _unpack(data.reshape(-1, size), by_size[size], slice_count)
    return values


def _size(width: int, slice_count: int) -> int:
    return -(-width * slice_count // 8)


def _fitting(values: NDArray[np.int32]) -> NDArray[np.int64]:
    """Return the width of each row."""
    greatest = values.max(axis=1)
    # Less one, missing wraps around to the greatest: so the minimum is over the slices that are present.
    least = (values - np.int32(1)).min(axis=1).astype(np.int64) + 1
    is_empty = greatest == MISSING
    widths = np.full(len(values), _WIDTHS[-1], dtype=np.int64)
    for width, (low, high) in reversed(_BOUNDS.items()):
        if width != 12 or values.shape[1] > 1:
            widths[is_empty | ((least >= low) & (greatest <= high))] = width
    return widths


def _pack(values: NDArray[np.int32], width: int) -> NDArray[Any]:
    """Return the bytes of `values`, of which all fit into `width`."""
    if width < _WIDTHS[-1] and values.min(initial=0) == MISSING:
        values = np.where(values == MISSING, np.int32(_MARKS[width]), values)
    if width in _TYPES:
        return values.astype(_TYPES[width], copy=False)
    pairs = values[:, 0::2].astype("<u4")
    pairs[:, : values.shape[1] // 2] |= values[:, 1::2].astype("<u4") << np.uint32(12)
    bytes_of_pairs = pairs.view(np.uint8).reshape(len(values), -1, 4)[:, :, :3].reshape(len(values), -1)
    return bytes_of_pairs[:, : _size(width, values.shape[1])]


def _unpack(data: NDArray[np.uint8], width: int, slice_count: int) -> NDArray[np.int32]:
    if width in _TYPES:
        values = np.ascontiguousarray(data).view(_TYPES[width]).astype(np.int32)
    else:
        pair_count = -(-slice_count // 2)
        words = np.zeros((len(data), pair_count, 4), dtype=np.uint8)
        spread = np.zeros((len(data), pair_count * 3), dtype=np.uint8)
        spread[:, : data.shape[1]] = data
        words[:, :, :3] = spread.reshape(len(data), pair_count, 3)
        pairs = words.view("<u4").reshape(len(data), pair_count)
        values = np.empty((len(data), slice_count), dtype=np.int32)
        values[:, 0::2] = pairs & np.uint32(0xFFF)
        values[:, 1::2] = (pairs >> np.uint32(12))[:, : slice_count // 2]
    if width < _WIDTHS[-1]:
        values[values == _MARKS[width]] = MISSING
    return values
