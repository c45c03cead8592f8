"""The keys of a run of records, all at once: EANs with a right check digit, on the partition they belong to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from eventlog.reason import Reason, Rule

_LENGTH: Final = 18
_WEIGHTS: Final = np.array([3, 1] * 8 + [3], dtype=np.int64)
_POWERS: Final = 10 ** np.arange(_LENGTH - 1, -1, -1, dtype=np.int64)
_NO_KEY: Final = bytes(_LENGTH)
_NINE: Final = np.uint8(9)
_NOT_EAN: Final = Reason(Rule.KEY_NOT_EAN, "the key is not an EAN")


def read_eans(
    keys: Sequence[bytes | None], *, partition: int, partition_count: int
) -> tuple[NDArray[np.int64], dict[int, Reason]]:
    """Return each key as a number, and why the bad ones are bad, by their place in `keys` (their number is 0)."""
    given = [key if key is not None and len(key) == _LENGTH else _NO_KEY for key in keys]
    refused = {place: _NOT_EAN for place, key in enumerate(given) if key is _NO_KEY} if _NO_KEY in given else {}
    text = np.frombuffer(b"".join(given), dtype=np.uint8).reshape(-1, _LENGTH)
    digits = text - np.uint8(ord("0"))
    is_number = digits.max(axis=1, initial=0) <= _NINE
    digits = np.where(is_number[:, None], digits, 0).astype(np.int64)
    is_checked = -(digits[:, :-1] @ _WEIGHTS) % 10 == digits[:, -1]
    is_placed = _partitions(text, partition_count) == partition
    for bad, reason in (
        (~is_placed, Reason(Rule.WRONG_PARTITION, "the key belongs to another partition")),
        (~is_checked, Reason(Rule.KEY_NOT_EAN, "the check digit of the key is wrong")),
        (~is_number, _NOT_EAN),
    ):
        refused |= dict.fromkeys(np.flatnonzero(bad).tolist(), reason)
    eans = digits @ _POWERS
    eans[list(refused)] = 0
    return eans, refused


def _partitions(keys: NDArray[np.uint8], count: int) -> NDArray[np.int64]:
    """Return the partition of each key of 18 bytes, as `eventlog.topics.partition_of` does for one.

    Source: org.apache.kafka.common.utils.Utils.murmur2 (MurmurHash2 by Austin Appleby, seed 0x9747b28c).
    """
    factor, shift = np.uint32(0x5BD1E995), np.uint32(24)
    state = np.full(len(keys), 0x9747B28C ^ _LENGTH, dtype=np.uint32)
    for word in np.ascontiguousarray(keys[:, :16]).view("<u4").T:
        mixed = word * factor
        state = (state * factor) ^ ((mixed ^ (mixed >> shift)) * factor)
    tail = keys[:, 16].astype(np.uint32) | keys[:, 17].astype(np.uint32) << np.uint32(8)
    state = (state ^ tail) * factor
    state = (state ^ (state >> np.uint32(13))) * factor
    state ^= state >> np.uint32(15)
    return (state & np.uint32(0x7FFFFFFF)).astype(np.int64) % count
