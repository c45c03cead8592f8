"""What a committed run tells the others: one `RunApplied`, and a `BlockRevised` for each message that changed one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID, uuid5

import polars as pl
import pyarrow as pa

from eventlog import codec
from eventlog.envelope import Record
from eventlog.events import BlockRevised, Event, RunApplied
from eventlog.projection import Run
from market.channel import BY_CODE
from market.ean import Ean
from services.metering.block_writer import Written
from services.metering.message_ids import unpack_id
from services.metering.run_table import Readings

_EVENTS: Final = UUID("5f0c6f5a-0b7e-5e55-9d0c-3f7a1f3f2d11")
_CHANNEL_NAMES: Final = {code: channel.name for code, channel in BY_CODE.items()}
_TOLD: Final = ["row", "record_offset", "ean", "meter_id", "channel", "day", "changed_count", "source", "message_id"]
_UUID: Final = pa.binary(16)
_SCHEMA: Final = {
    "place": pa.int32(),
    "stream_id": pa.string(),
    "number": pa.int32(),
    "event_id": _UUID,
    "event_type": pa.string(),
    "key": pa.binary(),
    "payload": pa.binary(),
    "correlation_id": _UUID,
}


def outbox_rows(run: Run, readings: Readings, written: Written) -> pa.Table:
    """Return the events of `run` as rows for `stage.append_events`; none where none of its readings could be kept."""
    days = readings.days
    if days.is_empty():
        return _rows([])
    return _rows([_run_applied(run, len(readings.refused), written, days), *_blocks_revised(run, written)])


@dataclass(frozen=True, slots=True)
class _Row:
    stream_id: str
    key: bytes
    event: Event
    event_id: UUID
    correlation_id: UUID


def _run_applied(run: Run, parked_count: int, written: Written, days: pl.Series) -> _Row:
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
    )
    event_id = uuid5(_EVENTS, f"{stream_id}:{run.first_offset}")
    return _Row(stream_id, stream_id.encode(), event, event_id, event_id)


def _blocks_revised(run: Run, written: Written) -> Iterable[_Row]:
    revised = [each for table in written.revised for each in table.select(_TOLD).iter_rows(named=True)]
    for each in sorted(revised, key=lambda reading: reading["record_offset"]):
        ean = Ean(f"{each['ean']:018d}")
        event = BlockRevised(
            ean=ean,
            meter_id=each["meter_id"],
            channel=_CHANNEL_NAMES[each["channel"]],
            day=each["day"],
            changed_count=each["changed_count"],
            source=each["source"],
            message_id=unpack_id(each["message_id"]),
        )
        event_id = uuid5(_EVENTS, f"{run.topic}:{run.partition}:{each['record_offset']}")
        correlation_id = _correlation_id(run.records[each["row"]]) or event_id
        yield _Row(f"point:{ean}", ean.encode(), event, event_id, correlation_id)


def _correlation_id(record: Record) -> UUID | None:
    """Return the id of the request that brought the record, where its header holds one."""
    try:
        return UUID(dict(record.headers)["correlation_id"].decode())
    except (KeyError, ValueError):
        return None


def _rows(rows: list[_Row]) -> pa.Table:
    numbers: dict[str, int] = {}
    for each in rows:
        numbers[each.stream_id] = numbers.get(each.stream_id, 0) + 1
    seen = dict.fromkeys(numbers, 0)
    columns: dict[str, list[Any]] = {name: [] for name in _SCHEMA}
    for place, each in enumerate(rows):
        seen[each.stream_id] += 1
        identity = (place, each.stream_id, seen[each.stream_id], each.event_id.bytes)
        content = (type(each.event).__name__, each.key, codec.encode(each.event), each.correlation_id.bytes)
        for column, value in zip(columns.values(), identity + content, strict=True):
            column.append(value)
    return pa.table({name: pa.array(columns[name], kind) for name, kind in _SCHEMA.items()})
