"""What a run brought, by source, day and energy: first seen, made complete, late, revised. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import polars as pl

from eventlog.events import RunArrival
from market.channel import BY_CODE, MeterKind
from market.deadline import readings_due_at

_SERIES: Final = ("source", "day", "channel", "meter_kind")
_EFFECTS: Final = ("is_first", "is_completing", "is_revising")
COLUMNS: Final = ("record_offset", *_SERIES, "recorded_at", *_EFFECTS)


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
    readings = pl.concat(told).filter(pl.any_horizontal(_EFFECTS)) if told else pl.DataFrame()
    if readings.is_empty():
        return ()
    counted = _with_late(readings, _by_series(readings))
    counts = ("new_count", "completed_count", "late_count", "revised_count")
    rows = counted.group_by("source", "day", "energy").agg(pl.col(counts).sum()).sort("source", "day", "energy")
    return tuple(RunArrival(**row) for row in rows.iter_rows(named=True))


def _by_series(readings: pl.DataFrame) -> pl.DataFrame:
    """Count by series, and say when each was due and when its first and last new block came."""
    came_at = pl.col("recorded_at").filter("is_first")
    groups = readings.group_by(_SERIES).agg(
        new_count=pl.col("is_first").sum(),
        completed_count=pl.col("is_completing").sum(),
        revised_count=pl.col("is_revising").sum(),
        earliest_at=came_at.min(),
        latest_at=came_at.max(),
    )
    energies, due = [], []
    for day, code, kind in groups.select("day", "channel", "meter_kind").iter_rows():
        channel = BY_CODE[code]
        energies.append(channel.energy.name)
        due.append(readings_due_at(channel.energy, channel.resolution, MeterKind(kind), day))
    return groups.with_columns(
        pl.Series("energy", energies, dtype=pl.String), pl.Series("due_at", due, dtype=readings["recorded_at"].dtype)
    )


def _with_late(readings: pl.DataFrame, groups: pl.DataFrame) -> pl.DataFrame:
    """Add `late_count`. Most groups came all before they were due, or all after; only in the others each one is looked
    at."""
    is_split = pl.col("earliest_at").le(pl.col("due_at")) & pl.col("latest_at").gt(pl.col("due_at"))
    whole = groups.filter(~is_split.fill_null(value=False)).with_columns(
        late_count=pl.when(pl.col("earliest_at") > pl.col("due_at")).then("new_count").otherwise(0)
    )
    split = groups.filter(is_split)
    if split.is_empty():
        return whole
    looked_at = readings.filter("is_first").join(split.select(*_SERIES, "due_at"), on=_SERIES)
    late = looked_at.group_by(_SERIES).agg(late_count=(pl.col("recorded_at") > pl.col("due_at")).sum())
    return pl.concat([whole, split.join(late, on=_SERIES)], how="vertical_relaxed")
