"""The readings of a run on their way into the tables: new blocks straight in, all others folded with what is there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from services.metering import block_rows, run_arrivals, stage
from services.metering.messages import Group
from services.metering.revision import Known, Revision, revise
from services.metering.stage import Span

_KEY: Final = list(block_rows.KEY)
_STAGED: Final[dict[str, Any]] = {
    "record_offset": pa.int64(),
    "ean": pa.int64(),
    "content_hash": pa.int64(),
    "source_at": pa.timestamp("us", "UTC"),
    "source_sequence": pa.int64(),
    "day": pa.date32(),
    "channel": pa.int16(),
    "meter_id": pa.string(),
    "message_id": pa.binary(),
    "source": pa.string(),
}


@dataclass(frozen=True, slots=True)
class Prepared:
    """A group, and which of its readings are whole days and alone about their block."""

    group: Group
    is_alone: pl.Series

    def alone(self, known: pl.Series | None = None) -> Inserted:
        """Return the readings that are alone, without those at the offsets `known`, with their rows of `block`."""
        readings = self.group.table.filter(self.is_alone)
        if known is not None and len(known):
            readings = readings.filter(~_is_in(readings, known))
        heads = readings.with_columns(input_count=pl.lit(1, dtype=pl.Int32), has_inputs=pl.lit(value=False))
        rows = block_rows.new_rows(heads, self.group.messages, heads["pick"].to_numpy())
        is_complete = pl.Series(pc.equal(rows["present_count"], rows["slice_count"]))
        return Inserted(readings, is_complete, rows)


@dataclass(frozen=True, slots=True)
class Inserted:
    """Readings that each made a block by itself, whether it has all of its slices, and its row."""

    readings: pl.DataFrame
    is_complete: pl.Series
    rows: pa.Table


@dataclass(frozen=True, slots=True)
class Written:
    """How many readings had which effect, those that revised a block, what `run_arrivals` counts, and whether any block
    was there already."""

    new_count: int
    unchanged_count: int
    repeated_count: int
    conflict_count: int
    revised: list[pl.DataFrame]
    arrivals: list[pl.DataFrame]
    has_known: bool

    @property
    def revised_count(self) -> int:
        return sum(map(len, self.revised))


def prepare(group: Group) -> Prepared:
    """Work out what needs no look at the database."""
    return Prepared(group, group.table.select(pl.col("is_plain") & (pl.len().over(_KEY) == 1)).to_series())


def write(cursor: Any, prepared: Sequence[Prepared], *, expects_new: bool = False) -> Written:
    """Write all readings, in the transaction that `cursor` is in.

    Where every block is new, `expects_new` saves the question whether they are.

    Raises:
        BlockPresent: with `expects_new`, and it was wrong: roll back, and ask.
    """
    groups = [each for each in prepared if len(each.group.table)]
    if not groups:
        return _written([], 0, [], has_known=False)
    if expects_new and all(each.is_alone.all() for each in groups):
        alone = [each.alone() for each in groups]
        stage.insert_blocks_unasked(cursor, pa.concat_tables([each.rows for each in alone]))
        return _written(alone, 0, [], has_known=False)
    return _write_asking(cursor, groups)


def _write_asking(cursor: Any, groups: Sequence[Prepared]) -> Written:
    days = pl.concat([each.group.table["day"] for each in groups])
    span = Span(days.min(), days.max())  # type: ignore[arg-type]
    stage.stage_keys(cursor, pa.concat_tables([_staged(each.group.table) for each in groups]))
    present = _frame(stage.present_readings(cursor, span))
    known, same = present["record_offset"], present.filter("is_same")["record_offset"]
    new = [each.alone(known) for each in groups]
    stage.insert_blocks(cursor, pa.concat_tables([each.rows for each in new]))
    slow = [_to_fold(each, known, same) for each in groups]
    revisions = _revise(cursor, groups, slow, span) if any(map(len, slow)) else []
    return _written(new, len(same), revisions, has_known=len(known) > 0)


def _staged(table: pl.DataFrame) -> pa.Table:
    return pa.table({name: table[name].to_arrow().cast(kind) for name, kind in _STAGED.items()})


def _to_fold(prepared: Prepared, known: pl.Series, same: pl.Series) -> pl.DataFrame:
    """Return the readings that have to be folded: those not alone, and those whose block is there, but never those that
    are just what made it what it is."""
    table = prepared.group.table
    return table.filter((~prepared.is_alone | _is_in(table, known)) & ~_is_in(table, same))


def _is_in(readings: pl.DataFrame, offsets: pl.Series) -> pl.Series:
    return readings["record_offset"].is_in(offsets.implode())


def _revise(cursor: Any, prepared: Sequence[Prepared], slow: Sequence[pl.DataFrame], span: Span) -> list[Revision]:
    keys = pl.concat([readings.select(_KEY) for readings in slow]).unique(maintain_order=True)
    places = keys.with_columns(place=pl.int_range(pl.len(), dtype=pl.Int32))
    placed = [readings.join(places, on=_KEY, maintain_order="left") for readings in slow]
    known = _known(cursor, placed, span)
    revisions = [
        revise(each.group, readings, known) for each, readings in zip(prepared, placed, strict=True) if len(readings)
    ]
    stage.insert_blocks(cursor, pa.concat_tables([each.made for each in revisions]))
    stage.update_blocks(cursor, pa.concat_tables([each.changed for each in revisions]))
    stage.write_inputs(cursor, pa.concat_tables([table for each in revisions for table in each.inputs]))
    return revisions


def _known(cursor: Any, placed: Sequence[pl.DataFrame], span: Span) -> Known:
    """Return what the store holds of the blocks of these readings."""
    places = pl.concat([readings.select("place", reading="record_offset") for readings in placed])
    blocks = _frame(stage.blocks_of_others(cursor, span)).join(places, on="reading").unique("place")
    if not blocks["has_inputs"].any():
        return Known(blocks, blocks.clear())
    return Known(blocks, _frame(stage.sent_before(cursor, span)).join(places, on="reading"))


def _frame(table: pa.Table) -> pl.DataFrame:
    return pl.DataFrame(pl.from_arrow(table))


def _written(
    inserted: Sequence[Inserted], repeated_count: int, revisions: Sequence[Revision], *, has_known: bool
) -> Written:
    inserted_count = sum(len(each.readings) for each in inserted)
    first_count = sum(int(each.readings["is_first"].sum()) for each in revisions)
    revised = [each.readings.filter(~pl.col("is_first") & (pl.col("changed_count") > 0)) for each in revisions]
    kept_count = sum(len(each.readings) for each in revisions)
    return Written(
        new_count=inserted_count + first_count,
        unchanged_count=kept_count - first_count - sum(map(len, revised)),
        repeated_count=repeated_count + sum(each.repeated_count for each in revisions),
        conflict_count=sum(each.conflict_count for each in revisions),
        revised=revised,
        arrivals=[run_arrivals.of_new(each.readings, each.is_complete) for each in inserted]
        + [run_arrivals.of_folded(each.readings) for each in revisions],
        has_known=has_known,
    )
