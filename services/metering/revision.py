"""Blocks that more than one message speaks of: what is known, new messages folded in, what comes of it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from services.metering import block_rows
from services.metering.byte_column import from_arrow
from services.metering.fold import Slices, apply, empty_slices
from services.metering.messages import Group
from services.metering.stored_slices import Newest, StoredSlices, decode_slices
from services.metering.stored_values import MISSING
from services.metering.whole_days import are_whole, meet

_ORDER: Final = ("source_at", "source_sequence", "content_hash")
_SAME_ID: Final = ("place", "message_id")
_SAME: Final = (*_SAME_ID, "source", *_ORDER)
_HEAD: Final = ("meter_kind", "message_id", "source", *_ORDER)


@dataclass(frozen=True, slots=True)
class Known:
    """What the store holds of the blocks in question, by `place`: rows of `block`, and messages sent before under an id
    that came again (`stage.blocks_of_others`, `stage.sent_before`)."""

    blocks: pl.DataFrame
    sent_before: pl.DataFrame


@dataclass(frozen=True, slots=True)
class Revision:
    """What the messages of one group did.

    `readings` are those that count, in order of offset, with `changed_count` slices each, `is_first` where one made its
    block, and `is_completing` where one brought the last slice that was missing. `repeated_count` were sent before,
    content and all; `conflict_count` have the id of another message.
    """

    readings: pl.DataFrame
    repeated_count: int
    conflict_count: int
    made: pa.Table
    changed: pa.Table
    inputs: list[pa.Table]


def revise(group: Group, readings: pl.DataFrame, known: Known) -> Revision:
    """Fold `readings`, rows of `group.table` with the `place` of their block, into what is known of their blocks."""
    blocks = known.blocks.filter(pl.col("place").is_in(readings["place"].implode()))
    sent = readings.sort("record_offset")
    kept = _without_repeated(sent, blocks, known.sent_before)
    conflict_count = _count_conflicts(kept, blocks, known.sent_before)
    places = kept["place"].unique(maintain_order=True)
    numbered = pl.DataFrame({"place": places, "number": np.arange(len(places))})
    blocks = blocks.join(numbered, on="place").sort("number")
    kept = kept.join(numbered, on="place", maintain_order="left")
    is_met = are_whole(kept, blocks, group.messages)
    is_own = kept["number"].is_in(blocks["number"].filter(is_met).implode())
    parts = [
        _meet(kept.filter(is_own), blocks.filter(is_met), group),
        _fold_slices(kept.filter(~is_own), blocks.filter(~is_met), group),
    ]
    apart = pl.concat([part.apart for part in parts])
    return Revision(
        readings=pl.concat([part.readings for part in parts]).sort("record_offset"),
        repeated_count=len(sent) - len(kept),
        conflict_count=conflict_count,
        made=pa.concat_tables([part.rows.filter((~part.is_known).to_arrow()) for part in parts]),
        changed=pa.concat_tables([part.rows.filter(part.is_known.to_arrow()) for part in parts]),
        inputs=[
            block_rows.moved_rows(blocks.filter(~pl.col("has_inputs"))),
            block_rows.input_rows(apart, group.messages, apart["pick"].to_numpy()),
        ],
    )


@dataclass(frozen=True, slots=True)
class _Part:
    """Blocks with the readings about them, and those of them that `block_input` gets; rows of `block`, known or not."""

    readings: pl.DataFrame
    apart: pl.DataFrame
    rows: pa.Table
    is_known: pl.Series


def _meet(kept: pl.DataFrame, blocks: pl.DataFrame, group: Group) -> _Part:
    """Fold where one reading says all of a block that has all."""
    readings = kept.sort("number")
    met = meet(blocks, readings, group.messages, group.slice_count)
    readings = readings.with_columns(
        changed_count=pl.Series(met.changed_count), is_completing=pl.lit(value=False), is_first=pl.lit(value=False)
    )
    rows = block_rows.rows_of(_heads(readings, blocks), met.values, met.quality, met.stored)
    return _Part(readings, readings, rows, pl.repeat(value=True, n=len(rows), eager=True))


def _fold_slices(kept: pl.DataFrame, blocks: pl.DataFrame, group: Group) -> _Part:
    numbers = kept["number"].unique(maintain_order=True)
    dense = pl.DataFrame({"number": numbers, "dense": np.arange(len(numbers))})
    kept, blocks = (
        frame.join(dense, on="number", maintain_order="left").with_columns(number="dense").drop("dense")
        for frame in (kept, blocks)
    )
    slices = _open(blocks, len(numbers), group.slice_count)
    kept = _fold(kept, slices, group).with_columns(
        is_first=pl.col("number").is_first_distinct() & ~pl.col("number").is_in(blocks["number"].implode())
    )
    heads = _heads(kept, blocks)
    has_inputs = kept.join(heads.select("number", "has_inputs"), on="number", maintain_order="left")["has_inputs"]
    is_known = heads["number"].is_in(blocks["number"].implode())
    return _Part(kept, kept.filter(has_inputs), block_rows.folded_rows(heads, slices), is_known)


def _without_repeated(sent: pl.DataFrame, blocks: pl.DataFrame, sent_before: pl.DataFrame) -> pl.DataFrame:
    """Leave out each message that came before with the same id and content: it changes nothing, and is not counted."""
    first = sent.unique(subset=_SAME, keep="first", maintain_order=True)
    before = pl.concat([blocks.select(_SAME), sent_before.select(_SAME)])
    return first.join(before, on=_SAME, how="anti", maintain_order="left")


def _count_conflicts(kept: pl.DataFrame, blocks: pl.DataFrame, sent_before: pl.DataFrame) -> int:
    """Count the messages that have the id of an earlier one about the same block, but another content."""
    ids = pl.concat([blocks.select(_SAME_ID), sent_before.select(_SAME_ID), kept.select(_SAME_ID)])
    is_first = ids.select(pl.struct(_SAME_ID).is_first_distinct()).to_series()
    return len(kept) - int(is_first.tail(len(kept)).sum())


def _open(blocks: pl.DataFrame, count: int, slice_count: int) -> Slices:
    """Return the present slices of `count` blocks, empty where `blocks` has none of that number."""
    slices = empty_slices(count, slice_count)
    if len(blocks):
        columns = blocks.to_arrow()
        stored = StoredSlices(
            values=from_arrow(columns["slice_values"]),
            quality=from_arrow(columns["slice_quality"]),
            gas_factor=from_arrow(columns["slice_gas_factor"]),
            order=from_arrow(columns["slice_order"]),
            recorded_at=from_arrow(columns["slice_recorded_at"]),
        )
        present = decode_slices(
            stored, Newest(*(_integers(blocks, name) for name in (*_ORDER, "recorded_at"))), slice_count
        )
        rows = blocks["number"].to_numpy()
        for name in Slices.__slots__:
            getattr(slices, name)[rows] = getattr(present, name)
    return slices


def _integers(frame: pl.DataFrame, name: str) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.asarray(frame[name].to_physical().to_numpy(), dtype=np.int64)


def _fold(kept: pl.DataFrame, slices: Slices, group: Group) -> pl.DataFrame:
    """Let the messages compete in order of arrival, one of each block at a time; say how many slices each changed, and
    which brought the last one that was missing."""
    blocks, picks = kept["number"].to_numpy(), kept["pick"].to_numpy()
    turns = kept.select(pl.int_range(pl.len()).over("number")).to_series().to_numpy()
    changed = np.zeros(len(kept), dtype=np.int64)
    completing = np.zeros(len(kept), dtype=np.bool_)
    is_whole = _is_whole(slices, slice(None))
    for turn in range(int(turns.max(initial=-1)) + 1):
        rows = np.flatnonzero(turns == turn)
        changed[rows] = apply(slices, blocks[rows], group.messages, picks[rows])
        was_whole, is_whole[blocks[rows]] = is_whole[blocks[rows]], _is_whole(slices, blocks[rows])
        completing[rows] = is_whole[blocks[rows]] & ~was_whole
    return kept.with_columns(changed_count=pl.Series(changed, dtype=pl.Int64), is_completing=pl.Series(completing))


def _is_whole(slices: Slices, blocks: Any) -> NDArray[np.bool_]:
    return np.asarray((slices.values[blocks] != MISSING).all(axis=1), dtype=np.bool_)


def _heads(kept: pl.DataFrame, blocks: pl.DataFrame) -> pl.DataFrame:
    """Return one row per block, by number: its key, newest message, last change and how many messages it has."""
    newest = (
        pl.concat([blocks.select("number", *_HEAD), kept.select("number", *_HEAD)])
        .with_columns(arrival=-pl.int_range(pl.len()))
        .sort("number", *_ORDER, "arrival")
        .group_by("number", maintain_order=True)
        .last()
    )
    changing = kept.filter(pl.col("is_first") | (pl.col("changed_count") > 0))
    change = ("number", "record_partition", "record_offset", "recorded_at")
    changes = pl.concat([blocks.select(change), changing.select(change)]).group_by("number", maintain_order=True).last()
    counts = kept.group_by("number", maintain_order=True).agg(
        *(pl.col(name).first() for name in block_rows.KEY),
        new_count=pl.len(),
        is_plain=pl.col("is_plain").all(),
    )
    before = blocks.select("number", known_count="input_count")
    return (
        counts.join(before, on="number", how="left")
        .with_columns(input_count=pl.col("new_count") + pl.col("known_count").fill_null(0))
        .with_columns(has_inputs=(pl.col("input_count") > 1) | ~pl.col("is_plain"))
        .join(newest, on="number")
        .join(changes, on="number")
        .sort("number")
    )
