"""Columns of a table as the Avro bytes of its rows, all at once. Pure; Avro 1.12, binary encoding."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from services.metering.byte_column import ByteColumn, offsets_of

_LONGEST: Final = 10


def longs(numbers: NDArray[np.int64]) -> Any:
    """Return each number as an Avro int or long (Arrow binary): zigzag, seven bits a byte, least significant first."""
    zigzag = ((numbers << 1) ^ (numbers >> 63)).view(np.uint64)
    shifts = np.arange(0, 7 * _LONGEST, 7, dtype=np.uint64)
    width = max((int(zigzag.max(initial=0)).bit_length() + 6) // 7, 1)
    groups = (zigzag[:, None] >> shifts[:width]) & np.uint64(0x7F)
    sizes = np.maximum(((groups != 0) * np.arange(1, width + 1)).max(axis=1), 1)
    places = np.arange(width)
    data = groups.astype(np.uint8) | ((places < sizes[:, None] - 1) * np.uint8(0x80))
    return ByteColumn(data[places < sizes[:, None]], offsets_of(sizes)).to_arrow()


def strings(column: Any) -> Any:
    """Return each text or binary of an Arrow column as an Avro string or bytes: its length in bytes, then itself."""
    content = column.cast(pa.binary())
    lengths = pc.binary_length(content).to_numpy(zero_copy_only=False).astype(np.int64)
    return joined(longs(lengths), content)


def joined(*columns: Any) -> Any:
    """Return the bytes of each row of `columns` (Arrow binary, or bytes that are the same in each row) in turn."""
    return pc.binary_join_element_wise(*columns, pa.scalar(b"", pa.binary()))
