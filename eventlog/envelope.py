"""An event together with what the log says of it: headers, key and position."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Protocol
from uuid import UUID

from eventlog.codec import Undecodable, decode
from eventlog.events import Event

Headers = Sequence[tuple[str, bytes]]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Record(Protocol):
    """What Kafka delivers; aiokafka's ConsumerRecord is one. `timestamp` is the append time in ms since 1970 (UTC)."""

    @property
    def topic(self) -> str: ...
    @property
    def partition(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Headers: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """An event as it was read. All instants are UTC.

    `recorded_at` is when its service wrote it, `appended_at` when the broker did; `stream_version` counts from 1 in
    `stream_id`; `correlation_id` is that of the request that led to it, `causation_id` the id of the event that did.
    """

    event: Event
    event_id: UUID
    event_type: str
    source: str
    stream_id: str
    stream_version: int
    recorded_at: datetime
    correlation_id: UUID
    causation_id: UUID | None
    traceparent: str | None
    key: bytes
    topic: str
    partition: int
    offset: int
    appended_at: datetime


def to_headers(
    *,
    event_id: UUID,
    event_type: str,
    source: str,
    stream_id: str,
    stream_version: int,
    recorded_at: datetime,
    correlation_id: UUID,
    causation_id: UUID | None = None,
    traceparent: str | None = None,
) -> list[tuple[str, bytes]]:
    """Return the headers of a record: CloudEvents names where there are any, text in UTF-8, instants in ISO 8601 UTC.

    Raises:
        ValueError: `recorded_at` has no zone.
    """
    if recorded_at.tzinfo is None:
        raise ValueError("recorded_at has no zone; instants are UTC")
    instant = recorded_at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    values = {
        "ce_id": str(event_id),
        "ce_type": event_type,
        "ce_source": source,
        "ce_time": instant,
        "ce_subject": stream_id,
        "recorded_at": instant,
        "correlation_id": str(correlation_id),
        "causation_id": None if causation_id is None else str(causation_id),
        "stream_version": str(stream_version),
        "traceparent": traceparent,
    }
    return [(name, value.encode()) for name, value in values.items() if value is not None]


def from_record(record: Record) -> Envelope:
    """Return the envelope of `record`.

    Raises:
        Undecodable: a header is missing or damaged, there is no key or value, the value cannot be decoded, or its
            event is not the one that the headers name.
        OSError: the schema registry is away, where one is used.
    """
    if record.key is None or record.value is None:
        raise Undecodable("a record without key or value")
    event = decode(record.value)
    headers = dict(record.headers)
    try:
        known = _parse(headers)
    except KeyError as error:
        raise Undecodable(f"header {error.args[0]} is missing") from error
    except (ValueError, OverflowError) as error:
        raise Undecodable("a header is damaged") from error
    if known["event_type"] != type(event).__name__:
        raise Undecodable("ce_type and the value name different events")
    return Envelope(
        event=event,
        key=record.key,
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        appended_at=_EPOCH + timedelta(milliseconds=record.timestamp),
        **known,
    )


def _parse(headers: Mapping[str, bytes]) -> dict[str, Any]:
    recorded_at = datetime.fromisoformat(headers["recorded_at"].decode())
    if recorded_at.tzinfo is None:
        raise ValueError("recorded_at has no zone")
    causation, trace = headers.get("causation_id"), headers.get("traceparent")
    return {
        "event_id": UUID(headers["ce_id"].decode()),
        "event_type": headers["ce_type"].decode(),
        "source": headers["ce_source"].decode(),
        "stream_id": headers["ce_subject"].decode(),
        "stream_version": int(headers["stream_version"]),
        "recorded_at": recorded_at.astimezone(UTC),
        "correlation_id": UUID(headers["correlation_id"].decode()),
        "causation_id": None if causation is None else UUID(causation.decode()),
        "traceparent": None if trace is None else trace.decode(),
    }
