"""The content hash of a message: the last word where two messages about a block have the same instant and sequence.

It depends on nothing but the content, today and in every later version: a rebuild must find the same winner. It
scatters well and is computed for a whole run at once; it is not made to withstand somebody who seeks collisions, and
`services.metering.fold` stays indifferent to arrival should one happen.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

_MASK: Final = 0xFFFFFFFFFFFFFFFF
_WORD: Final = 8
_HEADER_WORDS: Final = 4


def _weights(count: int) -> NDArray[np.uint64]:
    """Return the first outputs of splitmix64 from seed 0, made odd.

    Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014.
    """
    state, weights = 0, []
    for _ in range(count):
        state = (state + 0x9E3779B97F4A7C15) & _MASK
        mixed = ((state ^ state >> 30) * 0xBF58476D1CE4E5B9) & _MASK
        mixed = ((mixed ^ mixed >> 27) * 0x94D049BB133111EB) & _MASK
        weights.append((mixed ^ mixed >> 31) | 1)
    return np.array(weights, dtype=np.uint64)


_WEIGHTS: Final = _weights(128)


def content_hashes(
    values: NDArray[np.int32],
    quality: NDArray[np.uint8],
    gas_factor: NDArray[np.uint8],
    first_slice: NDArray[np.int64],
    spoken_count: NDArray[np.int64],
    withdraws: NDArray[np.bool_],
    meter_kind: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Return one signed 64-bit number per message.

    `values`, `quality` and `gas_factor` have a column per slice of the whole day (at most 100) and hold "missing"
    outside the `spoken_count` slices from `first_slice` on.
    """
    slice_count = values.shape[1]
    width = -(-6 * slice_count // _WORD) * _WORD
    content = np.zeros((len(values), width), dtype=np.uint8)
    content[:, : 4 * slice_count] = np.ascontiguousarray(values.astype("<i4", copy=False)).view(np.uint8)
    content[:, 4 * slice_count : 5 * slice_count] = quality
    content[:, 5 * slice_count : 6 * slice_count] = gas_factor
    words = content.view("<u8")
    total = words @ _WEIGHTS[_HEADER_WORDS : _HEADER_WORDS + words.shape[1]]
    header = np.stack([first_slice, spoken_count, withdraws, meter_kind], axis=1).astype(np.uint64)
    return _finish(total + header @ _WEIGHTS[:_HEADER_WORDS]).view(np.int64)


def _finish(total: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Scatter a sum over all its bits: the finalizer of splitmix64."""
    mixed = (total ^ (total >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))
