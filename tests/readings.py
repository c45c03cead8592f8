"""Readings as publishers send them and as the log delivers them, for the tests of the quarter-hour store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from uuid import UUID, uuid5

import numpy as np

from eventlog import codec
from eventlog.events import ReadingsRecorded
from eventlog.projection import Run
from eventlog.topics import partition_of
from market.channel import BY_NAME
from market.ean import Ean
from market.local_time import slice_count
from services.metering.stored_values import MISSING
from tests.examples import HOUSE, ORDINARY_DAY

PARTITION_COUNT = 8
TOPIC = "meter-readings"
QUARTERS = "OFFTAKE_ACTIVE_QUARTER_HOURLY"
SENT_AT = datetime(2026, 11, 20, 4, 0, tzinfo=UTC)
APPENDED_AT = datetime(2026, 11, 20, 5, 0, tzinfo=UTC)

Runs = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class LogRecord:
    """A record as Kafka delivers it; `timestamp` is the append time in ms since 1970 (UTC)."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]] = ()


def message_id(number: int) -> str:
    """The id of the test's message `number`."""
    return str(uuid5(UUID(int=0), str(number)))


def reading(
    values: Sequence[int | None] | int,
    *,
    number: int = 1,
    sent_after: timedelta = timedelta(0),
    sequence: int = 0,
    ean: Ean = HOUSE,
    meter_id: str = "",
    meter_kind: str = "DIGITAL",
    channel: str = QUARTERS,
    day: date = ORDINARY_DAY,
    first_slice: int = 0,
    quality: Runs | int = 5,
    gas_factor: Runs = (),
    withdraws: bool = False,
    source: str = "publisher",
) -> ReadingsRecorded:
    """Return a reading; one number for `values` fills the whole day, one for `quality` is that of every value."""
    kind = BY_NAME[channel]
    given = values if isinstance(values, Sequence) else [values] * slice_count(kind.energy, kind.resolution, day)
    packed = np.array([MISSING if value is None else value for value in given], dtype="<i4").tobytes()
    return ReadingsRecorded(
        message_id=message_id(number),
        source=source,
        source_at=SENT_AT + sent_after,
        source_sequence=sequence,
        ean=ean,
        meter_id=meter_id,
        meter_kind=meter_kind,
        channel=channel,
        day=day,
        first_slice=first_slice,
        values=packed,
        quality=(quality, len(given)) if isinstance(quality, int) else quality,
        gas_factor=gas_factor,
        withdraws=withdraws,
    )


def withdrawal(count: int, *, first_slice: int = 0, **details: object) -> ReadingsRecorded:
    """Return the withdrawal of `count` slices."""
    return reading(
        [None] * count,
        first_slice=first_slice,
        quality=0,
        withdraws=True,
        **details,  # type: ignore[arg-type]
    )


def record(event: ReadingsRecorded | bytes, offset: int, *, key: bytes | None = None) -> LogRecord:
    """Return `event` (or any value) as the record at `offset`, on its right partition, appended a second a record."""
    value = event if isinstance(event, bytes) else codec.encode(event)
    own_key = key or (HOUSE if isinstance(event, bytes) else event.ean).encode()
    appended = APPENDED_AT + timedelta(seconds=offset)
    return LogRecord(
        TOPIC, partition_of(own_key, PARTITION_COUNT), offset, int(appended.timestamp() * 1000), own_key, value
    )


def run(records: Sequence[LogRecord]) -> Run:
    """Return `records`, consecutive ones of one partition, as a run."""
    return Run(
        topic=TOPIC,
        partition=records[0].partition,
        first_offset=records[0].offset,
        next_offset=records[-1].offset + 1,
        records=records,
    )
