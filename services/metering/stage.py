"""The statements of the store's projector: rows come by COPY into temporary tables, and go on from there by SQL.

All of them run on one ADBC connection, in the transaction of the checkpoint. The temporary tables live as long as the
connection and are empty at the begin of each transaction. Every statement on `block` and `block_input` names the EAN
and bounds the days: so it reads the partitions of its months alone, and a database distributed by EAN finds its place.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import adbc_driver_postgresql.dbapi as adbc
import pyarrow as pa

from eventlog.database import libpq_uri
from eventlog.tracing import current_traceparent
from services.metering.tables import block, block_input

_NAMES: Final = [column.name for column in block.columns]
_KEY: Final = [column.name for column in block.primary_key]
_KEYS: Final = ", ".join(_KEY)
_BLOCK: Final = ", ".join(_NAMES)
_CHANGES: Final = ", ".join(f"{name} = excluded.{name}" for name in _NAMES if name not in _KEY)
_SAME: Final = ("message_id", "content_hash", "source_at", "source_sequence", "source")

TEMPORARY: Final = {
    "staged_block": "like block",
    "staged_key": "record_offset bigint, ean bigint, content_hash bigint, source_at timestamptz, "
    "source_sequence bigint, day date, channel smallint, meter_id text, message_id bytea, source text",
    "staged_event": "place integer, stream_id text, number integer, event_id uuid, event_type text, key bytea, "
    "payload bytea, correlation_id uuid",
}
_IS_KEY: Final = " and ".join(f"place.{name} = staged.{name}" for name in _KEY)
_IS_SAME: Final = " and ".join(f"place.{name} = staged.{name}" for name in _SAME)
# One question per staged row, by the key's index: a join the planner could also begin with the long table.
_PRESENT: Final = (
    f"select staged.record_offset, place.is_same from staged_key staged, "  # noqa: S608
    f"lateral (select {_IS_SAME} as is_same from block place where {_IS_KEY} and place.day between '{{}}' and '{{}}' "
    "limit 1) place"
)
_OTHERS: Final = (
    f"select staged.record_offset as reading, place.* from staged_key staged, "  # noqa: S608
    f"lateral (select place.* from block place where {_IS_KEY} and place.day between '{{}}' and '{{}}' "
    f"and not ({_IS_SAME}) limit 1) place"
)
_SENT_BEFORE: Final = (
    "select staged.record_offset as reading, place.* from staged_key staged, "  # noqa: S608
    "lateral (select message_id, source, source_at, source_sequence, content_hash from block_input place "
    f"where {_IS_KEY} and place.message_id = staged.message_id and place.day between '{{}}' and '{{}}' offset 0) place"
)
FOLD: Final = (
    f"insert into block ({_BLOCK}) select {_BLOCK} from staged_block "  # noqa: S608
    f"on conflict ({_KEYS}) do update set {_CHANGES}"
)
# The versions of a stream go on from its last event; whoever holds the checkpoint is alone on the partition's streams.
# What is told already is not told again: a checkpoint may have been set back.
_APPEND: Final = (
    "insert into event (stream_id, stream_version, event_id, event_type, key, payload, correlation_id, recorded_at, "
    "traceparent) select stream_id, number + coalesce((select max(stream_version) from event past "
    "where past.stream_id = staged_event.stream_id), 0), event_id, event_type, key, payload, correlation_id, now(), "
    "nullif($1, '') from staged_event order by place on conflict (event_id) do nothing"
)
_UNIQUE_VIOLATION: Final = "23505"


class BlockPresent(Exception):
    """A block that was taken for new is there already."""


@dataclass(frozen=True, slots=True)
class Span:
    """The days that a run is about, both inclusive."""

    first_day: date
    last_day: date

    def bound(self, statement: str) -> str:
        """Return `statement` for these days. Written out, for the planner to leave out all other partitions."""
        return statement.format(self.first_day.isoformat(), self.last_day.isoformat())


def connect(database_url: str, *, application_name: str) -> Any:
    """Return an ADBC connection with the temporary tables, in no transaction."""
    connection = adbc.connect(libpq_uri(database_url, application_name=application_name))
    try:
        with connection.cursor() as cursor:
            for table, columns in TEMPORARY.items():
                cursor.execute(f"create temporary table {table} ({columns}) on commit delete rows")
        connection.commit()
    except BaseException:
        connection.close()
        raise
    return connection


def insert_blocks(cursor: Any, rows: pa.Table) -> None:
    """Add `rows` to `block`; none of their blocks may be there yet."""
    if len(rows):
        cursor.adbc_ingest(block.name, rows, mode="append")


def insert_blocks_unasked(cursor: Any, rows: pa.Table) -> None:
    """`insert_blocks` where nobody looked whether the blocks are there.

    Raises:
        BlockPresent: some are. The transaction is lost: roll back, and look first.
    """
    try:
        insert_blocks(cursor, rows)
    except adbc.Error as error:
        if (error.sqlstate or "").strip("\0") == _UNIQUE_VIOLATION:
            raise BlockPresent from error
        raise


def stage_keys(cursor: Any, readings: pa.Table) -> None:
    """Stage `readings` (columns of `staged_key`) for the questions below: once in a transaction."""
    _copy(cursor, "staged_key", readings)


def present_readings(cursor: Any, span: Span) -> pa.Table:
    """Return `record_offset` of the staged readings whose block is there, and `is_same`: it is its newest message."""
    return _answer(cursor, span.bound(_PRESENT))


def blocks_of_others(cursor: Any, span: Span) -> pa.Table:
    """Return the rows of `block` that are there for staged readings which are not its newest message.

    `reading` is the offset of the reading: a block that several of them are about comes several times.
    """
    return _answer(cursor, span.bound(_OTHERS))


def sent_before(cursor: Any, span: Span) -> pa.Table:
    """Return the messages in `block_input` with block and id of a staged reading; `reading` is that one's offset."""
    return _answer(cursor, span.bound(_SENT_BEFORE))


def update_blocks(cursor: Any, rows: pa.Table) -> None:
    """Write `rows` of `block` over those that are there."""
    if len(rows):
        _copy(cursor, "staged_block", rows)
        cursor.execute(FOLD)


def write_inputs(cursor: Any, rows: pa.Table) -> None:
    """Add `rows` to `block_input`."""
    if len(rows):
        cursor.adbc_ingest(block_input.name, rows, mode="append")


def append_events(cursor: Any, rows: pa.Table) -> None:
    """Append events to their streams; `number` counts from 1 within each stream of `rows`."""
    if len(rows):
        _copy(cursor, "staged_event", rows)
        cursor.execute(_APPEND, (current_traceparent() or "",))


def _answer(cursor: Any, statement: str) -> pa.Table:
    cursor.execute(statement)
    table: pa.Table = cursor.fetch_arrow_table()
    return table


def _copy(cursor: Any, table: str, rows: pa.Table) -> None:
    cursor.adbc_ingest(table, rows, mode="append", temporary=True)


STATEMENTS: Final[Sequence[str]] = (_PRESENT, _OTHERS, _SENT_BEFORE)
"""All that look for rows of `block` and `block_input`."""
