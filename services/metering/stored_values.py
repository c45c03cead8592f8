"""Values as a block keeps them: two bytes each where all of them fit, else four; little-endian, no separators."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.metering.byte_column import ByteColumn, from_matrix, offsets_of

MISSING: Final = np.int32(-(2**31))
NARROW_MISSING: Final = np.int16(-(2**15))
_NARROW_GREATEST: Final = 2**15 - 1


def encode_values(values: NDArray[np.int32]) -> ByteColumn:
    """Return `values`, a row per block, as int16 (missing: -32768) where a row fits into it, else as int32.

    A reader tells the two apart by the number of bytes: twice or four times the number of slices.
    """
    is_missing = values == MISSING
    fits = (np.abs(np.where(is_missing, 0, values)) <= _NARROW_GREATEST).all(axis=1)
    if not fits.any():
        return from_matrix(values.astype("<i4", copy=False))
    narrow = np.where(is_missing, NARROW_MISSING, values).astype("<i2")
    if fits.all():
        return from_matrix(narrow)
    slice_count = values.shape[1]
    both = np.empty((len(values), 4 * slice_count), dtype=np.uint8)
    both[:] = np.ascontiguousarray(values.astype("<i4", copy=False)).view(np.uint8)
    both[fits, : 2 * slice_count] = narrow[fits].view(np.uint8)
    sizes = np.where(fits, 2 * slice_count, 4 * slice_count).astype(np.int64)
    return ByteColumn(both[np.arange(4 * slice_count) < sizes[:, None]], offsets_of(sizes))


def decode_values(column: ByteColumn, slice_count: int) -> NDArray[np.int32]:
    """Return the values, a row per block, -2147483648 where missing.

    Raises:
        ValueError: a row has neither two nor four bytes per slice.
    """
    sizes = column.sizes
    is_narrow = sizes == 2 * slice_count
    if not (is_narrow | (sizes == 4 * slice_count)).all():
        raise ValueError(f"values are not {slice_count} numbers of two or four bytes")
    bytes_are_narrow = np.repeat(is_narrow, sizes)
    narrow = column.data[bytes_are_narrow].view("<i2").reshape(-1, slice_count)
    values = np.empty((len(sizes), slice_count), dtype=np.int32)
    values[is_narrow] = np.where(narrow == NARROW_MISSING, MISSING, narrow)
    values[~is_narrow] = column.data[~bytes_are_narrow].view("<i4").reshape(-1, slice_count)
    return values
