"""Readings as most systems keep them: a row per value."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
import pyarrow as pa

from eventlog.envelope import Record
from services.metering.byte_column import from_arrow
from services.metering.decode import decode
from services.metering.stored_values import MISSING

_INSTANT = pa.timestamp("us", "UTC")


def value_rows(records: Sequence[Record]) -> pa.Table:
    """Return the readings in `records`, a row per value: ean, channel, day, slice, value (null where missing), quality,
    source_at, recorded_at. They are decoded as ours are, all together.

    Raises:
        ValueError: a record holds no reading.
    """
    frame, refused = decode([record.value for record in records])
    if refused:
        raise ValueError(f"{len(refused)} records hold no readings")
    values = from_arrow(frame["values"].to_arrow()).data.view("<i4")
    sizes = (frame["values"].bin.size() // 4).to_numpy()
    places = np.arange(len(values)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    appended = np.array([record.timestamp for record in records], dtype=np.int64)[frame["row"].to_numpy()] * 1000
    runs = frame["quality"].explode().to_numpy()

    def spread(column: pl.Series) -> np.ndarray:
        return np.repeat(column.to_physical().to_numpy(), sizes)

    return pa.table(
        {
            "ean": spread(frame["ean"].cast(pl.Int64)),
            "channel": spread(frame["channel"]),
            "day": pa.array(spread(frame["day"])).cast(pa.date32()),
            "slice": (places + spread(frame["first_slice"])).astype(np.int16),
            "value": pa.array(values, mask=values == MISSING),
            "quality": np.repeat(runs[0::2], runs[1::2]).astype(np.int16),
            "source_at": pa.array(spread(frame["source_at"])).cast(_INSTANT),
            "recorded_at": pa.array(np.repeat(appended, sizes)).cast(_INSTANT),
        }
    )
