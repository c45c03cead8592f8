"""Parked records as a person handles them: found, looked at, given up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Row, select

from eventlog import dead_letter
from eventlog.envelope import Headers
from eventlog.halt import Coordinates
from eventlog.streams import read_streams, write_streams
from eventlog.tables import checkpoint
from eventlog.tables import dead_letter as letters

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class MayNotDiscard(ValueError):
    """The record cannot be given up now; the message says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A parked record, as Kafka delivered it, and what is known of it. A record, too. Instants are UTC."""

    projection: str
    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Headers
    stream_id: str | None
    stream_version: int | None
    rule: str
    reason: str
    parked_at: datetime
    replayed_at: datetime | None = None
    discarded_at: datetime | None = None
    discard_reason: str | None = None

    @property
    def place(self) -> Coordinates:
        return Coordinates(self.topic, self.partition, self.offset)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which records are meant; what is "" or None does not matter. `is_parked`: only those that are parked still."""

    projection: str = ""
    place: Coordinates | None = None
    stream_id: str = ""
    rule: str = ""
    is_parked: bool = True


def find_letters(tx: Connection, wanted: Wanted, *, limit: int | None = None) -> list[Letter]:
    """Return the records that are `wanted`, by projection and place, `limit` of them at most."""
    letter = letters.c
    query = select(letters).order_by(letter.projection, letter.topic, letter.partition, letter.record_offset)
    if wanted.projection:
        query = query.where(letter.projection == wanted.projection)
    if wanted.place is not None:
        query = query.where(letter.topic == wanted.place.topic, letter.partition == wanted.place.partition)
        query = query.where(letter.record_offset == wanted.place.offset)
    if wanted.stream_id:
        query = query.where(letter.stream_id == wanted.stream_id)
    if wanted.rule:
        query = query.where(letter.rule == wanted.rule)
    if wanted.is_parked:
        query = query.where(dead_letter.is_parked())
    return [_letter(row) for row in tx.execute(query.limit(limit))]


def _letter(row: Row[Any]) -> Letter:
    return Letter(
        projection=row.projection,
        topic=row.topic,
        partition=row.partition,
        offset=row.record_offset,
        timestamp=(row.appended_at - _EPOCH) // timedelta(milliseconds=1),
        key=row.key,
        value=row.value,
        headers=dead_letter.to_headers(row.headers),
        stream_id=row.stream_id,
        stream_version=row.stream_version,
        rule=row.rule or "",
        reason=row.reason,
        parked_at=row.parked_at,
        replayed_at=row.replayed_at,
        discarded_at=row.discarded_at,
        discard_reason=row.discard_reason,
    )


def keep_out(tx: Connection, projection: str, topic: str) -> None:
    """Keep the projection from applying anything of `topic` until the transaction ends."""
    place = checkpoint.c
    rows = select(place.partition).where(place.projection == projection, place.topic == topic)
    tx.execute(rows.order_by(place.partition).with_for_update()).all()


def discard(tx: Connection, letter: Letter, words: str) -> None:
    """Give a parked record up, and keep it with the reason in `words`: what it says never takes effect.

    Of a stream only the first parked event can be given up; what waits behind it can be replayed afterwards, as if the
    event had said nothing.

    Raises:
        MayNotDiscard: it is not parked (any more), or an earlier event of its stream is.
    """
    keep_out(tx, letter.projection, letter.topic)
    if not find_letters(tx, Wanted(projection=letter.projection, place=letter.place)):
        raise MayNotDiscard(f"{letter.place} is not parked any more")
    if letter.stream_id is not None:
        _pass_in_stream(tx, letter, letter.stream_id)
    dead_letter.give_up(tx, letter.projection, letter.place, words)


def _pass_in_stream(tx: Connection, letter: Letter, stream_id: str) -> None:
    waiting = in_order(find_letters(tx, Wanted(projection=letter.projection, stream_id=stream_id)))
    if waiting[0].place != letter.place:
        raise MayNotDiscard(f"it waits behind {waiting[0].place} of its stream: replay or discard that one first")
    seen = read_streams(tx, letter.projection, {stream_id}).seen.get(stream_id, 0)
    if letter.stream_version == seen + 1:
        write_streams(tx, letter.projection, {stream_id: seen + 1})


def in_order(found: Sequence[Letter]) -> list[Letter]:
    """Return parked events of one stream in the order of their versions; those that name none come last."""
    return sorted(found, key=lambda each: (each.stream_version is None, each.stream_version or 0, each.place))
