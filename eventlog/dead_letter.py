"""Records that a projection could not use: kept whole, with the reason, to be replayed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, and_, func, select, update
from sqlalchemy.dialects.postgresql import insert

from eventlog.envelope import Headers, Record
from eventlog.halt import Coordinates
from eventlog.reason import Reason, Rule
from eventlog.tables import dead_letter

PARK: Final = (
    "insert into dead_letter (projection, topic, partition, record_offset, key, value, headers, appended_at, "
    "stream_id, stream_version, rule, reason) "
    "values ($1, $2, $3, $4, $5, $6, $7::text::json, $8, $9, $10, $11, $12) "
    "on conflict (projection, topic, partition, record_offset) "
    "do update set rule = excluded.rule, reason = excluded.reason, parked_at = now(), replayed_at = null"
)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Unusable(ValueError):
    """A projector raises this for an event that it cannot use, not for a fault of its own. The message says why,
    without content of the event."""

    @property
    def reason(self) -> Reason:
        """Why, with the name of the rule."""
        return Reason(Rule.UNUSABLE, str(self))


def park(
    tx: Connection,
    projection: str,
    record: Record,
    reason: Reason,
    *,
    stream_id: str | None = None,
    stream_version: int | None = None,
) -> None:
    """Keep `record` aside. With a `stream_id` the rest of that stream waits behind it; without one it stands alone."""
    columns = _columns(projection, record, reason, stream_id, stream_version)
    columns["headers"] = json.loads(columns["headers"])
    row = insert(dead_letter).values(columns)
    again = {"rule": row.excluded.rule, "reason": row.excluded.reason, "parked_at": func.now(), "replayed_at": None}
    tx.execute(row.on_conflict_do_update(index_elements=list(dead_letter.primary_key.columns), set_=again))


def park_adbc(
    cursor: Any,
    projection: str,
    record: Record,
    reason: Reason,
    *,
    stream_id: str | None = None,
    stream_version: int | None = None,
) -> None:
    """`park` through an ADBC cursor, in the transaction that it is in."""
    cursor.execute(PARK, tuple(_columns(projection, record, reason, stream_id, stream_version).values()))


def park_all_adbc(cursor: Any, projection: str, bad: Sequence[tuple[Record, Reason]]) -> None:
    """`park_adbc` for records that stand alone, each with its reason, in a tenth of the time."""
    if bad:
        rows = [tuple(_columns(projection, record, reason, None, None).values()) for record, reason in bad]
        cursor.executemany(PARK, rows)


def _columns(
    projection: str, record: Record, reason: Reason, stream_id: str | None, stream_version: int | None
) -> dict[str, Any]:
    return {
        "projection": projection,
        "topic": record.topic,
        "partition": record.partition,
        "record_offset": record.offset,
        "key": record.key,
        "value": record.value,
        "headers": json.dumps([(name, (value or b"").decode("latin-1")) for name, value in record.headers]),
        "appended_at": _EPOCH + timedelta(milliseconds=record.timestamp),
        "stream_id": stream_id,
        "stream_version": stream_version,
        "rule": reason.rule.value,
        "reason": reason.text,
    }


def to_headers(stored: list[list[str]]) -> Headers:
    """Return the headers of a parked record as they came."""
    return [(name, value.encode("latin-1")) for name, value in stored]


def is_parked() -> ColumnElement[bool]:
    """Whether a row is parked still: neither replayed nor discarded."""
    return dead_letter.c.replayed_at.is_(None) & dead_letter.c.discarded_at.is_(None)


def give_up(tx: Connection, projection: str, place: Coordinates, words: str) -> None:
    """Note that the parked record is given up, and why; it is kept."""
    tx.execute(
        update(dead_letter).where(is_at(projection, place)).values(discarded_at=func.now(), discard_reason=words)
    )


def mark_replayed(tx: Connection, projection: str, place: Coordinates) -> None:
    """Note that the record took effect after all."""
    tx.execute(update(dead_letter).where(is_at(projection, place)).values(replayed_at=func.now()))


def tell_reason(tx: Connection, projection: str, place: Coordinates, reason: Reason) -> None:
    """Write why the record is parked now, which may be another reason than at first."""
    row = {"rule": reason.rule.value, "reason": reason.text}
    tx.execute(update(dead_letter).where(is_at(projection, place)).values(row))


def is_given_up(tx: Connection, projection: str, place: Coordinates) -> bool:
    """Whether the record was given up."""
    found = select(dead_letter.c.discarded_at).where(is_at(projection, place), dead_letter.c.discarded_at.is_not(None))
    return tx.execute(found).first() is not None


def is_at(projection: str, place: Coordinates) -> ColumnElement[bool]:
    """Whether a row is the record at `place`, as `projection` parked it."""
    letter = dead_letter.c
    return and_(
        letter.projection == projection,
        letter.topic == place.topic,
        letter.partition == place.partition,
        letter.record_offset == place.offset,
    )


def count_parked(tx: Connection, projection: str) -> int:
    """Return how many records of `projection` are parked now."""
    letter = dead_letter.c
    parked = select(func.count()).where(letter.projection == projection, is_parked())
    return tx.execute(parked).scalar_one()


def parked_streams(tx: Connection, projection: str, stream_ids: set[str]) -> set[str]:
    """Return those of `stream_ids` that have a parked event, so that what follows must wait behind it."""
    letter = dead_letter.c
    found = select(letter.stream_id).where(
        letter.projection == projection, is_parked(), letter.stream_id.in_(stream_ids)
    )
    return {stream_id for stream_id in tx.scalars(found) if stream_id is not None}
