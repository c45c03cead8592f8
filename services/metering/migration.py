"""Tables of the store as earlier versions made them, in one piece each, become partitioned ones with their rows."""

from __future__ import annotations

from typing import Any, Final

from psycopg import Connection as Driver
from psycopg import sql
from sqlalchemy import Connection, Engine, Table, text

from eventlog.database import create_tables
from services.metering.byte_column import from_rows
from services.metering.partitions import make_partitions
from services.metering.stored_values import decode_values, encode_values
from services.metering.tables import metadata

_BATCH: Final = 5_000
_UNBOUNDED: Final = text(
    "select set_config('statement_timeout', '0', true), set_config('transaction_timeout', '0', true), "
    "set_config('idle_in_transaction_session_timeout', '0', true)"
)
_LOCK: Final = text("select pg_advisory_xact_lock(hashtextextended('tables of ' || current_schema(), 0))")
_IS_ONE_PIECE: Final = text("select relkind = 'r' from pg_class where oid = to_regclass(:name)")
# Ids were text: see services.metering.message_ids for what they are now.
_PACKED_ID: Final = sql.SQL(
    "case when message_id ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then uuid_send(message_id::uuid) "
    "when octet_length(message_id) = 16 then convert_to(message_id, 'UTF8') || '\\x00'::bytea "
    "else convert_to(message_id, 'UTF8') end"
)


def create_store(engine: Engine) -> None:
    """Create what is missing of the log's tables and of the store's; rows in tables of an earlier version move over.

    All in one transaction, while others that start wait; a large store takes minutes. Where it fails nothing changed.
    """
    with engine.begin() as tx:
        tx.execute(_UNBOUNDED)
        tx.execute(_LOCK)
        old = [table for table in metadata.sorted_tables if tx.scalar(_IS_ONE_PIECE, {"name": table.name})]
        for table in old:
            _put_aside(tx, table)
        metadata.create_all(tx)
        for table in old:
            _move_rows(tx, table)
            tx.execute(text(f"drop table {_before(table)}"))
    create_tables(engine, metadata)


def _before(table: Table) -> str:
    return f"{table.name}_before"


def _put_aside(tx: Connection, table: Table) -> None:
    tx.execute(text(f"alter table {table.name} rename to {_before(table)}"))
    tx.execute(text(f"alter index {table.name}_pkey rename to {_before(table)}_pkey"))
    for index in table.indexes:
        tx.execute(text(f"drop index if exists {index.name}"))


def _move_rows(tx: Connection, table: Table) -> None:
    before = _before(table)
    make_partitions(tx, tx.scalars(text(f"select distinct day from {before}")))  # noqa: S608
    driver: Any = tx.connection.driver_connection
    names = [column.name for column in table.columns]
    _copy_rows(driver, sql.Identifier(before), sql.Identifier(table.name), names)


def _copy_rows(driver: Driver[Any], before: sql.Identifier, table: sql.Identifier, names: list[str]) -> None:
    columns = sql.SQL(", ").join(map(sql.Identifier, names))
    read = sql.SQL(", ").join(_PACKED_ID if name == "message_id" else sql.Identifier(name) for name in names)
    statement = sql.SQL("copy {} ({}) from stdin").format(table, columns)
    with driver.cursor(name="rows_before") as rows, driver.cursor() as cursor:
        rows.execute(sql.SQL("select {} from {}").format(read, before))
        while batch := rows.fetchmany(_BATCH):
            with cursor.copy(statement) as copy:
                for row in _with_narrow_values(batch, names.index("slice_count"), names.index("slice_values")):
                    copy.write_row(row)


def _with_narrow_values(rows: list[tuple[Any, ...]], count_at: int, values_at: int) -> list[list[Any]]:
    """Return `rows` with their values in the widths that are used now."""
    moved = [list(row) for row in rows]
    for slice_count in {row[count_at] for row in rows}:
        alike = [row for row in moved if row[count_at] == slice_count]
        values = decode_values(from_rows([row[values_at] for row in alike]), slice_count)
        for row, packed in zip(alike, encode_values(values).to_list(), strict=True):
            row[values_at] = packed
    return moved
