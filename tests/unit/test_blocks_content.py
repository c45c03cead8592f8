"""The content hash: the same for ever, and different where the content differs."""

from __future__ import annotations

import numpy as np

from services.metering.content import content_hashes
from services.metering.stored_values import MISSING


def hash_of(
    values: list[int],
    *,
    quality: int = 5,
    factor: int = 0,
    first: int = 0,
    spoken: int | None = None,
    withdraws: bool = False,
    meter_kind: int = 1,
) -> int:
    shape = (1, len(values))
    hashes = content_hashes(
        np.array([values], dtype=np.int32),
        np.full(shape, quality, dtype=np.uint8),
        np.full(shape, factor, dtype=np.uint8),
        np.array([first]),
        np.array([len(values) if spoken is None else spoken]),
        np.array([withdraws]),
        np.array([meter_kind]),
    )
    return int(hashes[0])


def by_hand(values: list[int], quality: int, header: tuple[int, int, int, int]) -> int:
    """The same in whole numbers: a weighted sum of 64-bit words, finished as splitmix64 finishes."""
    mask = 2**64 - 1

    def finish(state: int) -> int:
        mixed = (state ^ state >> 30) * 0xBF58476D1CE4E5B9 & mask
        mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EB & mask
        return mixed ^ mixed >> 31

    content = b"".join(value.to_bytes(4, "little", signed=True) for value in values)
    content += bytes([quality]) * len(values) + bytes(len(values))
    content += bytes(-len(content) % 8)
    words = [*header, *(int.from_bytes(content[place : place + 8], "little") for place in range(0, len(content), 8))]
    weights = [finish((place + 1) * 0x9E3779B97F4A7C15 & mask) | 1 for place in range(len(words))]
    total = finish(sum(word * weight for word, weight in zip(words, weights, strict=True)) & mask)
    return total - 2**64 if total >= 2**63 else total


def test_the_hash_is_what_a_slow_calculation_says() -> None:
    assert hash_of([1, 2, 3]) == by_hand([1, 2, 3], 5, (0, 3, 0, 1))
    assert hash_of([-1] * 100, quality=6, meter_kind=2) == by_hand([-1] * 100, 6, (0, 100, 0, 2))


def test_the_hash_never_changes_from_version_to_version() -> None:
    assert hash_of(list(range(96))) == 350192298590703662


def test_whatever_differs_in_content_differs_in_hash() -> None:
    hashes = [
        hash_of([1, 2, 3]),
        hash_of([2, 1, 3]),
        hash_of([1, 2, 4]),
        hash_of([1, 2, 3], quality=6),
        hash_of([1, 2, 3], factor=1),
        hash_of([1, 2, 3], meter_kind=2),
        hash_of([1, 2, int(MISSING)]),
        hash_of([1, 2, int(MISSING)], spoken=2),
        hash_of([int(MISSING)] * 3),
        hash_of([int(MISSING)] * 3, withdraws=True),
    ]
    assert len(set(hashes)) == len(hashes)
