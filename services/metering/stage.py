"""The statements of the store's projector: rows come by COPY into temporary tables, and go on from there by SQL.

All of them run on one ADBC connection, in the transaction of the checkpoint. The temporary tables live as long as the
connection and are empty at the begin of each transaction.
"""

from __future__ import annotations

from typing import Any, Final

import adbc_driver_postgresql.dbapi as adbc
import pyarrow as pa

from eventlog.database import libpq_uri
from services.metering.tables import block, block_input

_NAMES: Final = [column.name for column in block.columns]
_KEY: Final = [column.name for column in block.primary_key]
_KEYS: Final = ", ".join(_KEY)
_BLOCK: Final = ", ".join(_NAMES)
_CHANGES: Final = ", ".join(f"{name} = excluded.{name}" for name in _NAMES if name not in _KEY)

_TEMPORARY: Final = {
    "staged_new": "like block",
    "staged_folded": "like block",
    "staged_key": "place integer, ean bigint, channel smallint, day date, meter_id text, message_id bytea",
    "staged_event": "place integer, stream_id text, number integer, event_id uuid, event_type text, key bytea, "
    "payload bytea, correlation_id uuid",
}
# Staged rows are few and the tables long: always by index, whatever the planner thinks of a table nobody analysed.
_PLANS: Final = ("set enable_hashjoin = off", "set enable_mergejoin = off")
_INSERT_NEW: Final = f"insert into block ({_BLOCK}) select {_BLOCK} from staged_new on conflict do nothing"  # noqa: S608
_KNOWN: Final = (
    f"select new.record_offset from staged_new new join block using ({_KEYS}) "  # noqa: S608
    "where block.record_offset <> new.record_offset"
)
_EXISTING: Final = (
    f"select wanted.place, block.* from (select distinct place, {_KEYS} from staged_key) wanted "  # noqa: S608
    f"join block using ({_KEYS})"
)
_SENT_BEFORE: Final = (
    "select wanted.place, message_id, source, source_at, source_sequence, content_hash "  # noqa: S608
    f"from (select distinct place, {_KEYS}, message_id from staged_key) wanted "
    f"join block_input using ({_KEYS}, message_id)"
)
_FOLD: Final = (
    f"insert into block ({_BLOCK}) select {_BLOCK} from staged_folded "  # noqa: S608
    f"on conflict ({_KEYS}) do update set {_CHANGES}"
)
# The versions of a stream go on from its last event; whoever holds the checkpoint is alone on the partition's streams.
_APPEND: Final = (
    "insert into event (stream_id, stream_version, event_id, event_type, key, payload, correlation_id, recorded_at) "
    "select stream_id, number + coalesce((select max(stream_version) from event past "
    "where past.stream_id = staged_event.stream_id), 0), event_id, event_type, key, payload, correlation_id, now() "
    "from staged_event order by place"
)


def connect(database_url: str, *, application_name: str) -> Any:
    """Return an ADBC connection with the temporary tables, in no transaction."""
    connection = adbc.connect(libpq_uri(database_url, application_name=application_name))
    try:
        with connection.cursor() as cursor:
            for statement in _PLANS:
                cursor.execute(statement)
            for table, columns in _TEMPORARY.items():
                cursor.execute(f"create temporary table {table} ({columns}) on commit delete rows")
        connection.commit()
    except BaseException:
        connection.close()
        raise
    return connection


def insert_new(cursor: Any, rows: pa.Table) -> list[int]:
    """Insert `rows` into `block`; return the offsets of those whose block is there already, which stay out."""
    if not len(rows):
        return []
    _copy(cursor, "staged_new", rows)
    cursor.execute(_INSERT_NEW)
    if cursor.rowcount == len(rows):
        return []
    cursor.execute(_KNOWN)
    return list(cursor.fetch_arrow_table()["record_offset"].to_pylist())


def existing_blocks(cursor: Any, keys: pa.Table) -> tuple[pa.Table, pa.Table]:
    """Return what is known of the blocks that `keys` name, by their `place`: their rows, and the messages sent before.

    `keys` has a row per reading: place, the key of its block, message_id. Of the messages in `block_input` come those
    that have the id of a reading about the same block.
    """
    _copy(cursor, "staged_key", keys)
    cursor.execute(_EXISTING)
    blocks = cursor.fetch_arrow_table()
    cursor.execute(_SENT_BEFORE)
    return blocks, cursor.fetch_arrow_table()


def write_folded(cursor: Any, rows: pa.Table) -> None:
    """Write `rows` of `block`, over the present ones where there are any."""
    if len(rows):
        _copy(cursor, "staged_folded", rows)
        cursor.execute(_FOLD)


def write_inputs(cursor: Any, rows: pa.Table) -> None:
    """Add `rows` to `block_input`."""
    if len(rows):
        cursor.adbc_ingest(block_input.name, rows, mode="append")


def append_events(cursor: Any, rows: pa.Table) -> None:
    """Append events to their streams; `number` counts from 1 within each stream of `rows`."""
    if len(rows):
        _copy(cursor, "staged_event", rows)
        cursor.execute(_APPEND)


def _copy(cursor: Any, table: str, rows: pa.Table) -> None:
    cursor.adbc_ingest(table, rows, mode="append", temporary=True)
