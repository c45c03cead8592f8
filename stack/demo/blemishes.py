"""What is not perfect about real readings: holes, and values that somebody had to estimate."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stack.demo.timeline import Ints, Timeline

Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Blemishes:
    """Per slice of a timeline: whether its value is missing, and whether it is estimated; for all channels alike."""

    is_missing: Bools
    is_estimated: Bools


def no_blemishes(timeline: Timeline) -> Blemishes:
    """Return the blemishes of a point of which everything came in."""
    none = np.zeros(timeline.slice_count, dtype=np.bool_)
    return Blemishes(none, none)


def some_blemishes(timeline: Timeline, random: np.random.Generator) -> Blemishes:
    """Return a few holes of hours, at times a hole of whole days, and a few stretches of estimates."""
    is_missing = np.zeros(timeline.slice_count, dtype=np.bool_)
    is_estimated = is_missing.copy()
    per_day = round(24 / timeline.slice_hours)
    for _ in range(int(random.integers(1, 4))):
        _mark(is_missing, random, int(random.integers(1, per_day // 3)))
    if random.random() < 0.35:
        day = int(random.integers(0, len(timeline.days) - 3))
        is_missing[timeline.first[day] : timeline.first[day + int(random.integers(1, 3))]] = True
    for _ in range(int(random.integers(1, 5))):
        _mark(is_estimated, random, int(random.integers(1, 2 * per_day)))
    return Blemishes(is_missing, is_estimated & ~is_missing)


def estimate(values: Ints, is_estimated: Bools, timeline: Timeline) -> Ints:
    """Return `values` where the estimated ones are those of the same hour a week before; the first week stays."""
    week = round(7 * 24 / timeline.slice_hours)
    places = np.flatnonzero(is_estimated)
    places = places[places >= week]
    found = values.copy()
    found[places] = values[places - week]
    return found


def _mark(mask: Bools, random: np.random.Generator, length: int) -> None:
    start = int(random.integers(0, len(mask)))
    mask[start : start + length] = True
