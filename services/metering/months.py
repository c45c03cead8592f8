"""Month totals and month peaks of a point, from the figures that its blocks carry. Pure.

Nothing is added up from values twice: a block of which another meter has a part of the same day is opened, every other
one is not.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import numpy as np

from market.channel import BY_CODE, Channel, Resolution
from market.local_time import slice_bounds
from services.metering.arrow_blocks import StoredBlock, open_blocks
from services.metering.as_of import StoredInput, fold_inputs
from services.metering.completeness import Row
from services.metering.stored_values import MISSING


@dataclass(frozen=True, slots=True, kw_only=True)
class DayFigures:
    """One series of a point on one day, whatever meters measured it; values in the stored unit, None without any."""

    channel: Channel
    day: date
    total: int | None
    peak_value: int | None
    peak_slice: int | None
    peak_quality: int
    weakest_quality: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Peak:
    """The highest slice of a month, the first of equals: its value in the stored unit, the instant (UTC) at which it
    begins, and its quality (`market.quality.Quality`)."""

    value: int
    starts_at: datetime
    quality: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Month:
    """A series in the month (gas: of gas days) that begins on `first_on`.

    `total` is of what is present, None where nothing is; `counts` says how much that is. The month `is_final` once
    nothing that is expected of it is missing or still to come; until then total and peak are provisional.
    """

    first_on: date
    channel: Channel
    total: int | None
    weakest_quality: int
    peak: Peak | None
    counts: Row

    @property
    def is_final(self) -> bool:
        """Whether all of the month is there."""
        return self.counts.expected > 0 and self.counts.missing == 0 and self.counts.not_yet_due == 0


def day_figures(blocks: Sequence[tuple[StoredBlock, Mapping[str, int | None]]]) -> list[DayFigures]:
    """Return the figures by series and day of blocks, each with its columns total, peak_value, peak_slice and
    weakest_quality."""
    groups: defaultdict[tuple[int, date], list[tuple[StoredBlock, Mapping[str, int | None]]]] = defaultdict(list)
    for each in blocks:
        groups[each[0].channel, each[0].day].append(each)
    return [
        _of_one(*group[0]) if len(group) == 1 else opened_figures([block for block, _ in group])
        for _, group in sorted(groups.items())
    ]


def _of_one(block: StoredBlock, figures: Mapping[str, int | None]) -> DayFigures:
    place = figures["peak_slice"]
    return DayFigures(
        channel=BY_CODE[block.channel],
        day=block.day,
        total=figures["total"],
        peak_value=figures["peak_value"],
        peak_slice=place,
        peak_quality=0 if place is None else _quality_at(block.slice_quality, place),
        weakest_quality=figures["weakest_quality"] or 0,
    )


def _quality_at(runs: bytes, place: int) -> int:
    """Return the code of slice `place` in runs of (code, count), a byte each."""
    for code, count in zip(runs[0::2], runs[1::2], strict=True):
        if place < count:
            return code
        place -= count
    return 0


def opened_figures(blocks: Sequence[StoredBlock]) -> DayFigures:
    """Return the figures of the blocks of one series and day, from their slices.

    A slice in which the meter was changed has a part of each: they are added, and never counted as two slices.
    """
    opened = open_blocks(blocks, blocks[0].slice_count)
    is_present = opened.values != MISSING
    values = np.where(is_present, opened.values, 0).sum(axis=0, dtype=np.int64)
    quality = np.where(is_present, opened.quality, np.iinfo(np.uint8).max).min(axis=0)
    places = np.flatnonzero(is_present.any(axis=0))
    channel, day = BY_CODE[blocks[0].channel], blocks[0].day
    if not len(places):
        return DayFigures(
            channel=channel,
            day=day,
            total=None,
            peak_value=None,
            peak_slice=None,
            peak_quality=0,
            weakest_quality=0,
        )
    peak = int(places[np.argmax(values[places])])
    return DayFigures(
        channel=channel,
        day=day,
        total=int(values[places].sum()),
        peak_value=int(values[peak]),
        peak_slice=peak,
        peak_quality=int(quality[peak]),
        weakest_quality=int(quality[places].min()),
    )


def peak_of(days: Iterable[DayFigures]) -> Peak | None:
    """Return the highest slice of `days`, the first of equals."""
    best: Peak | None = None
    for each in sorted(days, key=lambda each: each.day):
        if each.peak_value is None or each.peak_slice is None or (best and each.peak_value <= best.value):
            continue
        bounds = slice_bounds(each.channel.energy, each.channel.resolution, each.day)
        best = Peak(value=each.peak_value, starts_at=bounds[each.peak_slice], quality=each.peak_quality)
    return best


def peak_history(alone: Sequence[StoredBlock], inputs: Sequence[StoredInput]) -> list[tuple[datetime, Peak | None]]:
    """Return what the peak of a series in a month was from each instant (UTC) on at which it changed.

    `alone` are its blocks with one message, `inputs` the messages of the others, by day, meter and offset.
    """
    days: dict[date, DayFigures] = {}
    history: list[tuple[datetime, Peak | None]] = []
    touched: defaultdict[datetime, set[date]] = defaultdict(set)
    for recorded_at, day in [(each.recorded_at, each.day) for each in alone] + [
        (each.recorded_at, each.day) for each in inputs
    ]:
        touched[recorded_at].add(day)
    for at in sorted(touched):
        for day in touched[at]:
            known = [each for each in alone if each.day == day and each.recorded_at <= at]
            known += fold_inputs([each for each in inputs if each.day == day and each.recorded_at <= at])
            days[day] = opened_figures(known)
        peak = peak_of(days.values())
        if not history or history[-1][1] != peak:
            history.append((at, peak))
    return history


def months_of(days: Iterable[DayFigures], counts: Iterable[Row]) -> list[Month]:
    """Return the months of a point by channel; `counts` are its rows of completeness by month."""
    figures: defaultdict[tuple[date, Channel], list[DayFigures]] = defaultdict(list)
    for each in days:
        if each.channel.resolution is not Resolution.MONTHLY:
            figures[each.day.replace(day=1), each.channel].append(each)
    return [_month(row, figures[row.first_on, row.channel]) for row in counts]


def _month(counts: Row, days: Sequence[DayFigures]) -> Month:
    totals = [each.total for each in days if each.total is not None]
    has_slices = counts.channel.resolution in (Resolution.QUARTER_HOURLY, Resolution.HOURLY)
    return Month(
        first_on=counts.first_on,
        channel=counts.channel,
        total=sum(totals) if totals else None,
        weakest_quality=min((each.weakest_quality for each in days if each.total is not None), default=0),
        peak=peak_of(days) if has_slices else None,
        counts=counts,
    )
