"""The readings of a run on their way into the tables: new blocks straight in, all others folded with what is there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl
import pyarrow as pa

from services.metering import block_rows, stage
from services.metering.messages import Group
from services.metering.revision import Known, Revision, revise

_KEY = list(block_rows.KEY)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A group with the rows of `block` for its readings that are whole days and alone about their block."""

    group: Group
    is_alone: pl.Series
    rows: pa.Table


@dataclass(frozen=True, slots=True)
class Written:
    """How many readings had which effect, and those that revised a block."""

    new_count: int
    unchanged_count: int
    repeated_count: int
    conflict_count: int
    revised: list[pl.DataFrame]

    @property
    def revised_count(self) -> int:
        return sum(map(len, self.revised))


def prepare(group: Group) -> Prepared:
    """Work out what needs no look at the database."""
    is_alone = group.table.select(pl.col("is_plain") & (pl.len().over(_KEY) == 1)).to_series()
    heads = group.table.filter(is_alone).with_columns(
        input_count=pl.lit(1, dtype=pl.Int32), has_inputs=pl.lit(value=False)
    )
    return Prepared(group, is_alone, block_rows.new_rows(heads, group.messages, heads["pick"].to_numpy()))


def write(cursor: Any, prepared: Sequence[Prepared]) -> Written:
    """Write all readings, in the transaction that `cursor` is in."""
    rows = [each.rows for each in prepared if len(each.rows)]
    known = stage.insert_new(cursor, pa.concat_tables(rows)) if rows else []
    slow = [_with_places(each, known) for each in prepared]
    revisions = _revise(cursor, prepared, slow) if any(map(len, slow)) else []
    return _written(sum(map(len, rows)) - len(known), revisions)


def _with_places(prepared: Prepared, known: list[int]) -> pl.DataFrame:
    """Return the readings that have to be folded: those not alone, and those whose block is there already."""
    is_slow = ~prepared.is_alone
    if known:
        is_slow |= prepared.group.table["record_offset"].is_in(known)
    return prepared.group.table.filter(is_slow)


def _revise(cursor: Any, prepared: Sequence[Prepared], slow: Sequence[pl.DataFrame]) -> list[Revision]:
    keys = pl.concat([readings.select(_KEY) for readings in slow]).unique(maintain_order=True)
    places = keys.with_columns(place=pl.int_range(pl.len(), dtype=pl.Int32))
    placed = [readings.join(places, on=_KEY, maintain_order="left") for readings in slow]
    blocks, sent_before = stage.existing_blocks(cursor, _staged_keys(placed))
    known = Known(_frame(blocks), _frame(sent_before))
    revisions = [
        revise(each.group, readings, known) for each, readings in zip(prepared, placed, strict=True) if len(readings)
    ]
    stage.write_folded(cursor, pa.concat_tables([each.blocks for each in revisions]))
    stage.write_inputs(cursor, pa.concat_tables([table for each in revisions for table in each.inputs]))
    return revisions


def _staged_keys(placed: Sequence[pl.DataFrame]) -> pa.Table:
    keys = pl.concat([readings.select("place", *_KEY, "message_id") for readings in placed]).to_arrow()
    return keys.cast(pa.schema([_narrow(field) for field in keys.schema]))


def _narrow(field: Any) -> Any:
    """COPY knows text with 32-bit offsets."""
    return pa.field(field.name, pa.string()) if pa.types.is_large_string(field.type) else field


def _frame(table: pa.Table) -> pl.DataFrame:
    return pl.DataFrame(pl.from_arrow(table))


def _written(inserted_count: int, revisions: Sequence[Revision]) -> Written:
    first_count = sum(int(each.readings["is_first"].sum()) for each in revisions)
    revised = [each.readings.filter(~pl.col("is_first") & (pl.col("changed_count") > 0)) for each in revisions]
    kept_count = sum(len(each.readings) for each in revisions)
    return Written(
        new_count=inserted_count + first_count,
        unchanged_count=kept_count - first_count - sum(map(len, revised)),
        repeated_count=sum(each.repeated_count for each in revisions),
        conflict_count=sum(each.conflict_count for each in revisions),
        revised=revised,
    )
