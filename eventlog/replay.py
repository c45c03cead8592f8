"""Applying parked events after all, once their cause is gone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Row, func, select, update

from eventlog import dead_letter
from eventlog.codec import Undecodable
from eventlog.dead_letter import Unusable
from eventlog.envelope import Headers, from_record
from eventlog.projection import EventProjection
from eventlog.streams import read_streams, write_streams
from eventlog.tables import checkpoint
from eventlog.tables import dead_letter as letters

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """What a replay came to: events applied, events known already, and why it stopped ("" where nothing is left)."""

    applied_count: int = 0
    redelivered_count: int = 0
    stopped_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _StoredRecord:
    """A parked record, as Kafka delivered it."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Headers


def replay_stream(projection: EventProjection, stream_id: str) -> Replayed:
    """Apply the parked events of one stream in the order of their versions, up to the first that is still unusable.

    One transaction, which keeps the projection from applying anything of the same topic meanwhile.
    """
    with projection.engine.begin() as tx:
        _keep_out(tx, projection)
        parked = _read_parked(tx, projection.name, stream_id)
        seen = read_streams(tx, projection.name, {stream_id}).seen.get(stream_id, 0)
        outcome, first = Replayed(), seen
        for row in parked:
            version = row.stream_version
            if version is not None and version <= seen:
                outcome = _with(outcome, redelivered_count=1)
            elif reason := _why_not(tx, projection, row, seen):
                outcome = _with(outcome, stopped_by=reason)
                break
            else:
                seen, outcome = version, _with(outcome, applied_count=1)
            _mark(tx, row)
        if seen > first:
            write_streams(tx, projection.name, {stream_id: seen})
        return outcome


def _with(outcome: Replayed, *, applied_count: int = 0, redelivered_count: int = 0, stopped_by: str = "") -> Replayed:
    return Replayed(
        applied_count=outcome.applied_count + applied_count,
        redelivered_count=outcome.redelivered_count + redelivered_count,
        stopped_by=stopped_by,
    )


def _keep_out(tx: Connection, projection: EventProjection) -> None:
    place = checkpoint.c
    rows = select(place.partition).where(place.projection == projection.name, place.topic == projection.topic)
    tx.execute(rows.order_by(place.partition).with_for_update()).all()


def _read_parked(tx: Connection, name: str, stream_id: str) -> Sequence[Row[Any]]:
    letter = letters.c
    rows = select(letters).where(letter.projection == name, letter.stream_id == stream_id, letter.replayed_at.is_(None))
    return tx.execute(rows.order_by(letter.stream_version, letter.partition, letter.record_offset)).all()


def _why_not(tx: Connection, projection: EventProjection, row: Row[Any], seen: int) -> str:
    """Apply one parked event; return why that cannot be done, or ""."""
    try:
        envelope = from_record(_as_record(row))
        if envelope.stream_version != seen + 1:
            return f"version {seen + 1} of the stream is missing"
        with tx.begin_nested():
            projection.project(tx, envelope)
    except (Undecodable, Unusable) as error:
        return str(error)
    return ""


def _as_record(row: Row[Any]) -> _StoredRecord:
    return _StoredRecord(
        topic=row.topic,
        partition=row.partition,
        offset=row.record_offset,
        timestamp=(row.appended_at - _EPOCH) // timedelta(milliseconds=1),
        key=row.key,
        value=row.value,
        headers=dead_letter.to_headers(row.headers),
    )


def _mark(tx: Connection, row: Row[Any]) -> None:
    letter = letters.c
    tx.execute(
        update(letters)
        .where(letter.projection == row.projection, letter.topic == row.topic)
        .where(letter.partition == row.partition, letter.record_offset == row.record_offset)
        .values(replayed_at=func.now())
    )
