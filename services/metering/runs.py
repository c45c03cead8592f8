"""Run-length bytes: what a block keeps per slice, written once for all neighbours that agree.

A run is a count of slices (one byte) and what they share, little-endian; the counts of a row sum to its slices.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from services.metering.byte_column import ByteColumn, offsets_of

CODE: Final = np.dtype([("code", "u1"), ("count", "u1")])
INSTANT: Final = np.dtype([("count", "u1"), ("at", "<i8")])
ORDER: Final = np.dtype(
    [("count", "u1"), ("source_at", "<i8"), ("source_sequence", "<i8"), ("content_hash", "<i8")],
)

Layers = tuple[NDArray[Any], ...]


def encode_runs(run: np.dtype[np.void], layers: Layers, is_kept: NDArray[np.bool_] | None = None) -> ByteColumn:
    """Return one row of runs per row of `layers`, matrices of the same shape in the order of the fields of `run`.

    Neighbours that agree in all layers share a run. A row that is not kept is empty.
    """
    row_count, slice_count = layers[0].shape
    begins = np.zeros((row_count, slice_count), dtype=np.bool_)
    begins[:, 0] = True
    for layer in layers:
        begins[:, 1:] |= layer[:, 1:] != layer[:, :-1]
    if is_kept is not None:
        begins &= is_kept[:, None]
    starts = np.flatnonzero(begins)
    per_row = np.count_nonzero(begins, axis=1)
    runs = np.empty(len(starts), dtype=run)
    for name, layer in zip(_layer_names(run), layers, strict=True):
        runs[name] = layer.reshape(-1)[starts]
    row_ends = (starts // slice_count + 1) * slice_count
    next_starts = np.append(starts[1:], row_count * slice_count)
    runs["count"] = np.minimum(next_starts, row_ends) - starts
    return ByteColumn(runs.view(np.uint8), offsets_of(per_row * run.itemsize))


def decode_runs(run: np.dtype[np.void], column: ByteColumn, slice_count: int) -> tuple[NDArray[np.intp], Layers]:
    """Return the rows that are not empty, and for them one matrix per field of `run`, a column per slice.

    Raises:
        ValueError: a row's runs do not sum to `slice_count`.
    """
    rows = np.flatnonzero(column.sizes)
    runs = column.data.view(run)
    counts = runs["count"].astype(np.intp)
    ends = np.cumsum(counts)[column.offsets[rows + 1] // run.itemsize - 1]
    if not np.array_equal(ends, np.arange(1, len(rows) + 1) * slice_count):
        raise ValueError(f"runs do not sum to {slice_count} slices")
    shape = (len(rows), slice_count)
    return rows, tuple(np.repeat(runs[name], counts).reshape(shape) for name in _layer_names(run))


def encode_codes(codes: NDArray[np.uint8], is_kept: NDArray[np.bool_] | None = None) -> ByteColumn:
    """Return `codes`, a row per block and a column per slice, as rows of (code, count) of one byte each."""
    return encode_runs(CODE, (codes,), is_kept)


def decode_codes(column: ByteColumn, slice_count: int) -> NDArray[np.uint8]:
    """Return one code per slice; an empty row is all 0."""
    rows, (codes,) = decode_runs(CODE, column, slice_count)
    if len(rows) == len(column.offsets) - 1:
        return codes
    spread = np.zeros((len(column.offsets) - 1, slice_count), dtype=np.uint8)
    spread[rows] = codes
    return spread


def _layer_names(run: np.dtype[np.void]) -> list[str]:
    return [name for name in run.names or () if name != "count"]
