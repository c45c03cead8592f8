"""Which value wins, slice by slice: the algebra of messages about the same block. Pure; whole runs at a time.

Order is (source_at, source_sequence, content_hash); the later one wins, whatever came in first. A message speaks of a
slice where it has a value, or where it withdraws; where it is silent it erases nothing. First the winner is found,
then its value is taken, missing for a withdrawal: so older values never come back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from services.metering.stored_values import MISSING

UNSPOKEN: Final = np.iinfo(np.int64).min
NEVER: Final = np.int64(0)

Rows = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Messages:
    """Messages about days of the same number of slices: a row per message, a column per slice of the whole day.

    `values` are int32, -2147483648 where missing or outside the message; `quality` and `gas_factor` are codes of
    `market.quality`, 0 there. `speaks` says where the message competes. Instants are microseconds since 1970 (UTC);
    `recorded_at` is the broker's append time.
    """

    values: NDArray[np.int32]
    quality: NDArray[np.uint8]
    gas_factor: NDArray[np.uint8]
    speaks: NDArray[np.bool_]
    source_at: NDArray[np.int64]
    source_sequence: NDArray[np.int64]
    content_hash: NDArray[np.int64]
    recorded_at: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Slices:
    """The current slices of blocks, a row per block; `apply` changes them in place.

    `source_at`, `source_sequence` and `content_hash` are the order of the message that won the slice, UNSPOKEN where
    none spoke. `recorded_at` is when value, quality or factor last changed, NEVER where they never did.
    """

    values: NDArray[np.int32]
    quality: NDArray[np.uint8]
    gas_factor: NDArray[np.uint8]
    source_at: NDArray[np.int64]
    source_sequence: NDArray[np.int64]
    content_hash: NDArray[np.int64]
    recorded_at: NDArray[np.int64]


def empty_slices(block_count: int, slice_count: int) -> Slices:
    """Return slices of which no message has spoken yet."""
    shape = (block_count, slice_count)
    return Slices(
        values=np.full(shape, MISSING, dtype=np.int32),
        quality=np.zeros(shape, dtype=np.uint8),
        gas_factor=np.zeros(shape, dtype=np.uint8),
        source_at=np.full(shape, UNSPOKEN, dtype=np.int64),
        source_sequence=np.full(shape, UNSPOKEN, dtype=np.int64),
        content_hash=np.full(shape, UNSPOKEN, dtype=np.int64),
        recorded_at=np.full(shape, NEVER, dtype=np.int64),
    )


def apply(slices: Slices, blocks: Rows, messages: Messages, picks: Rows) -> NDArray[np.intp]:
    """Let message `picks[i]` compete in block `blocks[i]`, in order of arrival; no block twice in one call.

    Returns how many slices of each got another value, quality or factor; only theirs is `recorded_at` moved.
    """
    values, quality, factor = messages.values[picks], messages.quality[picks], messages.gas_factor[picks]
    before = _words(slices.values[blocks], slices.quality[blocks], slices.gas_factor[blocks])
    after = _words(values, quality, factor)
    wins = messages.speaks[picks] & _outranks(slices, blocks, messages, picks, after > before)
    changes = wins & (after != before)
    _take(slices.values, blocks, wins, values)
    _take(slices.quality, blocks, wins, quality)
    _take(slices.gas_factor, blocks, wins, factor)
    _take(slices.source_at, blocks, wins, messages.source_at[picks, None])
    _take(slices.source_sequence, blocks, wins, messages.source_sequence[picks, None])
    _take(slices.content_hash, blocks, wins, messages.content_hash[picks, None])
    _take(slices.recorded_at, blocks, changes, messages.recorded_at[picks, None])
    return np.asarray(np.count_nonzero(changes, axis=1), dtype=np.intp)


def _words(values: NDArray[np.int32], quality: NDArray[np.uint8], factor: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return value, quality and factor of each slice as one number; equal when all three are."""
    codes = quality.astype(np.int64) << 8 | factor
    return np.asarray(values.astype(np.int64) << 16 | codes, dtype=np.int64)


def _outranks(
    slices: Slices, blocks: Rows, messages: Messages, picks: Rows, is_greater: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Return where the message comes later in order than the slice's winner.

    Where the whole order is equal, by an accident of the hash, the greater content wins: still any order of arrival
    gives the same.
    """
    later: NDArray[np.bool_] = is_greater
    for mine, theirs in (
        (messages.content_hash, slices.content_hash),
        (messages.source_sequence, slices.source_sequence),
        (messages.source_at, slices.source_at),
    ):
        new, old = mine[picks, None], theirs[blocks]
        later = (new > old) | ((new == old) & later)
    return later


def _take(matrix: NDArray[Any], blocks: Rows, where: NDArray[np.bool_], new: NDArray[Any]) -> None:
    matrix[blocks] = np.where(where, new, matrix[blocks])
