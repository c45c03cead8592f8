"""What the quarter-hour store holds of one partition, as a hash over every bit, at the checkpoint where it stands."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Final

from psycopg import sql
from sqlalchemy import Connection, Engine, Table, func, select, text

from eventlog import checkpoint
from services.metering.tables import block, block_input

_TABLES: Final = (block, block_input)
# A partition of years takes longer than the limits that every session has.
_UNBOUNDED: Final = text(
    "select set_config('statement_timeout', '0', true), set_config('transaction_timeout', '0', true)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionDigest:
    """The rows of one partition of `meter-readings`, of which all records below `next_offset` are applied."""

    next_offset: int
    block_count: int
    input_count: int
    sha256: str


def digest(engine: Engine, partition: int, *, projection: str, topic: str) -> PartitionDigest:
    """Return the digest of `partition`. Checkpoint and rows are of one instant, whatever is written meanwhile."""
    with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection, connection.begin():
        connection.execute(_UNBOUNDED)
        next_offset = checkpoint.read(connection, projection=projection, topic=topic).get(partition, 0)
        content = hashlib.sha256()
        counts = [_hash_rows(connection, table, partition, content) for table in _TABLES]
    return PartitionDigest(
        next_offset=next_offset, block_count=counts[0], input_count=counts[1], sha256=content.hexdigest()
    )


def count_strays(engine: Engine, partition_count: int) -> int:
    """Return how many rows belong to a partition that the topic does not have."""
    with engine.begin() as tx:
        tx.execute(_UNBOUNDED)
        return sum(_stray_count(tx, table, partition_count) for table in _TABLES)


def _stray_count(tx: Connection, table: Table, partition_count: int) -> int:
    place = table.c.record_partition
    found = tx.scalar(select(func.count()).select_from(table).where((place < 0) | (place >= partition_count)))
    return found or 0


def _hash_rows(connection: Connection, table: Table, partition: int, content: Any) -> int:
    """Feed all rows of `partition` to `content`, column by column as PostgreSQL sends them; return how many."""
    columns = [sql.Identifier(column.name) for column in table.columns]
    key = [sql.Identifier(column.name) for column in table.primary_key]
    query = sql.SQL(
        "copy (select {} from {} where record_partition = {} order by record_offset, {}) to stdout (format binary)"
    )
    statement = query.format(
        sql.SQL(", ").join(columns), sql.Identifier(table.name), sql.Literal(partition), sql.SQL(", ").join(key)
    )
    driver: Any = connection.connection.cursor()
    with driver as cursor:
        with cursor.copy(statement) as rows:
            for piece in rows:
                content.update(piece)
        return int(cursor.rowcount)
