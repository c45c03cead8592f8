"""Slices as the columns of table `block` keep them, and back. Pure; a row per block, all with the same slice count."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.metering.byte_column import ByteColumn
from services.metering.fold import NEVER, UNSPOKEN, Slices
from services.metering.runs import INSTANT, ORDER, decode_codes, decode_runs, encode_codes, encode_runs
from services.metering.stored_values import MISSING, decode_values, encode_values


@dataclass(frozen=True, slots=True)
class Newest:
    """The newest message of each block by order, and when (µs since 1970, UTC) the block last changed."""

    source_at: NDArray[np.int64]
    source_sequence: NDArray[np.int64]
    content_hash: NDArray[np.int64]
    recorded_at: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class StoredSlices:
    """The columns `slice_*` of table `block`; `order` and `recorded_at` are empty where `Newest` says it all."""

    values: ByteColumn
    quality: ByteColumn
    gas_factor: ByteColumn
    order: ByteColumn
    recorded_at: ByteColumn


def encode_slices(slices: Slices, newest: Newest) -> StoredSlices:
    """Return `slices` as they are kept beside `newest`."""
    is_present = slices.values != MISSING
    order = (slices.source_at, slices.source_sequence, slices.content_hash)
    plain = (newest.source_at, newest.source_sequence, newest.content_hash)
    has_order = np.zeros(len(is_present), dtype=np.bool_)
    for each, usual in zip(order, plain, strict=True):
        has_order |= (each != np.where(is_present, usual[:, None], UNSPOKEN)).any(axis=1)
    has_instants = (slices.recorded_at != np.where(is_present, newest.recorded_at[:, None], NEVER)).any(axis=1)
    return StoredSlices(
        values=encode_values(slices.values),
        quality=encode_codes(slices.quality),
        gas_factor=encode_codes(slices.gas_factor, np.count_nonzero(slices.gas_factor, axis=1) > 0),
        order=encode_runs(ORDER, order, has_order),
        recorded_at=encode_runs(INSTANT, (slices.recorded_at,), has_instants),
    )


def decode_slices(stored: StoredSlices, newest: Newest, slice_count: int) -> Slices:
    """Return the slices that `encode_slices` was given, as matrices that may be changed.

    Raises:
        ValueError: the columns are not of blocks with `slice_count` slices.
    """
    values = decode_values(stored.values, slice_count)
    is_present = values != MISSING
    plain = (newest.source_at, newest.source_sequence, newest.content_hash)
    order = [np.where(is_present, usual[:, None], UNSPOKEN) for usual in plain]
    rows, layers = decode_runs(ORDER, stored.order, slice_count)
    for each, layer in zip(order, layers, strict=True):
        each[rows] = layer
    return Slices(
        values=values,
        quality=decode_codes(stored.quality, slice_count),
        gas_factor=decode_codes(stored.gas_factor, slice_count),
        source_at=order[0],
        source_sequence=order[1],
        content_hash=order[2],
        recorded_at=decode_instants(stored.recorded_at, newest.recorded_at, is_present),
    )


def decode_instants(
    stored: ByteColumn, recorded_at: NDArray[np.int64], is_present: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """Return when each slice last changed (µs since 1970, UTC), 0 where it never did."""
    instants = np.where(is_present, recorded_at[:, None], NEVER)
    rows, (layer,) = decode_runs(INSTANT, stored, is_present.shape[1])
    instants[rows] = layer
    return instants
