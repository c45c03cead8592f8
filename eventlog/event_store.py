"""The events of a service: its source of truth, and the outbox that the relay empties."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID, uuid4

from sqlalchemy import Connection, func, insert, select
from sqlalchemy.exc import DBAPIError

from eventlog.codec import decode, encode
from eventlog.events import Event
from eventlog.tables import event
from eventlog.tracing import current_traceparent

__all__ = ["INSERT", "LAST_VERSION", "StreamChanged", "append", "append_adbc", "event", "key_of", "load", "load_many"]

LAST_VERSION: Final = "select coalesce(max(stream_version), 0) from event where stream_id = $1"
INSERT: Final = (
    "insert into event "
    "(stream_id, stream_version, event_id, event_type, key, payload, correlation_id, recorded_at, traceparent) "
    "values ($1, $2, $3::text::uuid, $4, $5, $6, $7::text::uuid, $8, $9)"
)
_EAN_LENGTH: Final = 18
_CONFLICTS: Final = frozenset({"23505", "40P01"})  # the version is taken; two commands wait for each other's streams


class StreamChanged(Exception):
    """Another command on this stream came in between: roll back, and it is safe to try again in a new transaction."""


def key_of(stream_id: str) -> bytes:
    """Return the Kafka key of all events of a stream: its EAN or contract number, else the stream id itself."""
    kind, _, name = stream_id.partition(":")
    is_ean = len(name) == _EAN_LENGTH and name.isascii() and name.isdigit()
    return (name if is_ean or kind == "contract" else stream_id).encode()


def load(tx: Connection, stream_id: str) -> tuple[list[Event], int]:
    """Return the events of a stream, oldest first, and its version (0: there is none yet)."""
    return load_many(tx, [stream_id])[stream_id]


def load_many(tx: Connection, stream_ids: Collection[str]) -> dict[str, tuple[list[Event], int]]:
    """Return `load` of each stream, in one query."""
    rows = tx.execute(
        select(event.c.stream_id, event.c.stream_version, event.c.payload)
        .where(event.c.stream_id.in_(stream_ids))
        .order_by(event.c.stream_id, event.c.stream_version)
    )
    found: dict[str, tuple[list[Event], int]] = {stream_id: ([], 0) for stream_id in stream_ids}
    for stream_id, version, payload in rows:
        events = found[stream_id][0]
        events.append(decode(payload))
        found[stream_id] = (events, version)
    return found


def append(
    tx: Connection,
    stream_id: str,
    events: Sequence[Event],
    *,
    expected_version: int,
    correlation_id: UUID,
    recorded_at: datetime,
    causation_id: UUID | None = None,
) -> list[UUID]:
    """Add `events` to a stream that has `expected_version`, and return their ids. `recorded_at` is UTC. They belong to
    the trace that runs here.

    May be called for several streams in one transaction: all of them change, or none.

    Raises:
        StreamChanged: the stream has another version.
    """
    if not events:
        return []
    traceparent = current_traceparent()
    rows: list[dict[str, Any]] = [
        {
            "stream_id": stream_id,
            "stream_version": version,
            "event_id": uuid4(),
            "event_type": type(each).__name__,
            "key": key_of(stream_id),
            "payload": encode(each),
            "correlation_id": correlation_id,
            "causation_id": causation_id,
            "recorded_at": recorded_at,
            "traceparent": traceparent,
        }
        for version, each in enumerate(events, expected_version + 1)
    ]
    version = select(func.coalesce(func.max(event.c.stream_version), 0)).where(event.c.stream_id == stream_id)
    if tx.execute(version).scalar_one() != expected_version:
        raise StreamChanged(f"a stream is not at version {expected_version} any more")
    try:
        tx.execute(insert(event), rows)
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) in _CONFLICTS:
            raise StreamChanged(f"a stream is not at version {expected_version} any more") from error
        raise
    return [row["event_id"] for row in rows]


def append_adbc(
    cursor: Any, stream_id: str, events: Sequence[Event], *, correlation_id: UUID, recorded_at: datetime
) -> list[UUID]:
    """Add `events` at the end of a stream through an ADBC cursor, in the transaction that it is in.

    For a stream with one writer at a time (`run:<topic>:<partition>`: whoever has moved that checkpoint).
    """
    if not events:
        return []
    cursor.execute(LAST_VERSION, (stream_id,))
    ((last,),) = cursor.fetchall()
    ids, traceparent = [uuid4() for _ in events], current_traceparent()
    rows = [
        [
            *(stream_id, version, str(event_id), type(each).__name__, key_of(stream_id), encode(each)),
            *(str(correlation_id), recorded_at, traceparent),
        ]
        for version, (event_id, each) in enumerate(zip(ids, events, strict=True), last + 1)
    ]
    cursor.executemany(INSERT, rows)
    return ids
