"""Values and codes as they travel: little-endian int32 per slice, and run-lengths of small codes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Final

import numpy as np
from numpy.typing import NDArray

MISSING: Final = -(2**31)
GREATEST: Final = 2**31 - 1


class Unpackable(ValueError):
    """Values or runs that cannot travel; the message says why, in words for their sender."""


def pack_values(values: Sequence[int | None]) -> bytes:
    """Return `values` as little-endian int32, None as -2147483648.

    Raises:
        Unpackable: a value does not fit.
    """
    present = [value for value in values if value is not None]
    if present and not (min(present) > MISSING and max(present) <= GREATEST):
        raise Unpackable(f"a value lies outside {MISSING + 1} to {GREATEST}")
    return np.array([MISSING if value is None else value for value in values], dtype="<i4").tobytes()


def unpack_values(packed: bytes) -> NDArray[np.int32]:
    """Return the values in `packed`, -2147483648 where missing.

    Raises:
        Unpackable: not whole 32-bit numbers.
    """
    if len(packed) % 4:
        raise Unpackable("values are not whole 32-bit numbers: their bytes cannot be divided by 4")
    return np.frombuffer(packed, dtype="<i4")


def run_lengths(codes: Iterable[int]) -> tuple[int, ...]:
    """Return `codes` as code, count, code, count, ..., neighbours never of the same code."""
    return tuple(number for code, run in groupby(codes) for number in (int(code), sum(1 for _ in run)))


def expand_runs(name: str, runs: tuple[int, ...], count: int, *, greatest: int) -> NDArray[np.int64]:
    """Return one code for each of `count` slices; `name` is what the runs are called towards their sender.

    Raises:
        Unpackable: not pairs of a code from 0 to `greatest` and a count, or they do not sum to `count`.
    """
    codes, lengths = runs[0::2], runs[1::2]
    if len(codes) != len(lengths) or any(not 0 < length <= 2**31 for length in lengths):
        raise Unpackable(f"{name} must be pairs of a code and a count of slices")
    if any(not 0 <= code <= greatest for code in codes):
        raise Unpackable(f"{name} has a code that is not known")
    if sum(lengths) != count:
        raise Unpackable(f"{name} is for {sum(lengths)} slices, but there are {count} values")
    return np.repeat(np.array(codes, dtype=np.int64), lengths)
