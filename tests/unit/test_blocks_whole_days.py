"""A whole day that meets a whole day: the short way gives the same rows, bit by bit, as the fold over slices."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eventlog.events import ReadingsRecorded
from services.metering import revision
from services.metering.revision import Known, Revision, revise
from services.metering.run_table import read_run
from services.metering.whole_days import are_whole
from tests.examples import GAS_HOUSE
from tests.readings import PARTITION_COUNT, reading, record, run, withdrawal

GAS = {"ean": GAS_HOUSE, "channel": "OFFTAKE_GAS_ENERGY_HOURLY"}
Find = Callable[..., np.ndarray[tuple[int], np.dtype[np.bool_]]]


@st.composite
def messages(draw: st.DrawFn, number: int) -> ReadingsRecorded:
    """Mostly whole days of 24 hours, few different values, in any order of sending."""
    after = timedelta(hours=draw(st.integers(0, 3)))
    kind = draw(st.sampled_from(["whole"] * 6 + ["part", "hole", "withdrawal"]))
    if kind == "withdrawal":
        return withdrawal(3, number=number, first_slice=draw(st.integers(0, 21)), sent_after=after, **GAS)
    count = 5 if kind == "part" else 24
    values: list[int | None] = list(draw(st.lists(st.sampled_from([7, 7, 8, 300]), min_size=count, max_size=count)))
    if kind == "hole":
        values[3] = None
    quality, factor = draw(st.sampled_from([(5, count), (2, 2, 5, count - 2)])), draw(st.sampled_from([1, 2]))
    return reading(values, number=number, sent_after=after, quality=quality, gas_factor=(factor, count), **GAS)  # type: ignore[arg-type]


def told(sent: Sequence[ReadingsRecorded], find: Find) -> list[Revision]:
    """Revise with one message after the other, each a run of its own, `find` saying which blocks go the short way."""
    blocks = pa.table({})
    done: list[Revision] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(revision, "are_whole", find)
        for offset, message in enumerate(sent):
            (group,) = read_run(run([record(message, offset)]), partition_count=PARTITION_COUNT).groups
            readings = group.table.with_columns(place=pl.lit(0, dtype=pl.Int32))
            if not done:
                blocks = revise(group, readings, Known(*[_none_of(readings)] * 2)).made.slice(0, 0)
            known = pl.DataFrame(pl.from_arrow(blocks)).with_columns(place=pl.lit(0, dtype=pl.Int32))
            done.append(revise(group, readings, Known(known, known.clear())))
            blocks = pa.concat_tables([done[-1].made, done[-1].changed])
    return done


def _none_of(readings: pl.DataFrame) -> pl.DataFrame:
    kinds: dict[str, Any] = {"slice_values": pl.Binary, "slice_quality": pl.Binary, "slice_gas_factor": pl.Binary}
    rest: dict[str, Any] = {"slice_order": pl.Binary, "slice_recorded_at": pl.Binary, "present_count": pl.Int16}
    more: dict[str, Any] = {"slice_count": pl.Int16, "input_count": pl.Int32, "has_inputs": pl.Boolean}
    have: dict[str, Any] = {name: kind for name, kind in readings.schema.items() if name != "slice_count"}
    return pl.DataFrame(schema=have | kinds | rest | more)


def nothing(readings: pl.DataFrame, blocks: pl.DataFrame, messages: object) -> object:
    return np.zeros(len(blocks), dtype=np.bool_)


@settings(deadline=None, max_examples=15)
@given(st.integers(2, 5).flatmap(lambda count: st.tuples(*(messages(number) for number in range(count)))))
def test_both_ways_give_the_same_rows(sent: tuple[ReadingsRecorded, ...]) -> None:
    for short, long in zip(told(sent, are_whole), told(sent, nothing), strict=True):  # type: ignore[arg-type]
        assert short.made.equals(long.made)
        assert short.changed.equals(long.changed)
        assert all(mine.equals(theirs) for mine, theirs in zip(short.inputs, long.inputs, strict=True))
        assert short.readings.equals(long.readings.select(short.readings.columns))


def test_a_day_of_missing_slices_or_a_part_goes_the_long_way() -> None:
    found: list[list[bool]] = []

    def watched(readings: pl.DataFrame, blocks: pl.DataFrame, messages: object) -> object:
        found.append(are_whole(readings, blocks, messages).tolist())  # type: ignore[arg-type]
        return np.array(found[-1], dtype=np.bool_)

    whole, hours = reading(7, number=1, **GAS), timedelta(hours=1)  # type: ignore[arg-type]
    later = reading(8, number=2, sent_after=hours, **GAS)  # type: ignore[arg-type]
    hole = reading([9] * 23 + [None], number=3, sent_after=2 * hours, **GAS)  # type: ignore[arg-type]
    part = reading([9], number=4, sent_after=3 * hours, **GAS)  # type: ignore[arg-type]
    told([whole, later, hole, part, later], watched)  # type: ignore[arg-type]
    assert found[2:] == [[True], [False], [False], [False]]
