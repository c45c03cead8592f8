"""Blocks as they were known at an instant: the fold of their messages recorded until then. Pure.

Source: decisions.md 13: as of T is the fold of the inputs recorded at or before T, in the order of their offsets.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from operator import attrgetter
from typing import Final, NamedTuple

import numpy as np

from services.metering.arrow_blocks import StoredBlock
from services.metering.byte_column import from_rows
from services.metering.fold import Messages, apply, empty_slices
from services.metering.runs import decode_codes
from services.metering.stored_slices import Newest, encode_slices
from services.metering.stored_values import MISSING, decode_values

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


class StoredInput(NamedTuple):
    """A row of table `block_input`, as far as a fold needs it; the names are those of its columns."""

    ean: int
    day: date
    channel: int
    meter_id: str
    meter_kind: int
    slice_count: int
    record_offset: int
    recorded_at: datetime
    source_at: datetime
    source_sequence: int
    content_hash: int
    first_slice: int
    spoken_count: int
    slice_values: bytes
    slice_quality: bytes
    slice_gas_factor: bytes
    withdraws: bool


_KEY: Final = attrgetter("ean", "day", "channel", "meter_id")


def fold_inputs(inputs: Sequence[StoredInput]) -> list[StoredBlock]:
    """Return the block that the messages of each key come to, in the order in which the keys come.

    `inputs` are sorted by key and, within it, by offset; a block's day has one slice count.
    """
    stories = [list(story) for _, story in groupby(inputs, key=_KEY)]
    folded: list[StoredBlock | None] = [None] * len(stories)
    for slice_count in {story[0].slice_count for story in stories}:
        places = [place for place, story in enumerate(stories) if story[0].slice_count == slice_count]
        blocks = _fold([stories[place] for place in places], slice_count)
        for place, block in zip(places, blocks, strict=True):
            folded[place] = block
    return [block for block in folded if block is not None]


def _fold(stories: list[list[StoredInput]], slice_count: int) -> list[StoredBlock]:
    messages = _messages([each for story in stories for each in story], slice_count)
    begins = np.cumsum([0, *map(len, stories)])[:-1]
    slices = empty_slices(len(stories), slice_count)
    for turn in range(max(map(len, stories))):
        rows = np.array([row for row, story in enumerate(stories) if len(story) > turn], dtype=np.intp)
        apply(slices, rows, messages, begins[rows] + turn)
    heads = [max(reversed(story), key=_order) for story in stories]  # of equals the first that came
    newest = Newest(
        source_at=np.array([_microseconds(each.source_at) for each in heads], dtype=np.int64),
        source_sequence=np.array([each.source_sequence for each in heads], dtype=np.int64),
        content_hash=np.array([each.content_hash for each in heads], dtype=np.int64),
        recorded_at=np.array([_microseconds(story[-1].recorded_at) for story in stories], dtype=np.int64),
    )
    stored = encode_slices(slices, newest)
    columns = (stored.values, stored.quality, stored.gas_factor, stored.recorded_at)
    return [
        StoredBlock(
            ean=story[0].ean,
            day=story[0].day,
            channel=story[0].channel,
            meter_id=story[0].meter_id,
            meter_kind=head.meter_kind,
            slice_count=slice_count,
            slice_values=values,
            slice_quality=quality,
            slice_gas_factor=gas_factor,
            slice_recorded_at=recorded_at,
            recorded_at=story[-1].recorded_at,
        )
        for story, head, values, quality, gas_factor, recorded_at in zip(
            stories, heads, *(column.to_list() for column in columns), strict=True
        )
    ]


def _messages(inputs: list[StoredInput], slice_count: int) -> Messages:
    values = decode_values(from_rows([each.slice_values for each in inputs]), slice_count)
    places = np.arange(slice_count)
    first = np.array([each.first_slice for each in inputs])[:, None]
    spoken = np.array([each.spoken_count for each in inputs])[:, None]
    withdraws = np.array([each.withdraws for each in inputs])[:, None]
    return Messages(
        values=values,
        quality=decode_codes(from_rows([each.slice_quality for each in inputs]), slice_count),
        gas_factor=decode_codes(from_rows([each.slice_gas_factor for each in inputs]), slice_count),
        speaks=(values != MISSING) | (withdraws & (places >= first) & (places < first + spoken)),
        source_at=np.array([_microseconds(each.source_at) for each in inputs], dtype=np.int64),
        source_sequence=np.array([each.source_sequence for each in inputs], dtype=np.int64),
        content_hash=np.array([each.content_hash for each in inputs], dtype=np.int64),
        recorded_at=np.array([_microseconds(each.recorded_at) for each in inputs], dtype=np.int64),
    )


def _order(each: StoredInput) -> tuple[datetime, int, int]:
    return each.source_at, each.source_sequence, each.content_hash


def _microseconds(at: datetime) -> int:
    return (at - _EPOCH) // _MICROSECOND
