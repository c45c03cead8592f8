"""Rows of `block` and `block_input` as Arrow tables, ready for COPY."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from services.metering.blocks import Figures, figures, tariffs_of
from services.metering.byte_column import ByteColumn
from services.metering.fold import Messages, Rows, Slices
from services.metering.runs import encode_codes
from services.metering.stored_slices import Newest, StoredSlices, encode_slices
from services.metering.stored_values import encode_values

KEY: Final = ("ean", "channel", "day", "meter_id")
_INSTANT: Final = pa.timestamp("us", "UTC")


def new_rows(heads: pl.DataFrame, messages: Messages, picks: Rows) -> pa.Table:
    """Return a row of `block` for each whole message of `picks`, the only one about its block.

    `heads` has a row for each, with the columns named as in `block`.
    """
    values, quality = messages.values[picks], messages.quality[picks]
    factor = messages.gas_factor[picks]
    stored = StoredSlices(
        values=encode_values(values),
        quality=encode_codes(quality),
        gas_factor=encode_codes(factor, np.count_nonzero(factor, axis=1) > 0),
        order=_empty(len(picks)),
        recorded_at=_empty(len(picks)),
    )
    return rows_of(heads, values, quality, stored)


def folded_rows(heads: pl.DataFrame, slices: Slices) -> pa.Table:
    """Return a row of `block` for each row of `slices`; `heads` as in `new_rows`."""
    newest = Newest(
        source_at=_integers(heads, "source_at"),
        source_sequence=_integers(heads, "source_sequence"),
        content_hash=_integers(heads, "content_hash"),
        recorded_at=_integers(heads, "recorded_at"),
    )
    return rows_of(heads, slices.values, slices.quality, encode_slices(slices, newest))


def rows_of(
    heads: pl.DataFrame, values: NDArray[np.int32], quality: NDArray[np.uint8], stored: StoredSlices
) -> pa.Table:
    """Return a row of `block` for each row of `heads` (as in `new_rows`) and of the slices, which `stored` has too."""
    channels, kinds, days = (heads[name].to_physical().to_numpy() for name in ("channel", "meter_kind", "day"))
    tariffs = tariffs_of(channels, kinds, days, values.shape[1])
    columns = _head_columns(heads) | _figure_columns(figures(values, quality, tariffs))
    columns |= {
        "slice_count": pa.array(np.full(len(values), values.shape[1], dtype=np.int16)),
        "slice_values": stored.values.to_arrow(),
        "slice_quality": stored.quality.to_arrow(),
        "slice_gas_factor": stored.gas_factor.to_arrow(),
        "slice_order": stored.order.to_arrow(),
        "slice_recorded_at": stored.recorded_at.to_arrow(),
    }
    return pa.table(columns)


def _head_columns(heads: pl.DataFrame) -> dict[str, Any]:
    return {
        **_message_columns(heads),
        "input_count": _column(heads, "input_count", pa.int32()),
        "has_inputs": _column(heads, "has_inputs", pa.bool_()),
    }


def _message_columns(heads: pl.DataFrame) -> dict[str, Any]:
    """The columns that both tables have."""
    kinds = {
        "ean": pa.int64(),
        "channel": pa.int16(),
        "day": pa.date32(),
        "meter_id": pa.string(),
        "meter_kind": pa.int16(),
        "message_id": pa.binary(),
        "source": pa.string(),
        "source_at": _INSTANT,
        "source_sequence": pa.int64(),
        "content_hash": pa.int64(),
        "recorded_at": _INSTANT,
        "record_partition": pa.int16(),
        "record_offset": pa.int64(),
    }
    return {name: _column(heads, name, kind) for name, kind in kinds.items()}


def _figure_columns(known: Figures) -> dict[str, Any]:
    is_empty = known.present_count == 0
    has_no_tariff = is_empty | ~known.has_tariff
    return {
        "total": pa.array(known.total, mask=is_empty),
        "day_total": pa.array(known.day_total, mask=has_no_tariff),
        "present_count": pa.array(known.present_count.astype(np.int16)),
        "estimated_count": pa.array(known.estimated_count.astype(np.int16)),
        "weakest_quality": pa.array(known.weakest_quality.astype(np.int16)),
        "peak_value": pa.array(known.peak_value, mask=is_empty),
        "peak_slice": pa.array(known.peak_slice.astype(np.int16), mask=is_empty),
    }


def input_rows(heads: pl.DataFrame, messages: Messages, picks: Rows) -> pa.Table:
    """Return a row of `block_input` for each message of `picks`; `heads` has the columns named as there."""
    slice_count = messages.values.shape[1]
    factor = messages.gas_factor[picks]
    return pa.table(
        {
            **_message_columns(heads),
            "first_slice": _column(heads, "first_slice", pa.int16()),
            "spoken_count": _column(heads, "spoken_count", pa.int16()),
            "slice_count": pa.array(np.full(len(picks), slice_count, dtype=np.int16)),
            "slice_values": encode_values(messages.values[picks]).to_arrow(),
            "slice_quality": encode_codes(messages.quality[picks]).to_arrow(),
            "slice_gas_factor": encode_codes(factor, np.count_nonzero(factor, axis=1) > 0).to_arrow(),
            "withdraws": _column(heads, "withdraws", pa.bool_()),
        }
    )


def moved_rows(blocks: pl.DataFrame) -> pa.Table:
    """Return the row of `block_input` for each of `blocks`, rows of `block` that are their only message themselves."""
    count = len(blocks)
    return pa.table(
        {
            **_message_columns(blocks),
            "first_slice": pa.array(np.zeros(count, dtype=np.int16)),
            "spoken_count": _column(blocks, "slice_count", pa.int16()),
            "slice_count": _column(blocks, "slice_count", pa.int16()),
            "slice_values": _column(blocks, "slice_values", pa.binary()),
            "slice_quality": _column(blocks, "slice_quality", pa.binary()),
            "slice_gas_factor": _column(blocks, "slice_gas_factor", pa.binary()),
            "withdraws": pa.array(np.zeros(count, dtype=np.bool_)),
        }
    )


def _column(heads: pl.DataFrame, name: str, kind: Any) -> Any:
    return heads[name].to_arrow().cast(kind)


def _integers(heads: pl.DataFrame, name: str) -> NDArray[np.int64]:
    return np.asarray(heads[name].to_physical().to_numpy(), dtype=np.int64)


def _empty(count: int) -> ByteColumn:
    return ByteColumn(np.empty(0, dtype=np.uint8), np.zeros(count + 1, dtype=np.int64))
