"""What a committed run tells the others: one `RunApplied`, and a `BlockRevised` for each message that changed one."""

from __future__ import annotations

from typing import Final
from uuid import UUID, uuid5

import polars as pl
import pyarrow as pa

from eventlog import codec
from eventlog.events import RunApplied
from eventlog.projection import Run
from services.metering.block_writer import Written
from services.metering.revised_events import revised_events
from services.metering.run_arrivals import run_arrivals
from services.metering.run_table import Readings

_EVENTS: Final = UUID("5f0c6f5a-0b7e-5e55-9d0c-3f7a1f3f2d11")
_UUID: Final = pa.binary(16)
_SCHEMA: Final[dict[str, pa.DataType]] = {
    "place": pa.int32(),
    "stream_id": pa.string(),
    "number": pa.int32(),
    "event_id": _UUID,
    "event_type": pa.string(),
    "key": pa.binary(),
    "payload": pa.binary(),
    "correlation_id": _UUID,
}


def outbox_rows(run: Run, readings: Readings, written: Written, *, is_replay: bool = False) -> pa.Table:
    """Return the events of `run` as rows for `stage.append_events`; none where none of its readings could be kept.

    A replay's run holds parked records alone, all good now: its RunApplied counts them and bounds their offsets.
    """
    days = readings.days
    if days.is_empty():
        return pa.schema(_SCHEMA).empty_table()
    told = _run_applied(run, len(readings.refused), written, days, is_replay=is_replay)
    if not written.revised_count:
        return told
    return pa.concat_tables([told, revised_events(run, written.revised, _EVENTS, first_place=len(told))])


def _run_applied(run: Run, parked_count: int, written: Written, days: pl.Series, *, is_replay: bool) -> pa.Table:
    stream_id = f"run:{run.topic}:{run.partition}"
    event = RunApplied(
        topic=run.topic,
        partition=run.partition,
        first_offset=run.first_offset,
        next_offset=run.next_offset,
        new_count=written.new_count,
        revised_count=written.revised_count,
        unchanged_count=written.unchanged_count + written.repeated_count,
        parked_count=parked_count,
        oldest_day=days.sort()[0],
        newest_day=days.sort()[-1],
        arrivals=run_arrivals(written.arrivals),
    )
    event_id = uuid5(_EVENTS, f"{stream_id}:{run.first_offset}")
    if is_replay:  # its first offset may be that of a run that was told of
        event_id = uuid5(event_id, "replay")
    row = (
        0,
        stream_id,
        1,
        event_id.bytes,
        RunApplied.__name__,
        stream_id.encode(),
        codec.encode(event),
        event_id.bytes,
    )
    return pa.table({name: pa.array([each], kind) for (name, kind), each in zip(_SCHEMA.items(), row, strict=True)})
