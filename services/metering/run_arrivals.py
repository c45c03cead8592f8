"""What a run brought, by source, day and energy: first seen, made complete, late, revised. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Final

import polars as pl

from eventlog.events import RunArrival
from market.channel import BY_CODE, MeterKind
from market.deadline import readings_due_at

_SERIES: Final = ("source", "day", "channel", "meter_kind")
_EFFECTS: Final = ("is_first", "is_completing", "is_revising")
COLUMNS: Final = ("record_offset", *_SERIES, "recorded_at", *_EFFECTS)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def of_new(readings: pl.DataFrame, is_complete: pl.Series) -> pl.DataFrame:
    """Return the columns `COLUMNS` of readings each of which made a block by itself, `is_complete` or not."""
    return readings.with_columns(
        is_first=pl.lit(value=True), is_completing=is_complete, is_revising=pl.lit(value=False)
    ).select(COLUMNS)


def of_folded(readings: pl.DataFrame) -> pl.DataFrame:
    """Return the columns `COLUMNS` of the readings of a `Revision`."""
    is_revising = ~pl.col("is_first") & (pl.col("changed_count") > 0)
    return readings.with_columns(is_revising=is_revising).select(COLUMNS)


def run_arrivals(told: Sequence[pl.DataFrame]) -> tuple[RunArrival, ...]:
    """Return the counts of the readings in `told` (tables of the columns `COLUMNS`), groups of zeros left out."""
    if not any(map(len, told)):
        return ()
    readings = pl.concat(told)
    sums: dict[tuple[str, date, str], list[int]] = {}
    for source, day, code, kind, new, completed, revised, earliest, latest in _by_series(readings).iter_rows():
        energy, due = _energy_and_due(code, kind, day)
        late = new if earliest > due else 0
        if earliest <= due < latest:
            late = _count_after(due, readings, (source, day, code, kind))
        group = sums.setdefault((source, day, energy), [0, 0, 0, 0])
        for place, count in enumerate((new, completed, late, revised)):
            group[place] += count
    return tuple(_arrival(group, counts) for group, counts in sorted(sums.items()) if any(counts))


def _by_series(readings: pl.DataFrame) -> pl.DataFrame:
    """Count by series, and say when its first and last reading came (µs since 1970, UTC)."""
    came = pl.col("recorded_at").to_physical()
    effects = [pl.col(name).sum() for name in _EFFECTS]
    return readings.group_by(_SERIES).agg(*effects, earliest=came.min(), latest=came.max())


def _count_after(due: int, readings: pl.DataFrame, series: tuple[str, date, int, int]) -> int:
    """Count the new blocks of a series that came after it was due; most series came all before, or all after."""
    is_it = pl.all_horizontal(pl.col(name) == value for name, value in zip(_SERIES, series, strict=True))
    return readings.filter(is_it & pl.col("is_first") & (pl.col("recorded_at").to_physical() > due)).height


@lru_cache(maxsize=16384)
def _energy_and_due(code: int, kind: int, day: date) -> tuple[str, int]:
    channel = BY_CODE[code]
    due_at = readings_due_at(channel.energy, channel.resolution, MeterKind(kind), day)
    return channel.energy.name, (due_at - _EPOCH) // _MICROSECOND


def _arrival(group: tuple[str, date, str], counts: list[int]) -> RunArrival:
    (source, day, energy), (new, completed, late, revised) = group, counts
    return RunArrival(
        source=source,
        day=day,
        energy=energy,
        new_count=new,
        completed_count=completed,
        late_count=late,
        revised_count=revised,
    )
