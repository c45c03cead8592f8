"""What is said of a block as a whole: totals, peak, counts, weakest quality. Pure; whole runs of blocks at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np
from numpy.typing import NDArray

from market.channel import BY_CODE, Channel, MeterKind, Quantity, Resolution
from market.quality import Quality
from market.tariff import day_tariff_mask
from services.metering.stored_values import MISSING

_STRONGEST_ESTIMATE: Final = np.uint8(Quality.ESTIMATED_VALIDATED)


@dataclass(frozen=True, slots=True)
class Tariffs:
    """Which slices of each block are at day tariff: block `i` has mask `masks[index[i]]`, or none where that is -1."""

    index: NDArray[np.intp]
    masks: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Figures:
    """One entry per block. Totals and peak are in the channel's stored unit, over the slices that are present.

    Where `present_count` is 0 there is no total and no peak; where `has_tariff` is false, no day total.
    `peak_slice` is the first slice, counted from 0, with the greatest value. `weakest_quality` is a code of
    `market.quality.Quality`, MISSING where nothing is present.
    """

    total: NDArray[np.int64]
    day_total: NDArray[np.int64]
    has_tariff: NDArray[np.bool_]
    present_count: NDArray[np.int64]
    estimated_count: NDArray[np.int64]
    weakest_quality: NDArray[np.uint8]
    peak_value: NDArray[np.int32]
    peak_slice: NDArray[np.int64]


def figures(values: NDArray[np.int32], quality: NDArray[np.uint8], tariffs: Tariffs) -> Figures:
    """Return the figures of blocks: a row per block, a column per slice; quality is 0 just where a value is missing."""
    is_missing = values == MISSING
    missing_count = np.count_nonzero(is_missing, axis=1)
    present = np.where(is_missing, 0, values) if missing_count.any() else values
    total = present.sum(axis=1, dtype=np.int64)
    day_total = _day_totals(present, tariffs)
    peak_slice = values.argmax(axis=1)
    one = np.uint8(1)
    return Figures(
        total=total,
        day_total=day_total,
        has_tariff=tariffs.index >= 0,
        present_count=values.shape[1] - missing_count,
        estimated_count=np.count_nonzero((quality - one) < _STRONGEST_ESTIMATE, axis=1),
        # One less, 0 wraps around to the greatest: so the minimum is over the slices that are present.
        weakest_quality=(quality - one).min(axis=1) + one,
        peak_value=values[np.arange(len(values)), peak_slice],
        peak_slice=peak_slice,
    )


def _day_totals(present: NDArray[np.int32], tariffs: Tariffs) -> NDArray[np.int64]:
    day_total = np.zeros(len(present), dtype=np.int64)
    for number, mask in enumerate(tariffs.masks):
        rows, columns = np.flatnonzero(tariffs.index == number), np.flatnonzero(mask)
        if len(rows) and len(columns):
            first, end = columns[0], columns[-1] + 1
            is_whole = len(columns) == end - first
            taken = present[rows, first:end] if is_whole else present[np.ix_(rows, columns)]
            day_total[rows] = taken.sum(axis=1, dtype=np.int64)
    return day_total


def tariffs_of(
    channels: NDArray[np.int16], meter_kinds: NDArray[np.int16], days: NDArray[np.int32], slice_count: int
) -> Tariffs:
    """Return the day tariff of each block by channel code, kind of meter and local day (days since 1970).

    Only quarter-hours of active energy are split by tariff; the calendar is that of the kind of meter.
    """
    triples = np.stack([channels.astype(np.int64), meter_kinds.astype(np.int64), days.astype(np.int64)], axis=1)
    distinct, inverse = _distinct(triples)
    numbers: dict[tuple[bool, ...], int] = {}
    index = np.full(len(distinct), -1, dtype=np.intp)
    for place, (code, meter_kind, day) in enumerate(distinct):
        if is_split_by_tariff(BY_CODE[code]):
            mask = day_tariff_mask(MeterKind(meter_kind), day_from_number(day))
            index[place] = numbers.setdefault(mask, len(numbers))
    masks = np.array(list(numbers), dtype=np.bool_).reshape(-1, slice_count)
    return Tariffs(index[inverse], masks)


def is_split_by_tariff(channel: Channel) -> bool:
    """Whether a block of the channel has a day and a night total of its own."""
    return channel.quantity is Quantity.ACTIVE and channel.resolution is Resolution.QUARTER_HOURLY


def day_from_number(number: int) -> date:
    """Return the day that lies `number` days after 1970-01-01."""
    return date.fromordinal(_EPOCH_ORDINAL + number)


_EPOCH_ORDINAL: Final = date(1970, 1, 1).toordinal()


def _distinct(triples: NDArray[np.int64]) -> tuple[Sequence[tuple[int, int, int]], NDArray[np.intp]]:
    """Return the different rows of `triples` (small, not negative) and which of them each row is."""
    packed = (triples[:, 0] << 48) | (triples[:, 1] << 40) | triples[:, 2]
    unique, inverse = np.unique(packed, return_inverse=True)
    return [(int(n >> 48), int(n >> 40 & 0xFF), int(n & 0xFFFFFFFF)) for n in unique], inverse
